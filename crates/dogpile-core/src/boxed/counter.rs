//! `Counter` as a trait object.

use std::fmt;

use crate::{BoxFuture, Counter, Key, Result};

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
