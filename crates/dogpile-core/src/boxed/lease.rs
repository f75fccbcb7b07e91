//! `LeaseBackend` as a trait object.

use std::time::Duration;

use crate::{
    Answer, Ask, BoxFuture, DynBackend, Entry, Held, Key, Lease, LeaseBackend, Result, SetOptions,
};

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
