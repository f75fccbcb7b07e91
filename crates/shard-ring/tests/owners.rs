//! Owners in order: distinct, in zones, past nodes that are down; and the bound of their loads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::thread;

use shard_ring::{Error, Node, Profile, Ring, Spread};

fn ring(count: usize, zones: usize) -> Ring<usize> {
    let node = |at| Node::new(format!("node{at}"), at).with_zone(format!("zone{}", at % zones));
    Ring::with_nodes(Profile::native(), (0..count).map(node)).unwrap()
}

fn keys() -> impl Iterator<Item = String> {
    (0..200).map(|key| format!("key {key}"))
}

fn names<'r>(nodes: impl Iterator<Item = &'r Node<usize>>) -> Vec<&'r str> {
    nodes.map(Node::name).collect()
}

/// Clockwise by trying: the owner, then the owner without it, and so on.
fn by_removal(ring: &Ring<usize>, key: &str) -> Vec<String> {
    let mut ring = ring.clone();
    let mut owners = Vec::new();
    while let Some(owner) = ring.node(key).map(|node| node.name().to_owned()) {
        ring.remove(&owner).unwrap();
        owners.push(owner);
    }
    owners
}

#[test]
fn each_owner_is_who_owns_the_key_without_those_before() {
    for count in [1, 2, 15, 16, 17, 40] {
        let ring = ring(count, 3);
        for key in keys().take(10) {
            assert_eq!(names(ring.owners(&key)), by_removal(&ring, &key), "{count} nodes");
        }
    }
}

#[test]
fn it_ends_with_the_nodes() {
    let ring = ring(3, 3);
    for key in keys() {
        let mut owners = ring.owners(&key);
        assert_eq!(owners.by_ref().count(), 3);
        assert!(owners.next().is_none());
    }
}

#[test]
fn a_node_that_is_down_is_passed_over_and_the_others_keep_their_order() {
    let ring = ring(20, 4);
    let clone = ring.clone();
    for key in keys() {
        let all = names(ring.owners(&key));
        assert!(clone.mark_down(all[0]).unwrap() && !ring.mark_down(all[0]).unwrap());
        clone.mark_down(all[2]).unwrap();
        assert!(ring.is_down(all[0]) && !ring.is_down(all[1]));
        let up: Vec<_> = all.iter().copied().filter(|name| !ring.is_down(name)).collect();
        assert_eq!(names(ring.owners(&key)), up);
        assert_eq!(ring.node(&key).map(Node::name), Some(all[1]));
        assert!(ring.mark_up(all[0]).unwrap() && ring.mark_up(all[2]).unwrap());
        assert_eq!(names(ring.owners(&key)), all);
    }
    ring.iter().for_each(|node| assert!(ring.mark_down(node.name()).unwrap()));
    assert!(ring.node("key").is_none() && ring.owners("key").next().is_none());
}

#[test]
fn a_node_that_is_removed_while_down_is_no_burden() {
    let mut ring = ring(3, 3);
    ring.mark_down("node1").unwrap();
    ring.remove("node1").unwrap();
    ring.insert("node1", 1).unwrap();
    assert!(!ring.is_down("node1"));
    assert_eq!(ring.owners("key").count(), 3);
}

#[test]
fn zones_are_distinct_first() {
    for (count, zones) in [(12, 3), (6, 6), (5, 1), (60, 20), (100, 30)] {
        let ring = ring(count, zones);
        for key in keys().take(30) {
            let all = names(ring.owners(&key));
            let zone = |name: &&str| ring.get_node(name).and_then(Node::zone).unwrap();
            let mut firsts: Vec<&str> = Vec::new();
            for name in &all {
                if !firsts.iter().any(|first| zone(first) == zone(name)) {
                    firsts.push(name);
                }
            }
            let strict = names(ring.owners(&key).across_zones(Spread::Strict));
            assert_eq!(strict, firsts, "{count} nodes in {zones} zones");
            let rest = all.iter().copied().filter(|name| !firsts.contains(name));
            let best: Vec<&str> = firsts.iter().copied().chain(rest).collect();
            assert_eq!(names(ring.owners(&key).across_zones(Spread::BestEffort)), best);
        }
    }
}

#[test]
fn a_zone_that_is_down_is_passed_over() {
    for (count, zones) in [(12, 3), (100, 30)] {
        let ring = ring(count, zones);
        let down = ring.iter().filter(|node| node.zone() == Some("zone1"));
        down.for_each(|node| assert!(ring.mark_down(node.name()).unwrap()));
        for key in keys().take(20) {
            let strict = ring.owners(&key).across_zones(Spread::Strict);
            assert_eq!(strict.count(), zones - 1);
            let best = ring.owners(&key).across_zones(Spread::BestEffort);
            assert_eq!(best.count(), count - count.div_ceil(zones).min(count / zones + 1));
        }
    }
}

#[test]
fn nodes_in_no_zone_are_zones_of_their_own() {
    let ring = Ring::with_nodes(Profile::md5(), (0..30).map(|at| (format!("{at}"), at))).unwrap();
    assert_eq!(ring.owners("key").across_zones(Spread::Strict).count(), 30);
}

#[test]
fn no_node_has_more_than_its_bound() {
    for percent in [100, 110, 125, 300] {
        let ring = ring(10, 2);
        let mut permits = Vec::new();
        for key in keys().flat_map(|key| [key, "hot".to_owned()]) {
            permits.push(ring.acquire(&key, percent).unwrap().1);
            let cap = (permits.len() * percent as usize).div_ceil(10 * 100);
            for node in ring.iter() {
                assert!(ring.permits(node.name()).unwrap() <= cap, "{percent} %");
            }
        }
        drop(permits);
        assert!(ring.iter().all(|node| ring.permits(node.name()) == Some(0)));
    }
}

#[test]
fn a_key_spills_over_to_its_owners_in_order() {
    let ring = ring(5, 1);
    let order = names(ring.owners("hot"));
    let mut permits = Vec::new();
    let mut first_use: Vec<String> = Vec::new();
    for _ in 0..50 {
        let (node, permit) = ring.acquire("hot", 125).unwrap();
        if !first_use.iter().any(|name| name == node.name()) {
            first_use.push(node.name().to_owned());
        }
        permits.push(permit);
    }
    assert!(order.iter().copied().zip(&first_use).all(|(order, used)| order == used));
    assert!(first_use.len() >= 4);
}

#[test]
fn bounds_go_by_weight_among_those_that_are_up() {
    let nodes = [("a", 3), ("b", 1), ("c", 1)];
    let nodes = nodes.map(|(name, weight)| Node::new(name, 0).with_weight(weight));
    let ring = Ring::with_nodes(Profile::native(), nodes).unwrap();
    ring.mark_down("c").unwrap();
    let permits: Vec<_> = (0..40).map(|_| ring.acquire("hot", 100).unwrap()).collect();
    let counted: Vec<_> = ["a", "b", "c"].iter().map(|name| ring.permits(name)).collect();
    assert_eq!(counted, [Some(30), Some(10), Some(0)]);
    drop(permits);
    assert_eq!(ring.acquire("hot", 99).map(|_| ()), Err(Error::BoundTooLow(99)));
    ring.mark_down("a").unwrap();
    ring.mark_down("b").unwrap();
    assert_eq!(ring.acquire("hot", 100).map(|_| ()), Err(Error::Empty));
}

#[test]
fn permits_are_counted_right_by_many_threads() {
    let ring = ring(4, 1);
    thread::scope(|scope| {
        for worker in 0..4 {
            let ring = ring.clone();
            scope.spawn(move || {
                for turn in 0..2_000 {
                    let held: Vec<_> = (0..3)
                        .map(|key| ring.acquire(&format!("{worker} {turn} {key}"), 100).unwrap())
                        .collect();
                    drop(held);
                }
            });
        }
    });
    let left: BTreeMap<_, _> =
        ring.iter().map(|node| (node.name(), ring.permits(node.name()))).collect();
    assert!(left.values().all(|permits| *permits == Some(0)), "{left:?}");
}
