//! The suites on good implementations.

mod map {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use bytes::Bytes;
    use dogpile_conformance::Subject;
    use dogpile_core::{Backend, Entry, Key, KeyBuf, Result, SetOptions};

    #[derive(Debug, Default)]
    struct Map(Mutex<HashMap<KeyBuf, Entry<Bytes>>>);

    impl Backend for Map {
        type Value = Bytes;

        async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
            Ok(self.0.lock().unwrap().get(&KeyBuf::from(key)).cloned())
        }

        async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
            let map = self.0.lock().unwrap();
            Ok(keys.iter().map(|&key| map.get(&KeyBuf::from(key)).cloned()).collect())
        }

        async fn set_many(&self, items: &[(Key<'_>, Entry<Bytes>)], _: &SetOptions) -> Result<()> {
            let items = items.iter().cloned().map(|(key, entry)| (KeyBuf::from(key), entry));
            self.0.lock().unwrap().extend(items);
            Ok(())
        }

        async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
            let mut map = self.0.lock().unwrap();
            keys.iter().for_each(|&key| _ = map.remove(&KeyBuf::from(key)));
            Ok(())
        }

        async fn delete_group(&self, group: &[u8]) -> Result<()> {
            self.0.lock().unwrap().retain(|key, _| key.as_key().group() != Some(group));
            Ok(())
        }
    }
    dogpile_conformance::backend_suite!(
        async { Subject::new(Map::default()) },
        except = [expires_is_kept]
    );
}

mod lock {
    use std::collections::HashMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use dogpile_conformance::{ManualClock, Subject};
    use dogpile_core::{Clock, Held, Key, KeyBuf, Lease, Lock, Result, Timestamp};
    use tokio::sync::Notify;

    #[derive(Debug)]
    struct Locks {
        clock: ManualClock,
        held: Mutex<HashMap<KeyBuf, (Lease, Timestamp)>>,
        next: AtomicU64,
        freed: Notify,
    }

    impl Locks {
        fn free(&self, key: Key<'_>, lease: Option<Lease>) -> Held {
            let mut held = self.held.lock().unwrap();
            let found = held.get(&KeyBuf::from(key)).copied();
            if found.is_some_and(|(present, _)| lease.is_none_or(|lease| lease == present)) {
                held.remove(&KeyBuf::from(key));
                self.freed.notify_waiters();
                return Held::Kept;
            }
            Held::Lost
        }
        fn held(&self, key: Key<'_>) -> bool {
            let held = self.held.lock().unwrap();
            held.get(&KeyBuf::from(key)).is_some_and(|(_, ends)| *ends > self.clock.now())
        }
    }

    impl Lock for Locks {
        async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
            let mut held = self.held.lock().unwrap();
            let now = self.clock.now();
            if held.get(&KeyBuf::from(key)).is_some_and(|(_, ends)| *ends > now) {
                return Ok(None);
            }
            let lease = Lease::new(self.next.fetch_add(1, Ordering::SeqCst).into());
            held.insert(KeyBuf::from(key), (lease, now.plus(lease_for)));
            Ok(Some(lease))
        }
        async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
            match self.held.lock().unwrap().get_mut(&KeyBuf::from(key)) {
                Some((present, ends)) if *present == lease => {
                    *ends = self.clock.now().plus(lease_for);
                    Ok(Held::Kept)
                }
                _ => Ok(Held::Lost),
            }
        }
        async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
            Ok(self.free(key, Some(lease)))
        }
        async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
            for key in keys {
                _ = self.free(*key, None);
            }
            Ok(())
        }
        async fn revoke_group(&self, group: &[u8]) -> Result<()> {
            self.held.lock().unwrap().retain(|key, _| key.as_key().group() != Some(group));
            self.freed.notify_waiters();
            Ok(())
        }
        fn abandon(&self, key: Key<'_>, lease: Lease) {
            _ = self.free(key, Some(lease));
        }
        async fn wait(&self, key: Key<'_>, at_most: Duration) {
            let notified = self.freed.notified();
            if self.held(key) {
                let _ = tokio::time::timeout(at_most, notified).await;
            }
        }
        async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
            Ok(self.held(key))
        }
    }

    dogpile_conformance::lock_suite!(async {
        let clock = ManualClock::new();
        let locks = Locks {
            clock: clock.clone(),
            held: Mutex::default(),
            next: AtomicU64::new(1),
            freed: Notify::new(),
        };
        Subject::new(locks).with_clock(clock)
    });
}
