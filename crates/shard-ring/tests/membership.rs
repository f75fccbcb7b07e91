//! The ring as a map: changes as a whole or not at all, and names and weights of every kind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use shard_ring::{Error, Ketama, Node, Profile, Ring};

const PROFILES: [Profile; 3] =
    [Profile::md5(), Profile::native(), Profile::ketama(Ketama::TwemproxyNamedMd5)];

fn routes<N>(ring: &Ring<N>) -> Vec<Option<String>> {
    (0..500)
        .map(|key| ring.node(&format!("key {key}")).map(|node| node.name().to_owned()))
        .collect()
}

#[test]
fn an_empty_ring_answers_nothing() {
    for profile in PROFILES {
        let mut ring = Ring::<()>::new(profile);
        assert!(ring.node("key").is_none() && ring.owners("key").next().is_none());
        assert_eq!(ring.nodes(&["a", "b"]), [None, None]);
        assert_eq!(ring.remove("a"), Err(Error::UnknownName("a".into())));
        assert_eq!(ring.acquire("key", 125).map(|_| ()), Err(Error::Empty));
        assert!(ring.stats().shares().is_empty() && ring.stats().peak() == 0.0);
        assert_eq!(ring.diff(&ring), Err(Error::Empty));

        ring.insert("a", ()).unwrap();
        assert!(ring.node("key").is_some());
        ring.remove("a").unwrap();
        assert!(ring.node("key").is_none() && ring.is_empty());
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    for profile in PROFILES {
        let mut ring = Ring::with_nodes(profile, [("a", 1), ("b", 2)]).unwrap();
        let before = (routes(&ring), ring.fingerprint(), ring.epoch(), ring.len());
        let zero = Node::new("z", 0).with_weight(0);
        assert_eq!(ring.insert("a", 3), Err(Error::DuplicateName("a".into())));
        assert_eq!(ring.extend([("c", 3), ("b", 4)]), Err(Error::DuplicateName("b".into())));
        assert_eq!(ring.extend([("c", 3), ("c", 4)]), Err(Error::DuplicateName("c".into())));
        assert_eq!(ring.insert_node(zero), Err(Error::ZeroWeight("z".into())));
        assert_eq!(ring.set_weight("a", 0), Err(Error::ZeroWeight("a".into())));
        assert_eq!(ring.set_weight("x", 1), Err(Error::UnknownName("x".into())));
        assert_eq!(ring.remove("x"), Err(Error::UnknownName("x".into())));
        assert_eq!(ring.mark_down("x"), Err(Error::UnknownName("x".into())));
        assert_eq!((routes(&ring), ring.fingerprint(), ring.epoch(), ring.len()), before);
    }
}

#[test]
fn a_weight_beyond_all_measure_is_refused_at_once() {
    let huge = || Node::new("huge", 0).with_weight(u32::MAX);
    for profile in [Profile::md5(), Profile::native()] {
        let mut ring = Ring::with_nodes(profile, [("a", 1)]).unwrap();
        assert_eq!(ring.insert_node(huge()), Err(Error::TooLarge));
        assert_eq!(ring.extend([huge()]), Err(Error::TooLarge));
        assert_eq!(ring.set_weight("a", u32::MAX), Err(Error::TooLarge));
        let most = profile.with_points(u32::MAX).unwrap();
        assert_eq!(Ring::with_nodes(most, [huge()]).map(|_| ()), Err(Error::TooLarge));
    }
    // In ketama a weight is a share of what there is.
    let ketama = Profile::ketama(Ketama::TwemproxyNamed);
    let mut ring = Ring::with_nodes(ketama, [("a", 1)]).unwrap();
    ring.insert_node(huge()).unwrap();
    assert_eq!(ring.node("key").map(|node| node.name()), Some("huge"));
    assert_eq!(ring.owners("key").count(), 1, "rounding leaves the other without a point");
}

#[test]
fn any_text_is_a_name_and_any_bytes_are_a_key() {
    let names = ["", ":", "-", "a:1", "a-1", "a", "a:", "1", "é", "日本語", "a\n\0b", "🦀"];
    let long = "x".repeat(1_000);
    for profile in PROFILES {
        let names = names.iter().copied().chain([&*long]);
        let ring = Ring::with_nodes(profile, names.clone().map(|name| (name, ()))).unwrap();
        for name in names {
            assert_eq!(ring.get_node(name).map(Node::name), Some(name));
        }
        for key in [&b""[..], b"\0", b"\xff\xfe", &[0x80; 300], &vec![7; 1 << 20]] {
            assert!(ring.node(key).is_some());
        }
        let owners: std::collections::BTreeSet<_> = routes(&ring).into_iter().collect();
        assert!(owners.len() > 10, "of 13 nodes, {} own something", owners.len());
    }
}

#[test]
fn ketama_hashes_addresses_and_says_so() {
    for dialect in
        [Ketama::Libketama, Ketama::Libmemcached, Ketama::Spymemcached, Ketama::Twemproxy]
    {
        let mut ring = Ring::new(Profile::ketama(dialect));
        for wrong in ["", "a", "a:", ":80", "a:b", "a:080", "a:65536", "a:-1"] {
            assert_eq!(ring.insert(wrong, ()), Err(Error::BadAddress(wrong.into())));
        }
        ring.extend([("a:11211", ()), ("::1:80", ())]).unwrap();
        assert_eq!(Profile::ketama(dialect).with_points(3), Err(Error::FixedPoints));
    }
}

#[test]
fn the_map_keeps_the_order_of_insertion_and_numbers_it() {
    for profile in PROFILES {
        let mut ring = Ring::new(profile);
        for name in ["d", "b", "c", "a"] {
            ring.insert(name, name.to_uppercase()).unwrap();
        }
        ring.remove("b").unwrap();
        ring.insert("b", "again".to_owned()).unwrap();
        let names: Vec<_> = ring.iter().map(Node::name).collect();
        assert_eq!(names, ["d", "c", "a", "b"]);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(ring.number(name), Some(number));
        }
        assert_eq!(ring.get("c").map(String::as_str), Some("C"));
        *ring.get_mut("c").unwrap() = "moved".to_owned();
        assert_eq!(ring.get("c").map(String::as_str), Some("moved"));
        assert_eq!(ring.epoch(), 6);
        assert_eq!(ring.set_weight("a", 3), Ok(1));
        assert_eq!((ring.epoch(), ring.get_node("a").unwrap().weight()), (7, 3));
    }
}

#[test]
fn a_hundred_thousand_nodes_are_a_ring() {
    let begun = Instant::now();
    let few = Profile::native().with_points(20).unwrap();
    let nodes = (0..100_000).map(|at| (format!("node{at}"), at));
    let mut ring = Ring::with_nodes(few, nodes).unwrap();
    assert_eq!(ring.point_count(), 2_000_000);
    let owner = ring.node("key").unwrap().name().to_owned();
    ring.remove(&owner).unwrap();
    assert_ne!(ring.node("key").unwrap().name(), owner);
    ring.insert(&*owner, 0).unwrap();
    assert_eq!(ring.node("key").unwrap().name(), owner);
    assert_eq!(ring.owners("key").take(20).count(), 20);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn fingerprints_tell_memberships_apart_and_orders_not() {
    let ring = |profile, nodes: &[&str]| {
        Ring::with_nodes(profile, nodes.iter().map(|name| (*name, ()))).unwrap().fingerprint()
    };
    let [md5, native, ketama] = PROFILES;
    assert_eq!(ring(md5, &["a", "b", "c"]), ring(md5, &["c", "a", "b"]));
    let mut different = vec![
        ring(md5, &[]),
        ring(md5, &["a", "b"]),
        ring(md5, &["ab"]),
        ring(md5, &["ba"]),
        ring(native, &["a", "b"]),
        ring(ketama, &["a", "b"]),
        ring(md5.with_points(101).unwrap(), &["a", "b"]),
    ];
    for node in [Node::new("b", ()).with_weight(2), Node::new("b", ()).with_zone("")] {
        different.push(Ring::with_nodes(md5, [Node::new("a", ()), node]).unwrap().fingerprint());
    }
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 9);
}

#[test]
fn profiles_have_names_that_lead_back() {
    let all = "md5-be128/7 xxh3-64-v1/100 ketama-libketama ketama-libmemcached ketama-spy \
               ketama-libmemcached-md5 ketama-libmemcached-weighted ketama-twemproxy \
               ketama-twemproxy-md5 ketama-twemproxy-named ketama-twemproxy-named-md5";
    for name in all.split_whitespace() {
        assert_eq!(name.parse::<Profile>().unwrap().to_string(), name);
    }
    for wrong in ["", "md5", "md5-be128/x", "md5-be128/", "ketama"] {
        assert_eq!(wrong.parse::<Profile>(), Err(Error::UnknownProfile(wrong.into())));
    }
    assert_eq!("md5-be128/0".parse::<Profile>(), Err(Error::ZeroReplicas));
    assert_eq!("ketama-spy/3".parse::<Profile>(), Err(Error::FixedPoints));
}
