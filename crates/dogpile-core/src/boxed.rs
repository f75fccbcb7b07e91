//! Mirrors of the contracts that can be trait objects: `Arc<dyn DynBackend<Value = Bytes>>`.

#![expect(clippy::type_complexity, reason = "the signatures are those of the contracts, boxed")]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::{
    Answer, Ask, Backend, Counter, Entry, Held, Key, Lease, LeaseBackend, Lock, Made, ReadThrough,
    Request, Result, Served, SetOptions,
};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Backend`] as a trait object.
///
/// Every `Backend` is one, and the object is a `Backend` again, so nobody writes this by hand:
///
/// ```
/// use dogpile_core::{Backend, DynBackend};
/// use std::sync::Arc;
///
/// fn shared<B: Backend<Value = bytes::Bytes> + 'static>(backend: B) -> Arc<dyn DynBackend<Value = bytes::Bytes>> {
///     Arc::new(backend)
/// }
/// fn takes_any_backend(backend: impl Backend) {}
///
/// # fn check(object: Arc<dyn DynBackend<Value = bytes::Bytes>>) {
/// takes_any_backend(object);
/// # }
/// ```
pub trait DynBackend: fmt::Debug + Send + Sync {
    /// The form in which values are kept.
    type Value: Clone + Send + Sync + 'static;

    /// See [`Backend::get`].
    fn get_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<Option<Entry<Self::Value>>>>;

    /// See [`Backend::peek`].
    fn peek_dyn(&self, key: Key<'_>, look: &mut dyn FnMut(&Entry<Self::Value>));

    /// See [`Backend::get_many`].
    fn get_many_dyn<'a>(
        &'a self,
        keys: &'a [Key<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Entry<Self::Value>>>>>;

    /// See [`Backend::set_many`].
    fn set_many_dyn<'a>(
        &'a self,
        items: &'a [(Key<'a>, Entry<Self::Value>)],
        options: &'a SetOptions,
    ) -> BoxFuture<'a, Result<()>>;

    /// See [`Backend::delete_many`].
    fn delete_many_dyn<'a>(&'a self, keys: &'a [Key<'a>]) -> BoxFuture<'a, Result<()>>;

    /// See [`Backend::delete_group`].
    fn delete_group_dyn<'a>(&'a self, group: &'a [u8]) -> BoxFuture<'a, Result<()>>;
}

impl<T: Backend> DynBackend for T {
    type Value = T::Value;

    fn get_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<Option<Entry<Self::Value>>>> {
        Box::pin(Backend::get(self, key))
    }

    fn peek_dyn(&self, key: Key<'_>, look: &mut dyn FnMut(&Entry<Self::Value>)) {
        Backend::peek(self, key, look);
    }

    fn get_many_dyn<'a>(
        &'a self,
        keys: &'a [Key<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Entry<Self::Value>>>>> {
        Box::pin(Backend::get_many(self, keys))
    }

    fn set_many_dyn<'a>(
        &'a self,
        items: &'a [(Key<'a>, Entry<Self::Value>)],
        options: &'a SetOptions,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(Backend::set_many(self, items, options))
    }

    fn delete_many_dyn<'a>(&'a self, keys: &'a [Key<'a>]) -> BoxFuture<'a, Result<()>> {
        Box::pin(Backend::delete_many(self, keys))
    }

    fn delete_group_dyn<'a>(&'a self, group: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(Backend::delete_group(self, group))
    }
}

/// [`Lock`] as a trait object. Every `Lock` is one, and the object is a `Lock` again.
pub trait DynLock: fmt::Debug + Send + Sync {
    /// See [`Lock::try_lock`].
    fn try_lock_dyn<'a>(
        &'a self,
        key: Key<'a>,
        lease_for: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>>>;

    /// See [`Lock::extend`].
    fn extend_dyn<'a>(
        &'a self,
        key: Key<'a>,
        lease: Lease,
        lease_for: Duration,
    ) -> BoxFuture<'a, Result<Held>>;

    /// See [`Lock::unlock`].
    fn unlock_dyn<'a>(&'a self, key: Key<'a>, lease: Lease) -> BoxFuture<'a, Result<Held>>;

    /// See [`Lock::revoke`].
    fn revoke_dyn<'a>(&'a self, keys: &'a [Key<'a>]) -> BoxFuture<'a, Result<()>>;

    /// See [`Lock::revoke_group`].
    fn revoke_group_dyn<'a>(&'a self, group: &'a [u8]) -> BoxFuture<'a, Result<()>>;

    /// See [`Lock::abandon`].
    fn abandon_dyn(&self, key: Key<'_>, lease: Lease);

    /// See [`Lock::wait`].
    fn wait_dyn<'a>(&'a self, key: Key<'a>, at_most: Duration) -> BoxFuture<'a, ()>;

    /// See [`Lock::is_locked`].
    fn is_locked_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<bool>>;
}

impl<T: Lock> DynLock for T {
    fn try_lock_dyn<'a>(
        &'a self,
        key: Key<'a>,
        lease_for: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>>> {
        Box::pin(Lock::try_lock(self, key, lease_for))
    }

    fn extend_dyn<'a>(
        &'a self,
        key: Key<'a>,
        lease: Lease,
        lease_for: Duration,
    ) -> BoxFuture<'a, Result<Held>> {
        Box::pin(Lock::extend(self, key, lease, lease_for))
    }

    fn unlock_dyn<'a>(&'a self, key: Key<'a>, lease: Lease) -> BoxFuture<'a, Result<Held>> {
        Box::pin(Lock::unlock(self, key, lease))
    }

    fn revoke_dyn<'a>(&'a self, keys: &'a [Key<'a>]) -> BoxFuture<'a, Result<()>> {
        Box::pin(Lock::revoke(self, keys))
    }

    fn revoke_group_dyn<'a>(&'a self, group: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(Lock::revoke_group(self, group))
    }

    fn abandon_dyn(&self, key: Key<'_>, lease: Lease) {
        Lock::abandon(self, key, lease);
    }

    fn wait_dyn<'a>(&'a self, key: Key<'a>, at_most: Duration) -> BoxFuture<'a, ()> {
        Box::pin(Lock::wait(self, key, at_most))
    }

    fn is_locked_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<bool>> {
        Box::pin(Lock::is_locked(self, key))
    }
}

impl Lock for dyn DynLock + '_ {
    async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        self.try_lock_dyn(key, lease_for).await
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.extend_dyn(key, lease, lease_for).await
    }

    async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.unlock_dyn(key, lease).await
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        self.revoke_dyn(keys).await
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        self.revoke_group_dyn(group).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.abandon_dyn(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) -> () {
        self.wait_dyn(key, at_most).await
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        self.is_locked_dyn(key).await
    }
}

/// [`LeaseBackend`] as a trait object. Every `LeaseBackend` is one, and the object is one again.
pub trait DynLeaseBackend: DynBackend {
    /// See [`LeaseBackend::get_or_lease`].
    fn get_or_lease_dyn<'a>(
        &'a self,
        ask: &'a Ask<'a>,
    ) -> BoxFuture<'a, Result<Answer<Self::Value>>>;

    /// See [`LeaseBackend::get_or_lease_many`].
    fn get_or_lease_many_dyn<'a>(
        &'a self,
        asks: &'a [Ask<'a>],
    ) -> BoxFuture<'a, Result<Vec<Answer<Self::Value>>>>;

    /// See [`LeaseBackend::fill`].
    fn fill_dyn<'a>(
        &'a self,
        key: Key<'a>,
        lease: Lease,
        entry: Entry<Self::Value>,
        options: &'a SetOptions,
    ) -> BoxFuture<'a, Result<Held>>;

    /// See [`LeaseBackend::fill_many`].
    fn fill_many_dyn<'a>(
        &'a self,
        fills: &'a [(Key<'a>, Lease, Entry<Self::Value>)],
        options: &'a SetOptions,
    ) -> BoxFuture<'a, Result<Vec<Held>>>;

    /// See [`LeaseBackend::extend`].
    fn extend_dyn<'a>(
        &'a self,
        key: Key<'a>,
        lease: Lease,
        lease_for: Duration,
    ) -> BoxFuture<'a, Result<Held>>;

    /// See [`LeaseBackend::release`].
    fn release_dyn<'a>(&'a self, key: Key<'a>, lease: Lease) -> BoxFuture<'a, Result<Held>>;

    /// See [`LeaseBackend::abandon`].
    fn abandon_dyn(&self, key: Key<'_>, lease: Lease);

    /// See [`LeaseBackend::wait`].
    fn wait_dyn<'a>(&'a self, key: Key<'a>, at_most: Duration) -> BoxFuture<'a, ()>;

    /// See [`LeaseBackend::is_leased`].
    fn is_leased_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<bool>>;
}

impl<T: LeaseBackend> DynLeaseBackend for T {
    fn get_or_lease_dyn<'a>(
        &'a self,
        ask: &'a Ask<'a>,
    ) -> BoxFuture<'a, Result<Answer<Self::Value>>> {
        Box::pin(LeaseBackend::get_or_lease(self, ask))
    }

    fn get_or_lease_many_dyn<'a>(
        &'a self,
        asks: &'a [Ask<'a>],
    ) -> BoxFuture<'a, Result<Vec<Answer<Self::Value>>>> {
        Box::pin(LeaseBackend::get_or_lease_many(self, asks))
    }

    fn fill_dyn<'a>(
        &'a self,
        key: Key<'a>,
        lease: Lease,
        entry: Entry<Self::Value>,
        options: &'a SetOptions,
    ) -> BoxFuture<'a, Result<Held>> {
        Box::pin(LeaseBackend::fill(self, key, lease, entry, options))
    }

    fn fill_many_dyn<'a>(
        &'a self,
        fills: &'a [(Key<'a>, Lease, Entry<Self::Value>)],
        options: &'a SetOptions,
    ) -> BoxFuture<'a, Result<Vec<Held>>> {
        Box::pin(LeaseBackend::fill_many(self, fills, options))
    }

    fn extend_dyn<'a>(
        &'a self,
        key: Key<'a>,
        lease: Lease,
        lease_for: Duration,
    ) -> BoxFuture<'a, Result<Held>> {
        Box::pin(LeaseBackend::extend(self, key, lease, lease_for))
    }

    fn release_dyn<'a>(&'a self, key: Key<'a>, lease: Lease) -> BoxFuture<'a, Result<Held>> {
        Box::pin(LeaseBackend::release(self, key, lease))
    }

    fn abandon_dyn(&self, key: Key<'_>, lease: Lease) {
        LeaseBackend::abandon(self, key, lease);
    }

    fn wait_dyn<'a>(&'a self, key: Key<'a>, at_most: Duration) -> BoxFuture<'a, ()> {
        Box::pin(LeaseBackend::wait(self, key, at_most))
    }

    fn is_leased_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<bool>> {
        Box::pin(LeaseBackend::is_leased(self, key))
    }
}

impl<V: Clone + Send + Sync + 'static> LeaseBackend for dyn DynLeaseBackend<Value = V> + '_ {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<V>> {
        self.get_or_lease_dyn(ask).await
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<V>>> {
        self.get_or_lease_many_dyn(asks).await
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<V>,
        options: &SetOptions,
    ) -> Result<Held> {
        self.fill_dyn(key, lease, entry, options).await
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<V>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        self.fill_many_dyn(fills, options).await
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.extend_dyn(key, lease, lease_for).await
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.release_dyn(key, lease).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.abandon_dyn(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) -> () {
        self.wait_dyn(key, at_most).await
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        self.is_leased_dyn(key).await
    }
}

/// [`Counter`] as a trait object. Every `Counter` is one, and the object is a `Counter` again.
pub trait DynCounter: fmt::Debug + Send + Sync {
    /// See [`Counter::read`].
    fn read_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<u64>>;

    /// See [`Counter::bump`].
    fn bump_dyn<'a>(&'a self, key: Key<'a>, at_least: u64) -> BoxFuture<'a, Result<u64>>;
}

impl<T: Counter> DynCounter for T {
    fn read_dyn<'a>(&'a self, key: Key<'a>) -> BoxFuture<'a, Result<u64>> {
        Box::pin(Counter::read(self, key))
    }

    fn bump_dyn<'a>(&'a self, key: Key<'a>, at_least: u64) -> BoxFuture<'a, Result<u64>> {
        Box::pin(Counter::bump(self, key, at_least))
    }
}

impl Counter for dyn DynCounter + '_ {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        self.read_dyn(key).await
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        self.bump_dyn(key, at_least).await
    }
}

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

/// A trait object of any contract above `Backend` is a `Backend` too.
macro_rules! backend_behind {
    ($($object:ident)*) => {$(
        impl<V: Clone + Send + Sync + 'static> Backend for dyn $object<Value = V> + '_ {
            type Value = V;

            async fn get(&self, key: Key<'_>) -> Result<Option<Entry<V>>> {
                self.get_dyn(key).await
            }

            fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<V>) -> T) -> Option<T> {
                let (mut look, mut seen) = (Some(look), None);
                self.peek_dyn(key, &mut |entry| seen = look.take().map(|look| look(entry)));
                seen
            }

            async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<V>>>> {
                self.get_many_dyn(keys).await
            }

            async fn set_many(&self, items: &[(Key<'_>, Entry<V>)], options: &SetOptions) -> Result<()> {
                self.set_many_dyn(items, options).await
            }

            async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
                self.delete_many_dyn(keys).await
            }

            async fn delete_group(&self, group: &[u8]) -> Result<()> {
                self.delete_group_dyn(group).await
            }

        }
    )*};
}
backend_behind!(DynBackend DynLeaseBackend DynReadThrough);
