//! `ReadThrough` as a trait object.

use std::future::Future;

use crate::{BoxFuture, DynBackend, Key, Made, ReadThrough, Request, Result, Served};

/// [`ReadThrough`] as a trait object. Every `ReadThrough` is one, and the object is one again.
pub trait DynReadThrough: DynBackend {
    /// See [`ReadThrough::read_through`].
    fn read_through_dyn<'a>(
        &'a self,
        request: &'a Request<'a>,
        create: DynCreate<'a, Self::Value>,
    ) -> BoxFuture<'a, Result<Served<Self::Value>>>;

    /// See [`ReadThrough::read_through_detached`].
    fn read_through_detached_dyn<'a>(
        &'a self,
        request: &'a Request<'a>,
        create: DynCreate<'static, Self::Value>,
    ) -> BoxFuture<'a, Result<Served<Self::Value>>>;

    /// See [`ReadThrough::read_through_many`].
    fn read_through_many_dyn<'a>(
        &'a self,
        keys: &'a [Key<'a>],
        request: &'a Request<'a>,
        create: DynCreateMany<'a, Self::Value>,
    ) -> BoxFuture<'a, Result<Vec<Served<Self::Value>>>>;

    /// See [`ReadThrough::is_creating`].
    fn is_creating_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<bool>>;
}

/// A creator behind a pointer.
type DynCreate<'a, V> = Box<dyn FnOnce() -> BoxFuture<'a, Result<Made<V>>> + Send + 'a>;
type DynCreateMany<'a, V> =
    Box<dyn FnMut(Vec<usize>) -> BoxFuture<'a, Result<Vec<Made<V>>>> + Send + 'a>;

impl<T: ReadThrough> DynReadThrough for T {
    fn read_through_dyn<'a>(
        &'a self,
        request: &'a Request<'a>,
        create: DynCreate<'a, Self::Value>,
    ) -> BoxFuture<'a, Result<Served<Self::Value>>> {
        Box::pin(self.read_through(request, create))
    }

    fn read_through_detached_dyn<'a>(
        &'a self,
        request: &'a Request<'a>,
        create: DynCreate<'static, Self::Value>,
    ) -> BoxFuture<'a, Result<Served<Self::Value>>> {
        Box::pin(self.read_through_detached(request, create))
    }

    fn read_through_many_dyn<'a>(
        &'a self,
        keys: &'a [Key<'a>],
        request: &'a Request<'a>,
        create: DynCreateMany<'a, Self::Value>,
    ) -> BoxFuture<'a, Result<Vec<Served<Self::Value>>>> {
        Box::pin(self.read_through_many(keys, request, create))
    }

    fn is_creating_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.is_creating(key))
    }
}

impl<V: Clone + Send + Sync + 'static> ReadThrough for dyn DynReadThrough<Value = V> + '_ {
    async fn read_through<F, Fut>(&self, request: &Request<'_>, create: F) -> Result<Served<V>>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<Made<V>>> + Send,
    {
        self.read_through_dyn(request, Box::new(|| Box::pin(create()))).await
    }

    async fn read_through_detached<F, Fut>(
        &self,
        request: &Request<'_>,
        create: F,
    ) -> Result<Served<V>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Made<V>>> + Send + 'static,
    {
        self.read_through_detached_dyn(request, Box::new(|| Box::pin(create()))).await
    }

    async fn read_through_many<F, Fut>(
        &self,
        keys: &[Key<'_>],
        request: &Request<'_>,
        mut create: F,
    ) -> Result<Vec<Served<V>>>
    where
        F: FnMut(Vec<usize>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<Made<V>>>> + Send,
    {
        self.read_through_many_dyn(keys, request, Box::new(|wanted| Box::pin(create(wanted)))).await
    }

    async fn is_creating(&self, key: Key<'_>) -> Result<bool> {
        self.is_creating_dyn(key).await
    }
}
