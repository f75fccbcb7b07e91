//! Lookups allocate nothing, and points stay small.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use shard_ring::{Ketama, Node, Profile, Ring, Spread};

const PROFILES: [Profile; 4] = [
    Profile::md5(),
    Profile::native(),
    Profile::ketama(Ketama::LibmemcachedWeighted),
    Profile::ketama(Ketama::Twemproxy),
];

fn ring(profile: Profile, count: usize) -> Ring<usize> {
    let node = |at| Node::new(format!("node{at}:11211"), at).with_zone(format!("{}", at % 50));
    Ring::with_nodes(profile, (0..count).map(node)).unwrap()
}

#[test]
fn lookups_allocate_nothing() {
    for profile in PROFILES {
        let ring = ring(profile, 100);
        ring.mark_down("node7:11211").unwrap();
        let keys: Vec<String> = (0..500).map(|key| "k".repeat(key)).collect();
        let counted = allocation_counter::measure(|| {
            for key in &keys {
                let position = ring.profile().position(key.as_bytes());
                assert_eq!(ring.node(key), ring.node_at(position));
                assert_eq!(ring.owners(key).take(40).count(), 40);
                let zones = ring.owners(key).across_zones(Spread::BestEffort);
                assert_eq!(zones.take(60).count(), 60);
                assert!(ring.acquire(key, 125).is_ok());
            }
        });
        assert_eq!(counted.count_total, 0, "{profile}");
    }
}

#[cfg(feature = "snapshot")]
#[test]
fn loading_a_snapshot_allocates_nothing() {
    let snapshot = shard_ring::Snapshot::new(ring(Profile::native(), 100));
    assert!(snapshot.load().node("warm up").is_some());
    let counted = allocation_counter::measure(|| {
        assert!(snapshot.load().node("key").is_some());
    });
    assert_eq!(counted.count_total, 0);
}

#[cfg(feature = "dogpile")]
#[test]
fn locating_allocates_nothing() {
    use dogpile_core::Locator;

    let ring = ring(Profile::native(), 100);
    let counted = allocation_counter::measure(|| {
        assert!(ring.locate(b"key").is_some());
        assert_eq!(ring.replicas(b"key", &mut [0; 100]), 100);
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_point_takes_at_most_twelve_bytes_however_the_ring_was_built() {
    for profile in PROFILES {
        for count in [10, 100, 1_000] {
            let mut ring = ring(profile, count);
            for _ in 0..2 {
                let most = 12 * ring.point_count() + 64;
                assert!(ring.point_bytes() <= most, "{profile}: {} > {most}", ring.point_bytes());
                ring.remove("node1:11211").unwrap();
                ring.insert("node1:11211", 1).unwrap();
            }
        }
    }
}
