//! A backend and a lock, as one backend that leases.

use std::task::Poll;
use std::time::Duration;

use dogpile_core::{
    Age, Answer, Ask, Backend, Entry, Held, Key, Lease, LeaseBackend, Lock, Result, SetOptions,
};

use crate::damaged::{present, present_many};

/// Any [`Backend`] and any [`Lock`], paired to a [`LeaseBackend`].
///
/// The pair cannot store and release in one step as a server can. It checks the lease, stores, and
/// releases; where the release finds that the lease was taken away in between, it removes what it
/// stored, so that the next caller creates anew: a delete that came during a creation wins, at the
/// cost of a miss. A write takes leases away before and after it, so that a creation that began
/// while it was under way stores nothing either.
///
/// [`Dogpile::with_lock`](crate::Dogpile::with_lock) makes one.
#[derive(Clone, Debug)]
pub struct Paired<B, K> {
    backend: B,
    lock: K,
}

/// How long a lease is extended for to store a value that is ready.
const TO_STORE: Duration = Duration::from_secs(10);

impl<B: Backend, K: Lock> Paired<B, K> {
    /// A backend whose leases are kept by `lock`.
    pub const fn new(backend: B, lock: K) -> Self {
        Self { backend, lock }
    }

    /// The backend.
    pub const fn backend(&self) -> &B {
        &self.backend
    }

    /// The lock.
    pub const fn lock(&self) -> &K {
        &self.lock
    }

    /// What to answer to whom, once the entry was read under the lock or in sight of it.
    async fn answer(
        &self,
        ask: &Ask<'_>,
        granted: Option<Granted<'_, K>>,
        entry: Option<Entry<B::Value>>,
    ) -> Result<Answer<B::Value>> {
        let age = entry.as_ref().map_or(Age::Dead, |entry| ask.freshness.age(entry));
        match (entry, age, granted) {
            (Some(entry), Age::Fresh, granted) => {
                if let Some(granted) = granted {
                    let _ = granted.unlock().await?;
                }
                Ok(Answer::Fresh(entry))
            }
            (entry, age, Some(granted)) => Ok(Answer::Create {
                lease: granted.keep(),
                stale: entry.filter(|_| age == Age::Stale),
            }),
            (entry, age, None) => Ok(Answer::Busy { stale: entry.filter(|_| age == Age::Stale) }),
        }
    }

    async fn try_lock<'a>(&'a self, ask: &Ask<'a>) -> Result<Option<Granted<'a, K>>> {
        let lease = self.lock.try_lock(ask.key, ask.lease_for).await?;
        Ok(lease.map(|lease| Granted { lock: &self.lock, key: ask.key, lease: Some(lease) }))
    }

    async fn unlock_stored(&self, granted: Granted<'_, K>) -> Result<Held> {
        let key = granted.key;
        let held = granted.unlock().await?;
        if held == Held::Lost {
            self.backend.delete_many(&[key]).await?;
        }
        Ok(held)
    }
}

/// A lock that was taken and is given back unless it is kept: an error or a dropped future between
/// the lock and the answer leaves nothing locked.
struct Granted<'a, K: Lock> {
    lock: &'a K,
    key: Key<'a>,
    lease: Option<Lease>,
}

impl<K: Lock> Granted<'_, K> {
    /// Gives it back; dropped in the middle of that, it is abandoned.
    async fn unlock(mut self) -> Result<Held> {
        let held = match self.lease {
            Some(lease) => self.lock.unlock(self.key, lease).await?,
            None => Held::Lost,
        };
        self.lease = None;
        Ok(held)
    }

    fn keep(mut self) -> Lease {
        self.lease.take().unwrap_or(Lease::new(0))
    }
}

impl<K: Lock> Drop for Granted<'_, K> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease {
            self.lock.abandon(self.key, lease);
        }
    }
}

impl<B: Backend, K: Lock> Backend for Paired<B, K> {
    type Value = B::Value;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<B::Value>>> {
        self.backend.get(key).await
    }

    #[inline]
    fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<B::Value>) -> T) -> Poll<Option<T>> {
        self.backend.peek(key, look)
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<B::Value>>>> {
        self.backend.get_many(keys).await
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<()> {
        let keys: Vec<_> = items.iter().map(|(key, _)| *key).collect();
        self.lock.revoke(&keys).await?;
        self.backend.set_many(items, options).await?;
        self.lock.revoke(&keys).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.lock.revoke(keys).await?;
        self.backend.delete_many(keys).await?;
        self.lock.revoke(keys).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.lock.revoke_group(group).await?;
        self.backend.delete_group(group).await?;
        self.lock.revoke_group(group).await
    }
}

impl<B: Backend, K: Lock> LeaseBackend for Paired<B, K> {
    /// Locks before it reads: whoever asks has usually read already, and the entry has to be read
    /// under the lock in any case.
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<B::Value>> {
        let granted = self.try_lock(ask).await?;
        let entry = present(self.backend.get(ask.key).await)?;
        self.answer(ask, granted, entry).await
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<B::Value>>> {
        let mut granted = Vec::with_capacity(asks.len());
        for ask in asks {
            granted.push(self.try_lock(ask).await?);
        }
        let keys: Vec<_> = asks.iter().map(|ask| ask.key).collect();
        let entries = present_many(&self.backend, &keys).await?;
        let mut answers = Vec::with_capacity(asks.len());
        for ((ask, granted), entry) in asks.iter().zip(granted).zip(entries) {
            answers.push(self.answer(ask, granted, entry).await?);
        }
        Ok(answers)
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<B::Value>,
        options: &SetOptions,
    ) -> Result<Held> {
        let granted = Granted { lock: &self.lock, key, lease: Some(lease) };
        if self.lock.extend(key, lease, TO_STORE).await? == Held::Lost {
            let _ = granted.keep();
            return Ok(Held::Lost);
        }
        self.backend.set_many(&[(key, entry)], options).await?;
        self.unlock_stored(granted).await
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let mut held = Vec::with_capacity(fills.len());
        let mut items = Vec::with_capacity(fills.len());
        let mut granted = Vec::with_capacity(fills.len());
        for (key, lease, entry) in fills {
            let kept = self.lock.extend(*key, *lease, TO_STORE).await?;
            if kept == Held::Kept {
                items.push((*key, entry.clone()));
                granted.push((
                    held.len(),
                    Granted { lock: &self.lock, key: *key, lease: Some(*lease) },
                ));
            }
            held.push(kept);
        }
        self.backend.set_many(&items, options).await?;
        for (at, granted) in granted {
            held[at] = self.unlock_stored(granted).await?;
        }
        Ok(held)
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.lock.extend(key, lease, lease_for).await
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.lock.unlock(key, lease).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.lock.abandon(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        self.lock.wait(key, at_most).await;
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        self.lock.is_locked(key).await
    }
}
