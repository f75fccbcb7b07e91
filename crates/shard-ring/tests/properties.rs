//! What holds for every ring.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use shard_ring::{Ketama, Node, Position, Profile, Ring};

/// Profiles in which a node's points depend on it alone, with few points so that trials are quick.
fn profile() -> impl Strategy<Value = Profile> {
    let points = |profile: Profile| move |points| profile.with_points(points).unwrap();
    prop_oneof![
        (1_u32..20).prop_map(points(Profile::md5())),
        (1_u32..20).prop_map(points(Profile::native())),
    ]
}

fn nodes() -> impl Strategy<Value = Vec<Node<()>>> {
    btree_map("[a-c:-]{0,4}", 1_u32..6, 1..12).prop_map(|nodes| {
        nodes.into_iter().map(|(name, weight)| Node::new(name, ()).with_weight(weight)).collect()
    })
}

fn keys() -> impl Iterator<Item = String> {
    (0..300).map(|key| format!("key {key}"))
}

fn owner<'r>(ring: &'r Ring<()>, key: &str) -> Option<&'r str> {
    ring.node(key).map(Node::name)
}

/// The first point after a key, or at or after it, by trying all.
fn naive(profile: Profile, nodes: &[Node<()>], position: Position) -> Option<String> {
    let mut points: Vec<(Position, &str)> = Vec::new();
    for node in nodes {
        for replica in 0..profile.points()? * node.weight() {
            let point = if profile.name() == "md5-be128" {
                profile.position(format!("{}:{replica}", node.name()).as_bytes())
            } else {
                let seed = u64::from(replica) + 1;
                let hash = xxhash_rust::xxh3::xxh3_64_with_seed(node.name().as_bytes(), seed);
                Position::from_u64(hash)
            };
            points.push((point, node.name()));
        }
    }
    points.sort();
    let strict = profile.name() == "md5-be128";
    let after = |point: &&(Position, &str)| point.0 > position || !strict && point.0 == position;
    points.iter().find(after).or(points.first()).map(|(_, name)| (*name).to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_key_belongs_to_the_first_point_behind_it(profile in profile(), nodes in nodes()) {
        let ring = Ring::with_nodes(profile, nodes.clone()).unwrap();
        for key in keys().take(40) {
            let expected = naive(profile, &nodes, profile.position(key.as_bytes()));
            prop_assert_eq!(owner(&ring, &key), expected.as_deref());
        }
        // And those that lie on a point.
        for node in &nodes {
            let key = format!("{}:0", node.name());
            let expected = naive(profile, &nodes, profile.position(key.as_bytes()));
            prop_assert_eq!(owner(&ring, &key), expected.as_deref());
        }
    }

    #[test]
    fn the_order_of_changes_does_not_matter(
        profile in profile(), nodes in nodes(), seed in any::<u64>(), gone in vec("[d-f]{1,3}", 0..4),
    ) {
        let built = Ring::with_nodes(profile, nodes.clone()).unwrap();
        let mut shuffled = nodes;
        shuffled.sort_by_key(|node| seed.wrapping_mul(node.name().len() as u64 * 2 + 1) ^ seed.rotate_left(u32::from(node.name().bytes().last().unwrap_or(0))));
        let mut grown = Ring::new(profile);
        for name in &gone {
            let _ = grown.insert(&**name, ());
        }
        for node in shuffled {
            grown.insert_node(node.clone().with_weight(7)).unwrap();
            grown.set_weight(node.name(), node.weight()).unwrap();
        }
        for name in &gone {
            let _ = grown.remove(name);
        }
        prop_assert_eq!(built.fingerprint(), grown.fingerprint());
        prop_assert!(built.diff(&grown).unwrap().moves().is_empty());
        for key in keys() {
            let owners = |ring: &Ring<()>| ring.owners(&key).map(|node| node.name().to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(owners(&built), owners(&grown));
        }
    }

    #[test]
    fn a_change_of_one_node_moves_keys_only_from_it_or_to_it(
        profile in profile(), nodes in nodes(), which in any::<prop::sample::Index>(), weight in 1_u32..9,
    ) {
        let name = which.get(&nodes).name().to_owned();
        let before = Ring::with_nodes(profile, nodes).unwrap();
        let mut heavier = before.clone();
        let old = heavier.set_weight(&name, weight).unwrap();
        let mut without = before.clone();
        without.remove(&name).unwrap();
        for step in before.diff(&heavier).unwrap().moves() {
            prop_assert_eq!(if weight > old { step.to } else { step.from }, &name);
        }
        if !without.is_empty() {
            for step in before.diff(&without).unwrap().moves() {
                prop_assert_eq!(step.from, &name);
            }
            for step in without.diff(&before).unwrap().moves() {
                prop_assert_eq!(step.to, &name);
            }
        }
    }

    #[test]
    fn a_plan_tells_of_every_key_whether_it_moves(profile in profile(), old in nodes(), new in nodes()) {
        let old = Ring::with_nodes(profile, old).unwrap();
        let new = Ring::with_nodes(profile, new).unwrap();
        let plan = old.diff(&new).unwrap();
        for key in keys() {
            let step = plan.at(profile.position(key.as_bytes()));
            let during = shard_ring::owners_during(&old, &new, &key);
            prop_assert_eq!(during.new.map(Node::name), owner(&new, &key));
            match step {
                Some(step) => {
                    prop_assert_eq!((Some(step.from), Some(step.to)), (owner(&old, &key), owner(&new, &key)));
                    prop_assert_eq!(during.old.map(Node::name), Some(step.from));
                }
                None => {
                    prop_assert_eq!(owner(&old, &key), owner(&new, &key));
                    prop_assert!(during.old.is_none());
                }
            }
        }
        for pair in plan.moves().windows(2) {
            prop_assert!(pair[0].range.last < pair[1].range.first);
            let touching = pair[0].range.last.bits() + 1 == pair[1].range.first.bits();
            prop_assert!(!touching || (pair[0].from, pair[0].to) != (pair[1].from, pair[1].to));
        }
        let total: f64 = plan.totals().iter().map(|(_, _, share)| share).sum();
        prop_assert!((total - plan.share()).abs() < 1e-9 && plan.share() < 1.0 + 1e-9);
    }

    #[test]
    fn shares_are_those_of_the_ranges(profile in profile(), nodes in nodes()) {
        let ring = Ring::with_nodes(profile, nodes).unwrap();
        let stats = ring.stats();
        let total: f64 = stats.shares().iter().map(|share| share.share).sum();
        prop_assert!((total - 1.0).abs() < 1e-9);
        for share in stats.shares() {
            let ranges = ring.ranges().filter(|(_, node)| node.name() == share.name);
            let sum: f64 = ranges.map(|(range, _)| range.share()).sum();
            prop_assert!((sum - share.share).abs() < 1e-9);
        }
    }

    #[test]
    fn ketama_is_the_same_however_it_was_reached(nodes in nodes(), gone in "[d-f]{1,3}") {
        let profile = Profile::ketama(Ketama::TwemproxyNamed);
        let built = Ring::with_nodes(profile, nodes.clone()).unwrap();
        let mut grown = Ring::new(profile);
        grown.insert(&*gone, ()).unwrap();
        for node in nodes.into_iter().rev() {
            grown.insert_node(node).unwrap();
        }
        grown.remove(&gone).unwrap();
        prop_assert!(built.diff(&grown).unwrap().moves().is_empty());
    }
}
