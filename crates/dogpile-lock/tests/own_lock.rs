//! A mutex of the user's own, through the trait: here a set of names behind a mutex of the standard
//! library, which knows neither leases nor wakers.
#![allow(clippy::unwrap_in_result, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile_core::{Held, Key, KeyBuf, Lease, Lock, ReadThrough, Result};
use dogpile_lock::Dogpile;
use support::{Map, clock, join_all, made, request};

#[derive(Clone, Debug, Default)]
struct OwnLock(Arc<Mutex<HashSet<KeyBuf>>>);

const ANY: Lease = Lease::new(1);

impl OwnLock {
    fn remove(&self, key: Key<'_>) -> Held {
        if self.0.lock().unwrap().remove(&KeyBuf::from(key)) { Held::Kept } else { Held::Lost }
    }
}

impl Lock for OwnLock {
    async fn try_lock(&self, key: Key<'_>, _: Duration) -> Result<Option<Lease>> {
        Ok(self.0.lock().unwrap().insert(KeyBuf::from(key)).then_some(ANY))
    }

    async fn extend(&self, key: Key<'_>, _: Lease, _: Duration) -> Result<Held> {
        Ok(if self.is_locked(key).await? { Held::Kept } else { Held::Lost })
    }

    async fn unlock(&self, key: Key<'_>, _: Lease) -> Result<Held> {
        Ok(self.remove(key))
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        keys.iter().for_each(|key| _ = self.remove(*key));
        Ok(())
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        self.0.lock().unwrap().retain(|key| key.as_key().group() != Some(group));
        Ok(())
    }

    fn abandon(&self, key: Key<'_>, _: Lease) {
        let _ = self.remove(key);
    }

    async fn wait(&self, _: Key<'_>, _: Duration) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        Ok(self.0.lock().unwrap().contains(&KeyBuf::from(key)))
    }
}

/// Each dogpile stands for a process: only the lock is between them.
#[tokio::test]
async fn callers_who_share_only_the_lock_create_once() {
    let (map, lock, creations, clock) =
        (Map::default(), OwnLock::default(), AtomicUsize::new(0), clock());
    let dogpiles: Vec<_> = (0..20).map(|_| Dogpile::with_lock(map.clone(), lock.clone())).collect();
    let request = request("k", &clock);
    let calls = dogpiles.iter().map(|dogpile| {
        dogpile.read_through(&request, || async {
            creations.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(made(7))
        })
    });
    for served in join_all(calls).await {
        assert_eq!(served.unwrap().entry.value, 7);
    }
    assert_eq!(creations.load(Ordering::SeqCst), 1);
    assert!(lock.0.lock().unwrap().is_empty());
}
