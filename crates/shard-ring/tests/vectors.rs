//! The routing of the real programs: the published md5 recipe, libketama, libmemcached, twemproxy.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::Value;
use shard_ring::{Ketama, Node, Profile, Ring};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn node(number: u64) -> (String, u64) {
    (format!("node{number}"), number)
}

fn routes(ring: &Ring<u64>, keys: &[String]) -> Vec<u64> {
    let one_by_one: Vec<u64> = keys.iter().map(|key| *ring.node(key).unwrap().payload()).collect();
    let at_once = ring.nodes(keys).into_iter().map(|node| *node.unwrap().payload());
    assert!(at_once.eq(one_by_one.iter().copied()));
    one_by_one
}

#[test]
fn the_md5_ring_is_the_published_one() {
    let cases = read(include_str!("data/md5_ring.json"));
    let keys = texts(&cases["keys"]);
    let mut checked = 0;
    for case in cases["rings"].as_array().unwrap() {
        let count = case["nodes"].as_u64().unwrap();
        let mut ring = Ring::with_nodes(Profile::md5(), (1..=count).map(node)).unwrap();
        assert_eq!(ring.point_count() as u64, case["points"].as_u64().unwrap());
        assert_eq!(routes(&ring, &keys), numbers(&case["routes"]), "{count} nodes");
        let points: Vec<String> =
            ring.ranges().map(|(range, _)| range.first).map(|first| first.to_string()).collect();
        // Ranges begin at points; where two neighbours have one owner the second is not seen.
        let first = case["first_point_hex"].as_str().unwrap();
        let last = case["last_point_hex"].as_str().unwrap();
        if count > 1 {
            assert!(points[1..].iter().all(|point| &**point >= first && &**point <= last));
        }

        for step in case["after"].as_array().unwrap() {
            if let Some(removed) = step.get("removed") {
                for number in numbers(removed) {
                    ring.remove(&node(number).0).unwrap();
                }
                assert_eq!(ring.point_count() as u64, step["points"].as_u64().unwrap());
                assert_eq!(routes(&ring, &keys), numbers(&step["routes"]));
            } else {
                for number in numbers(&step["re_added"]) {
                    ring.insert(node(number).0, number).unwrap();
                }
                assert_eq!(routes(&ring, &keys), numbers(&case["routes"]));
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}

#[test]
fn a_key_that_lies_on_a_point_of_the_md5_ring_goes_to_the_next() {
    let cases = read(include_str!("data/md5_ring.json"));
    let ring = Ring::with_nodes(Profile::md5(), (1..=10).map(node)).unwrap();
    for key in texts(&cases["keys_that_differ_if_lower_bound_is_used_10_nodes"]) {
        let (name, _) = key.split_once(':').unwrap();
        assert_ne!(ring.node(&key).unwrap().name(), name, "{key}");
    }
}

/// The dialect of a label in the file, whether its servers have names, and whether it can be asked
/// with weights above 1.
fn dialect(label: &str) -> (Ketama, bool) {
    match label {
        "libmemcached_weighted" => (Ketama::LibmemcachedWeighted, false),
        "libmemcached_ketama_hash_md5" => (Ketama::LibmemcachedMd5, false),
        "libmemcached_ketama_default_hash" => (Ketama::Libmemcached, false),
        "libmemcached_ketama_spy_weighted" => (Ketama::Spymemcached, false),
        "libketama" => (Ketama::Libketama, false),
        "twemproxy_md5" => (Ketama::TwemproxyMd5, false),
        "twemproxy_default_fnv1a_64" => (Ketama::Twemproxy, false),
        "twemproxy_md5_named_server1..N" => (Ketama::TwemproxyNamedMd5, true),
        other => panic!("an unknown label: {other}"),
    }
}

#[test]
fn every_dialect_of_ketama_routes_as_its_program() {
    let cases = read(include_str!("data/ketama.json"));
    let mut keys = texts(&cases["keys"]);
    keys.extend((0..1_000).map(|number| format!("k{number}")));
    let mut checked = 0;
    for (set, case) in cases["sets"].as_object().unwrap() {
        let servers = case["servers"].as_array().unwrap();
        for (label, expected) in case["routes"].as_object().unwrap() {
            let (dialect, named) = dialect(label);
            let nodes = servers.iter().zip(0..).map(|(server, number)| {
                let host = server["host"].as_str().unwrap();
                let name = match named {
                    true => format!("server{}", number + 1),
                    false => format!("{host}:{}", server["port"]),
                };
                let weight = u32::try_from(server["weight"].as_u64().unwrap()).unwrap();
                Node::new(name, number).with_weight(weight)
            });
            let ring = Ring::with_nodes(Profile::ketama(dialect), nodes).unwrap();
            let mut routes_of_program = numbers(&expected["first20"]);
            let letters = expected["k0_k999"].as_str().unwrap().chars();
            routes_of_program.extend(letters.map(|letter| u64::from(letter.to_digit(36).unwrap())));
            assert_eq!(routes_of_program.len(), 1_020);
            assert_eq!(routes(&ring, &keys), routes_of_program, "{set} {label}");
            if label == "libketama" {
                let points = format!("points {} ", ring.point_count());
                let info = expected["info"].as_str().unwrap();
                assert!(info.starts_with(&points) || points == format!("{info} "), "{info}");
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 24);
}

#[test]
fn the_native_ring_routes_as_it_always_did() {
    let nodes = [("a", 1), ("b", 2), ("c", 1), ("d", 1)]
        .map(|(name, weight)| Node::new(name, name).with_weight(weight));
    let ring = Ring::with_nodes(Profile::native(), nodes).unwrap();
    let routes: String =
        (0..64).map(|number| *ring.node(&format!("key-{number}")).unwrap().payload()).collect();
    assert_eq!(routes, "cdacbadbbdbcadbbbadcdcdcdbdbcabdbbbbbcdbbbbbbddbaacdbddbcbdabbbd");
}
