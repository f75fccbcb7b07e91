//! A backend whose every call is measured.

use std::any::Any;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Counter, Entry, Held, Key, Lease, LeaseBackend, Lock, Result, SetOptions,
};

use super::Telemetry;
use super::telemetry::Seen;

/// A backend, lease backend, lock or counter whose calls are told to a [`Telemetry`]: how many, how
/// long, what was found, how many bytes, which errors. Features `metrics` and `tracing`.
///
/// Wrap a backend at any height: around a compressing layer it counts plain bytes, inside it counts
/// compressed ones, and around the near one of two tiers it sees the errors that the tiers hide.
#[derive(Clone, Debug)]
pub struct Observed<B> {
    inner: B,
    telemetry: Telemetry,
}

impl<B> Observed<B> {
    /// `inner`, told to `telemetry`.
    #[must_use]
    pub fn new(inner: B, telemetry: Telemetry) -> Self {
        Self { inner, telemetry }
    }

    /// What is measured.
    #[must_use]
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// Watches a call of which nothing but its end is to be told.
    async fn watch<T>(
        &self,
        operation: &'static str,
        keys: usize,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.telemetry.watch(operation, keys, call, |_| Seen::default()).await
    }
}

fn size<V: 'static>(value: &V) -> u64 {
    (value as &dyn Any).downcast_ref::<Bytes>().map_or(0, |bytes| bytes.len() as u64)
}

fn read<'e, V: 'static>(entries: impl IntoIterator<Item = Option<&'e Entry<V>>>) -> Seen {
    entries.into_iter().fold(Seen::default(), |mut seen, entry| {
        match entry {
            None => seen.misses += 1,
            Some(entry) => {
                seen.hits += 1;
                seen.bytes_read += size(&entry.value);
            }
        }
        seen
    })
}

fn written<'e, V: 'static>(entries: impl IntoIterator<Item = &'e Entry<V>>) -> Seen {
    let bytes_written = entries.into_iter().map(|entry| size(&entry.value)).sum();
    Seen { bytes_written, ..Seen::default() }
}

/// What an answer found: a stale entry is a miss that was read.
fn answered<V: 'static>(answer: &Answer<V>) -> Seen {
    match answer {
        Answer::Fresh(entry) => read([Some(entry)]),
        Answer::Create { stale, .. } | Answer::Busy { stale } => {
            let bytes_read = stale.as_ref().map_or(0, |entry| size(&entry.value));
            Seen { misses: 1, bytes_read, ..Seen::default() }
        }
    }
}

impl<B: Backend> Backend for Observed<B> {
    type Value = B::Value;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<B::Value>>> {
        let call = self.inner.get(key);
        self.telemetry.watch("get", 1, call, |found| read([found.as_ref()])).await
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<B::Value>>>> {
        let call = self.inner.get_many(keys);
        self.telemetry
            .watch("get_many", keys.len(), call, |found| read(found.iter().map(Option::as_ref)))
            .await
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<()> {
        let seen = written(items.iter().map(|(_, entry)| entry));
        let call = self.inner.set_many(items, options);
        self.telemetry.watch("set_many", items.len(), call, |()| seen).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.watch("delete_many", keys.len(), self.inner.delete_many(keys)).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.watch("delete_group", 1, self.inner.delete_group(group)).await
    }
}

impl<B: LeaseBackend> LeaseBackend for Observed<B> {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<B::Value>> {
        self.telemetry.watch("get_or_lease", 1, self.inner.get_or_lease(ask), answered).await
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<B::Value>>> {
        let call = self.inner.get_or_lease_many(asks);
        self.telemetry
            .watch("get_or_lease_many", asks.len(), call, |answers| {
                answers.iter().map(answered).fold(Seen::default(), Seen::and)
            })
            .await
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<B::Value>,
        options: &SetOptions,
    ) -> Result<Held> {
        let seen = written([&entry]);
        let call = self.inner.fill(key, lease, entry, options);
        self.telemetry.watch("fill", 1, call, |_| seen).await
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let seen = written(fills.iter().map(|(.., entry)| entry));
        let call = self.inner.fill_many(fills, options);
        self.telemetry.watch("fill_many", fills.len(), call, |_| seen).await
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.watch("extend", 1, self.inner.extend(key, lease, lease_for)).await
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.watch("release", 1, self.inner.release(key, lease)).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.inner.abandon(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let call = async {
            self.inner.wait(key, at_most).await;
            Ok(())
        };
        let _ = self.watch("wait", 1, call).await;
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        self.watch("is_leased", 1, self.inner.is_leased(key)).await
    }
}

impl<L: Lock> Lock for Observed<L> {
    async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        self.watch("try_lock", 1, self.inner.try_lock(key, lease_for)).await
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.watch("extend", 1, self.inner.extend(key, lease, lease_for)).await
    }

    async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.watch("unlock", 1, self.inner.unlock(key, lease)).await
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        self.watch("revoke", keys.len(), self.inner.revoke(keys)).await
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        self.watch("revoke_group", 1, self.inner.revoke_group(group)).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.inner.abandon(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let call = async {
            self.inner.wait(key, at_most).await;
            Ok(())
        };
        let _ = self.watch("wait", 1, call).await;
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        self.watch("is_locked", 1, self.inner.is_locked(key)).await
    }
}

impl<C: Counter> Counter for Observed<C> {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        self.watch("read", 1, self.inner.read(key)).await
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        self.watch("bump", 1, self.inner.bump(key, at_least)).await
    }
}
