//! The suite macros on sound implementations: the backend of the README, as anybody would write it,
//! and those that `wrong` builds without a flaw.

#![expect(clippy::unwrap_used, reason = "a test may")]

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
        except = [expires_is_kept, version_is_kept],
    );
}

mod backend {
    use dogpile_conformance::wrong::WrongBackend;
    use dogpile_conformance::{ManualClock, Subject};

    dogpile_conformance::backend_suite!(async {
        let clock = ManualClock::new();
        let backend = WrongBackend::new(None, clock.clone());
        Subject::new(backend.clone()).with_other(backend).with_clock(clock)
    });
}

mod lock {
    use dogpile_conformance::wrong::WrongLock;
    use dogpile_conformance::{ManualClock, Subject};

    dogpile_conformance::lock_suite!(async {
        let clock = ManualClock::new();
        Subject::new(WrongLock::new(None, clock.clone())).with_clock(clock)
    });
}

mod lease {
    use dogpile_conformance::wrong::WrongLeaseBackend;
    use dogpile_conformance::{ManualClock, Subject};

    dogpile_conformance::lease_suite!(async {
        let clock = ManualClock::new();
        Subject::new(WrongLeaseBackend::new(None, clock.clone())).with_clock(clock)
    });
}

mod read_through {
    use dogpile_conformance::Subject;
    use dogpile_conformance::wrong::WrongReadThrough;

    dogpile_conformance::read_through_suite!(async { Subject::new(WrongReadThrough::new(None)) });
}

mod counter {
    use dogpile_conformance::Subject;
    use dogpile_conformance::wrong::WrongCounter;

    dogpile_conformance::counter_suite!(async { Subject::new(WrongCounter::new(None)) });
}

mod codec {
    use dogpile_conformance::Subject;
    use dogpile_conformance::codec::Coded;
    use dogpile_conformance::wrong::WrongCodec;

    dogpile_conformance::codec_suite!(async {
        Subject::new(Coded::new(WrongCodec::new(None), ["", "text"].map(str::to_owned)))
    });
}

mod locator {
    use dogpile_conformance::Subject;
    use dogpile_conformance::wrong::WrongLocator;

    dogpile_conformance::locator_suite!(async { Subject::new(WrongLocator::new(None, 5, 1)) });
}

mod locator_of_nothing {
    use dogpile_conformance::Subject;
    use dogpile_conformance::wrong::WrongLocator;

    dogpile_conformance::locator_suite!(async { Subject::new(WrongLocator::new(None, 0, 1)) });
}

#[cfg(feature = "sessions")]
mod generations {
    use dogpile_conformance::wrong::WrongGenerations;
    use dogpile_conformance::{ManualClock, Subject};

    mod generation {
        dogpile_conformance::generation_suite!(super::store());
    }

    mod monotonic {
        dogpile_conformance::monotonic_suite!(super::store());
    }

    async fn store() -> Subject<WrongGenerations> {
        let clock = ManualClock::new();
        Subject::new(WrongGenerations::new(None, clock.clone())).with_clock(clock)
    }
}

/// The lists of the sessions, which are counted apart because a feature brings them.
#[cfg(feature = "sessions")]
#[test]
fn properties_of_sessions_are_counted() {
    use dogpile_conformance::wrong::{GenerationFlaw, MonotonicFlaw};
    use dogpile_conformance::{generation, monotonic};
    let readme = include_str!("../README.md");
    for (module, count) in
        [("generation", generation::PROPERTIES.len()), ("monotonic", monotonic::PROPERTIES.len())]
    {
        assert!(readme.contains(&format!("| {count}, in [`{module}`]")), "{module}: {count}");
    }
    let flaws = GenerationFlaw::ALL.len() + MonotonicFlaw::ALL.len();
    assert!(readme.contains(&format!("and {flaws} more with `sessions`")), "{flaws} flaws");
}

/// No name is twice in a list, and the README counts right.
#[test]
fn properties_are_counted() {
    use dogpile_conformance::wrong::*;
    use dogpile_conformance::{backend, codec, counter, lease, locator, lock, read_through};
    let lists = [
        ("backend", backend::PROPERTIES, BackendFlaw::ALL.len()),
        ("lock", lock::PROPERTIES, LockFlaw::ALL.len()),
        ("lease", lease::PROPERTIES, LeaseFlaw::ALL.len()),
        ("read_through", read_through::PROPERTIES, ReadThroughFlaw::ALL.len()),
        ("counter", counter::PROPERTIES, CounterFlaw::ALL.len()),
        ("codec", codec::PROPERTIES, CodecFlaw::ALL.len()),
        ("locator", locator::PROPERTIES, LocatorFlaw::ALL.len()),
    ];
    let readme = include_str!("../README.md");
    for (module, list, _) in lists {
        let different: std::collections::BTreeSet<_> = list.iter().collect();
        assert_eq!(different.len(), list.len());
        assert!(readme.contains(&format!("| {}, in [`{module}`]", list.len())), "{module}");
    }
    let flaws: usize = lists.iter().map(|(_, _, flaws)| flaws).sum();
    assert!(readme.contains(&format!("with {flaws} flaws")), "{flaws} flaws");
}
