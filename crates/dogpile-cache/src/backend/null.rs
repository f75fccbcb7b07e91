//! The backend that keeps nothing.

use std::fmt;
use std::marker::PhantomData;

use dogpile_core::{Backend, Entry, Key, Result, SetOptions};

use crate::codec::Object;

/// Keeps nothing: caching switched off, with the program left as it is.
///
/// Every read is a miss and every write succeeds. Callers that ask for the same value at the same
/// moment still share one creation, as that is the lock's affair.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// use dogpile_cache::backend::Null;
/// use dogpile_core::{Backend, BackendExt, Entry, Key, Timestamp};
///
/// let null = Null::new();
/// null.set(Key::name("a"), Entry::new(Timestamp::MIN, "value")).await?;
/// assert!(null.get(Key::name("a")).await?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct Null<V = Object>(PhantomData<fn() -> V>);

impl<V> Null<V> {
    /// The backend that keeps nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<V> Clone for Null<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Null<V> {}

impl<V> Default for Null<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> fmt::Debug for Null<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Null")
    }
}

impl<V: Clone + Send + Sync + 'static> Backend for Null<V> {
    type Value = V;

    async fn get(&self, _: Key<'_>) -> Result<Option<Entry<V>>> {
        Ok(None)
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<V>>>> {
        Ok(keys.iter().map(|_| None).collect())
    }

    async fn set_many(&self, _: &[(Key<'_>, Entry<V>)], _: &SetOptions) -> Result<()> {
        Ok(())
    }

    async fn delete_many(&self, _: &[Key<'_>]) -> Result<()> {
        Ok(())
    }

    async fn delete_group(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}
