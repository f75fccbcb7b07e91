//! A layer around a lock or a counter, which have keys and no values.

use std::time::Duration;

use dogpile_core::{Counter, Held, Key, Lease, Lock, Result};

use super::{Layered, MapKey, Mapped, below};

impl<L: Lock, T: MapKey> Lock for Layered<L, T> {
    async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        let mapped = self.transform.key(key)?;
        self.inner.try_lock(below(key, &mapped), lease_for).await
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        let mapped = self.transform.key(key)?;
        self.inner.extend(below(key, &mapped), lease, lease_for).await
    }

    async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        let mapped = self.transform.key(key)?;
        self.inner.unlock(below(key, &mapped), lease).await
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        let mapped = Mapped::new(&self.transform, keys.iter().copied())?;
        let below: Vec<_> = mapped.keys().collect();
        self.inner.revoke(&below).await
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        self.inner.revoke_group(&self.group(group)?).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        if let Ok(mapped) = self.transform.key(key) {
            self.inner.abandon(below(key, &mapped), lease);
        }
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        if let Ok(mapped) = self.transform.key(key) {
            self.inner.wait(below(key, &mapped), at_most).await;
        }
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        let mapped = self.transform.key(key)?;
        self.inner.is_locked(below(key, &mapped)).await
    }
}

impl<C: Counter, T: MapKey> Counter for Layered<C, T> {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        let mapped = self.transform.key(key)?;
        self.inner.read(below(key, &mapped)).await
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        let mapped = self.transform.key(key)?;
        self.inner.bump(below(key, &mapped), at_least).await
    }
}
