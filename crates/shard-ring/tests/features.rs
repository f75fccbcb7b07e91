//! What stands behind features: snapshots, serde, and the locator of the dogpile family.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "dogpile")]
mod locator {
    use dogpile_conformance::Subject;
    use dogpile_core::Locator;
    use shard_ring::{Ketama, Profile, Ring};

    fn ring(profile: Profile, count: usize) -> Ring<()> {
        Ring::with_nodes(profile, (0..count).map(|at| (format!("node{at}:11211"), ()))).unwrap()
    }

    fn subject(profile: Profile, count: usize) -> Subject<Ring<()>> {
        Subject::new(ring(profile, count)).with_other(ring(profile, count))
    }

    mod native {
        use super::*;
        dogpile_conformance::locator_suite!(async { subject(Profile::native(), 9) });
    }

    mod md5 {
        use super::*;
        dogpile_conformance::locator_suite!(async { subject(Profile::md5(), 9) });
    }

    mod ketama {
        use super::*;
        const PROFILE: Profile = Profile::ketama(Ketama::LibmemcachedWeighted);
        dogpile_conformance::locator_suite!(async { subject(PROFILE, 20) });
    }

    mod of_nothing {
        use super::*;
        dogpile_conformance::locator_suite!(async { subject(Profile::native(), 0) });
    }

    mod some_down {
        use super::*;

        fn some_down() -> Subject<Ring<()>> {
            let ring = ring(Profile::native(), 9);
            ring.mark_down("node3:11211").unwrap();
            ring.mark_down("node4:11211").unwrap();
            Subject::new(ring.clone()).with_other(ring)
        }

        dogpile_conformance::locator_suite!(async { some_down() }, except = [keys_are_spread]);
    }

    #[test]
    fn nodes_that_are_down_come_last_and_own_a_key_only_where_all_are_down() {
        let ring = ring(Profile::native(), 3);
        let mut before = [0; 3];
        ring.replicas(b"key", &mut before);
        ring.mark_down(&format!("node{}:11211", before[0])).unwrap();
        let mut after = [0; 3];
        assert_eq!(ring.replicas(b"key", &mut after), 3);
        assert_eq!(after, [before[1], before[2], before[0]]);
        ring.iter().for_each(|node| drop(ring.mark_down(node.name())));
        assert_eq!(ring.locate(b"key"), Some(before[0]));
    }
}

#[cfg(feature = "serde")]
mod serde {
    use shard_ring::{Ketama, Node, Profile, Ring};

    #[test]
    fn a_membership_comes_back_as_it_was() {
        for profile in [Profile::md5().with_points(7).unwrap(), Profile::ketama(Ketama::Twemproxy)]
        {
            let nodes = [
                Node::new("b:1", "host b".to_owned()).with_weight(3),
                Node::new("a:1", "host a".to_owned()).with_zone("north"),
            ];
            let ring = Ring::with_nodes(profile, nodes).unwrap();
            let text = serde_json::to_string(&ring).unwrap();
            let again: Ring<String> = serde_json::from_str(&text).unwrap();
            assert!(ring.iter().eq(again.iter()));
            assert_eq!(ring.fingerprint(), again.fingerprint());
            let again: Ring<String> = serde_json::from_reader(text.as_bytes()).unwrap();
            assert_eq!(ring.fingerprint(), again.fingerprint());
        }
    }

    #[test]
    fn the_form_has_no_points_and_stays_as_it_is() {
        let ring =
            Ring::with_nodes(Profile::md5(), [Node::new("a", 1), Node::new("b", 2)]).unwrap();
        let form = r#"{"profile":"md5-be128/100","nodes":[{"name":"a","weight":1,"zone":null,"payload":1},{"name":"b","weight":1,"zone":null,"payload":2}]}"#;
        assert_eq!(serde_json::to_string(&ring).unwrap(), form);
        let short = r#"{"profile":"md5-be128/100","nodes":[{"name":"b","payload":2},{"name":"a","payload":1}]}"#;
        let short: Ring<u8> = serde_json::from_str(short).unwrap();
        assert_eq!(short.fingerprint(), ring.fingerprint());
    }

    #[test]
    fn what_no_ring_can_be_is_refused() {
        for (wrong, said) in [
            (r#"{"profile":"md5","nodes":[]}"#, "no profile"),
            (r#"{"profile":"md5-be128/0","nodes":[]}"#, "at least one point"),
            (r#"{"profile":"ketama-spy","nodes":[{"name":"a","payload":1}]}"#, "host:port"),
            (
                r#"{"profile":"xxh3-64-v1/9","nodes":[{"name":"a","payload":1},{"name":"a","payload":1}]}"#,
                "already",
            ),
            (
                r#"{"profile":"xxh3-64-v1/9","nodes":[{"name":"a","weight":0,"payload":1}]}"#,
                "weight 0",
            ),
            (r#"{"profile":"xxh3-64-v1/9","nodes":[{"name":"a","weight":-1,"payload":1}]}"#, "u32"),
            (
                r#"{"profile":"xxh3-64-v1/9","nodes":[{"name":"a","weight":1e300,"payload":1}]}"#,
                "u32",
            ),
        ] {
            let error = serde_json::from_str::<Ring<u8>>(wrong).unwrap_err().to_string();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}

#[cfg(feature = "snapshot")]
mod snapshot {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use shard_ring::{Error, Profile, Ring, Snapshot};

    #[test]
    fn readers_see_whole_rings_while_one_changes() {
        let nodes = (0..20).map(|at| (format!("stays{at}"), at));
        let ring = Snapshot::new(Ring::with_nodes(Profile::native(), nodes).unwrap());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    while !done.load(Ordering::Relaxed) {
                        let loaded = ring.load();
                        assert!(loaded.epoch() >= last);
                        last = loaded.epoch();
                        assert_eq!(loaded.point_count(), 100 * loaded.len());
                        assert!(loaded.node("key").is_some());
                    }
                });
            }
            for turn in 0..200 {
                let name = format!("comes and goes {turn}");
                ring.update(|ring| ring.insert(&*name, 0)).unwrap();
                ring.update(|ring| ring.remove(&name)).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!((ring.load().epoch(), ring.load().len()), (400, 20));
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let ring = Snapshot::new(Ring::with_nodes(Profile::md5(), [("a", 1)]).unwrap());
        let before = ring.load_full();
        let failed = ring.update(|ring| {
            ring.insert("b", 2)?;
            ring.insert("a", 3)
        });
        assert_eq!(failed, Err(Error::DuplicateName("a".into())));
        assert_eq!((ring.load().len(), ring.load().epoch()), (1, before.epoch()));
    }

    #[test]
    fn marks_and_permits_outlive_a_change() {
        let ring = Snapshot::new(Ring::with_nodes(Profile::md5(), [("a", 1), ("b", 2)]).unwrap());
        let old = ring.load_full();
        let (_, permit) = old.acquire("key", 125).unwrap();
        ring.update(|ring| ring.insert("c", 3)).unwrap();
        old.mark_down("a").unwrap();
        assert!(ring.load().is_down("a"));
        let permits = |name| ring.load().permits(name).unwrap();
        assert_eq!(permits("a") + permits("b"), 1);
        drop(permit);
        assert_eq!(permits("a") + permits("b"), 0);
        ring.store(Ring::new(Profile::md5()));
        assert!(ring.load().is_empty());
    }
}
