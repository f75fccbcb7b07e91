//! `Lock` as a trait object.

use std::fmt;
use std::time::Duration;

use crate::{BoxFuture, Held, Key, Lease, Lock, Result};

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
