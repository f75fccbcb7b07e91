//! Mirrors of the contracts that can be trait objects: `Arc<dyn DynBackend<Value = Bytes>>`.

#![expect(clippy::type_complexity, reason = "the signatures are those of the contracts, boxed")]

mod counter;
mod lease;
mod lock;
mod read_through;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use crate::{Backend, Entry, Key, Result, SetOptions};

pub use self::counter::DynCounter;
pub use self::lease::DynLeaseBackend;
pub use self::lock::DynLock;
pub use self::read_through::DynReadThrough;

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
    fn peek_dyn(&self, key: Key<'_>, look: &mut dyn FnMut(&Entry<Self::Value>))
    -> Poll<Option<()>>;

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

    fn peek_dyn(
        &self,
        key: Key<'_>,
        look: &mut dyn FnMut(&Entry<Self::Value>),
    ) -> Poll<Option<()>> {
        Backend::peek(self, key, look)
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

/// A trait object of any contract above `Backend` is a `Backend` too.
macro_rules! backend_behind {
    ($($object:ident)*) => {$(
        impl<V: Clone + Send + Sync + 'static> Backend for dyn $object<Value = V> + '_ {
            type Value = V;

            async fn get(&self, key: Key<'_>) -> Result<Option<Entry<V>>> {
                self.get_dyn(key).await
            }

            fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<V>) -> T) -> Poll<Option<T>> {
                let (mut look, mut seen) = (Some(look), None);
                let peeked = self.peek_dyn(key, &mut |entry| seen = look.take().map(|look| look(entry)));
                peeked.map(|_| seen)
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
