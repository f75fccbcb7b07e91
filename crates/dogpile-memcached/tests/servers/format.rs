//! What a server keeps is what the page on the format shows.

use bytes::Bytes;
use dogpile_core::{Backend, Entry, Key, SetOptions, Timestamp};

use crate::open;

const PAGE: &str = include_str!("../../../../docs/formats/memcached.md");

/// The flags and the bytes of each example.
fn shown() -> Vec<(u32, Vec<u8>)> {
    let after = PAGE.lines().filter_map(|line| line.split_once("flags d0")).map(|(_, rest)| rest);
    let example = |line: &str| {
        let mut words = line.split_whitespace();
        let flags = u32::from_str_radix(&format!("d0{}", words.next()?), 16).ok()?;
        let bytes: Option<Vec<u8>> = words.map(|word| u8::from_str_radix(word, 16).ok()).collect();
        Some((flags, bytes.filter(|bytes| !bytes.is_empty())?))
    };
    after.filter_map(example).collect()
}

#[tokio::test]
async fn the_examples_of_the_page_are_what_a_server_keeps() {
    let (server, memcached) = open().await;
    let value = Bytes::from_static(b"\xa5value");
    let created = Timestamp::from_millis(1_700_000_000_250);
    let plain = Entry::new(created, value.clone());
    let all = plain.clone().with_expires(Timestamp::from_millis(1_700_000_300_250)).with_version(7);
    let numbered = memcached.clone().with_codec_number(7);

    let mut kept = Vec::new();
    for (of, name, entry) in [(&memcached, "user(15", &plain), (&numbered, "all", &all)] {
        of.set_many(&[(Key::name(name), entry.clone())], &SetOptions::new()).await.unwrap();
        let (stored, flags) = server.wire().get(name).unwrap();
        kept.push((flags, stored));
        assert_eq!(of.get(Key::name(name)).await.unwrap().as_ref(), Some(entry));
    }
    assert_eq!(kept, shown());

    for (key, name) in [(Key::name("a b"), "~bbmEgYg"), (Key::field("users", "15"), "~g5:users:15")]
    {
        assert!(PAGE.contains(&format!("as {name}")), "{name} is not on the page");
        memcached.set_many(&[(key, plain.clone())], &SetOptions::new()).await.unwrap();
        assert!(server.wire().get(name).is_some(), "{key} is not kept as {name}");
    }
}
