//! What every [`Locator`] has to do.
//!
//! Each function is one property. It panics with a sentence that says which behaviour is broken.
//! [`locator_suite!`](crate::locator_suite) makes a test of each. Run it on a locator of several nodes
//! and on one of none.

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

use std::collections::BTreeSet;

use dogpile_core::Locator;

use crate::Subject;
use crate::suite::properties;

properties! { __locator_properties,
    every_key_has_a_node
    a_key_stays_where_it_is
    keys_are_spread
    any_bytes_are_a_key
    replicas_are_different_nodes
    replicas_fill_what_there_is_room_for
    the_first_replica_is_the_owner
    fewer_replicas_are_the_first_of_more
}

fn keys() -> impl Iterator<Item = Vec<u8>> {
    (0..2_000).map(|at| format!("key {at}").into_bytes())
}

/// Every key has a node that there is; without nodes none has.
pub async fn every_key_has_a_node<L: Locator>(subject: &Subject<L>) {
    let nodes = subject.node_count();
    for key in keys() {
        let node = subject.locate(&key);
        match nodes {
            0 => assert!(node.is_none(), "a key was located on {node:?}, and there are no nodes"),
            _ => assert!(
                node.is_some_and(|node| node < nodes),
                "of {nodes} nodes a key has {node:?}"
            ),
        }
    }
}

/// A key has the same node whenever and through whichever handle it is asked for.
pub async fn a_key_stays_where_it_is<L: Locator>(subject: &Subject<L>) {
    let first: Vec<_> = keys().map(|key| subject.locate(&key)).collect();
    let again: Vec<_> = keys().map(|key| subject.locate(&key)).collect();
    assert!(first == again, "the same key was located on another node when asked for again");
    let other: Vec<_> = keys().map(|key| subject.other().locate(&key)).collect();
    assert!(first == other, "a key has another node for a second locator of the same nodes");
}

/// No node is forgotten: each of them has at least a quarter of its share of the keys. Decline it for
/// nodes of very different weights.
pub async fn keys_are_spread<L: Locator>(subject: &Subject<L>) {
    let mut owned = vec![0_usize; subject.node_count()];
    keys().filter_map(|key| subject.locate(&key)).for_each(|node| {
        if let Some(owned) = owned.get_mut(node) {
            *owned += 1;
        }
    });
    let share = 2_000 / owned.len().max(1);
    for (node, owned) in owned.into_iter().enumerate() {
        assert!(
            owned >= share / 4,
            "node {node} owns {owned} of 2,000 keys, and its share is {share}"
        );
    }
}

/// Nothing, binary bytes and a megabyte are keys like others.
pub async fn any_bytes_are_a_key<L: Locator>(subject: &Subject<L>) {
    for key in [&b""[..], b"\0", b"\xff\xfe", b"a\r\nb", &vec![7; 1 << 20]] {
        let node = subject.locate(key);
        let located = node.is_some_and(|node| node < subject.node_count());
        let right = located == (subject.node_count() > 0);
        assert!(right, "a key of {} bytes was located on {node:?}", key.len());
        let filled = subject.replicas(key, &mut [0; 2]);
        let expected = subject.node_count().min(2);
        assert!(
            filled == expected,
            "a key of {} bytes has {filled} of {expected} replicas",
            key.len()
        );
    }
}

/// The replicas of a key are different nodes, and nodes that there are.
pub async fn replicas_are_different_nodes<L: Locator>(subject: &Subject<L>) {
    for key in keys().take(300) {
        let replicas = replicas(subject, &key, subject.node_count());
        let different: BTreeSet<_> = replicas.iter().collect();
        assert!(
            different.len() == replicas.len(),
            "a node is twice among the replicas {replicas:?}"
        );
        let known = replicas.iter().all(|node| *node < subject.node_count());
        assert!(known, "of {} nodes, the replicas are {replicas:?}", subject.node_count());
    }
}

/// As many replicas as fit, or as there are nodes; what is behind them is not touched.
pub async fn replicas_fill_what_there_is_room_for<L: Locator>(subject: &Subject<L>) {
    const UNTOUCHED: usize = usize::MAX - 7;
    let nodes = subject.node_count();
    for key in keys().take(100) {
        for room in [0, 1, 2, nodes, nodes + 3] {
            let mut places = vec![UNTOUCHED; room];
            let filled = subject.replicas(&key, &mut places);
            let expected = room.min(nodes);
            assert!(
                filled == expected,
                "of {nodes} nodes, {filled} replicas were put into {room} places"
            );
            let (front, back) = places.split_at(filled);
            let right = !front.contains(&UNTOUCHED) && back.iter().all(|place| *place == UNTOUCHED);
            assert!(right, "{filled} replicas were told, and others were filled: {places:?}");
        }
    }
}

/// The first replica is the owner.
pub async fn the_first_replica_is_the_owner<L: Locator>(subject: &Subject<L>) {
    for key in keys() {
        let (owner, first) = (subject.locate(&key), replicas(subject, &key, 1).first().copied());
        assert!(
            owner == first,
            "a key is located on {owner:?}, and its first replica is {first:?}"
        );
    }
}

/// Who asks for fewer replicas gets the first of those who asks for more gets.
pub async fn fewer_replicas_are_the_first_of_more<L: Locator>(subject: &Subject<L>) {
    for key in keys().take(300) {
        let more = replicas(subject, &key, subject.node_count());
        for room in 0..=more.len() {
            let fewer = replicas(subject, &key, room);
            assert!(
                more.starts_with(&fewer),
                "{room} replicas are {fewer:?}, and more are {more:?}"
            );
        }
    }
}

fn replicas<L: Locator>(subject: &Subject<L>, key: &[u8], room: usize) -> Vec<usize> {
    let mut places = vec![0; room];
    let filled = subject.replicas(key, &mut places);
    assert!(filled <= room, "{filled} replicas were put into {room} places");
    places.truncate(filled);
    places
}
