//! Keys and values of any bytes.

use std::collections::BTreeSet;

use bytes::Bytes;
use dogpile_cache::ErrorKind;
use dogpile_core::{Backend, Clock, Entry, Key, SetOptions, SystemClock};
use dogpile_memcached::{KeyNames, Memcached};

use crate::support::Server;
use crate::{made, open, put, region, value};

/// Every byte alone, what would be commands, and lengths at the edges.
fn hostile() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    let odd: [&[u8]; 14] = [
        b"",
        b"\r\nflush_all\r\n",
        b"a\r\nset pwned 0 0 3\r\nyes",
        b"a b",
        b"a  b",
        b"a\0b",
        b"a\n",
        b" a",
        b"~",
        b"~na",
        b"~bbmE",
        b"~h",
        b"\xff\xfe",
        "\u{1f415}".as_bytes(),
    ];
    names.extend(odd.map(Vec::from));
    for length in [186, 187, 188, 249, 250, 251, 252, 1_000, 50_000] {
        names.push(vec![b'k'; length]);
        names.push(vec![b' '; length]);
        names.push(vec![0xff; length]);
    }
    names.sort();
    names.dedup();
    names
}

async fn each_has_its_own(memcached: &Memcached, server: &Server) {
    let names = hostile();
    let keys: Vec<Key<'_>> = names
        .iter()
        .flat_map(|name| [Key::name(name), Key::field(name, name), Key::field("one", name)])
        .collect();
    let now = SystemClock.now();
    let items: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| (*key, Entry::new(now, Bytes::from(at.to_string()))))
        .collect();
    memcached.set_many(&items, &SetOptions::new()).await.unwrap();
    assert_eq!(server.stat("curr_items"), keys.len() as u64, "one item of each, and none besides");
    let found = memcached.get_many(&keys).await.unwrap();
    for (at, (key, entry)) in items.iter().enumerate() {
        assert_eq!(found[at].as_ref(), Some(entry), "{key:.80?}");
        assert_eq!(memcached.get(*key).await.unwrap().as_ref(), Some(entry), "{key:.80?}");
    }
    memcached.delete_many(&keys).await.unwrap();
    assert!(memcached.get_many(&keys).await.unwrap().iter().all(Option::is_none));
    assert_eq!(server.wire().get("pwned"), None);
}

#[tokio::test]
async fn keys_are_any_bytes() {
    let (server, memcached) = open().await;
    each_has_its_own(&memcached, &server).await;
    let prefix = KeyNames::readable().with_prefix("p".repeat(128)).unwrap();
    each_has_its_own(&memcached.clone().with_key_names(prefix), &server).await;
    each_has_its_own(&memcached.clone().with_key_names(KeyNames::hashed()), &server).await;
}

#[cfg(feature = "classic")]
#[tokio::test]
async fn keys_are_any_bytes_by_the_classic_protocol_too() {
    let server = Server::start();
    let options =
        dogpile_memcached::Connect::new().with_protocol(dogpile_memcached::Protocol::Classic);
    let memcached = Memcached::connect_with(&server.url(), options).await.unwrap();
    each_has_its_own(&memcached, &server).await;
}

/// The name under which a key is kept is itself a key, of something else.
#[tokio::test]
async fn a_name_on_the_server_is_no_second_way_to_a_key() {
    let (_server, memcached) = open().await;
    for name in hostile() {
        let key = Key::name(&name);
        put(&memcached, key, "mine").await.unwrap();
        let item = memcached.inspect(key).await.unwrap().name.into_bytes();
        assert!(item.len() <= 250 && !item.contains(&b' '), "{item:?}");
        if item == name {
            continue;
        }
        assert_eq!(value(&memcached, Key::name(&item)).await, None, "{item:?}");
        put(&memcached, Key::name(&item), "another's").await.unwrap();
        assert_eq!(value(&memcached, key).await.unwrap(), "mine", "{key:.80?}");
    }
}

#[tokio::test]
async fn a_plain_key_is_sent_as_it_is() {
    let (server, memcached) = open().await;
    let longest = "k".repeat(250);
    for name in ["a", "user(15)", "front/page?x=1&y=2", "_lock", &longest] {
        put(&memcached, Key::name(name), "v").await.unwrap();
        assert!(server.wire().get(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn values_are_any_bytes() {
    let (server, memcached) = open().await;
    put(&memcached, Key::name("other"), "stays").await.unwrap();
    let mut values: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte; 3]).collect();
    let odd: [&[u8]; 9] = [
        b"",
        b"\r\n",
        b"\r\nflush_all\r\n",
        b"END\r\n",
        b"\r\nHD\r\nVA 5\r\nother\r\n",
        b"\0",
        b"MN\r\n",
        b"VALUE k 0 1\r\nx\r\nEND\r\n",
        b"ERROR\r\n",
    ];
    values.extend(odd.map(Vec::from));
    values.extend([100, 4_095, 4_096, 16_384, 65_536, 500_000].map(|length| vec![b'\n'; length]));
    for bytes in &values {
        put(&memcached, Key::name("k"), bytes.clone()).await.unwrap();
        assert_eq!(value(&memcached, Key::name("k")).await.unwrap(), *bytes);
    }
    let names: Vec<String> = (0..values.len()).map(|at| format!("k{at}")).collect();
    let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
    let now = SystemClock.now();
    let items: Vec<_> = keys
        .iter()
        .zip(&values)
        .map(|(key, value)| (*key, Entry::new(now, Bytes::from(value.clone()))))
        .collect();
    memcached.set_many(&items, &SetOptions::new()).await.unwrap();
    let found = memcached.get_many(&keys).await.unwrap();
    for (found, value) in found.iter().zip(&values) {
        assert_eq!(found.as_ref().unwrap().value, *value);
    }
    assert_eq!(value(&memcached, Key::name("other")).await.unwrap(), "stays");
    assert_eq!(server.stat("cmd_flush"), 0);
}

#[tokio::test]
async fn foreign_bytes_are_told_apart_and_replaced() {
    let (server, memcached) = open().await;
    let cache = region(&memcached);
    let foreign: [&[u8]; 8] = [
        b"",
        b"x",
        b"{\"ct\": 1}|1",
        b"\x80\x04K\x01.",
        &[0; 40],
        &[255; 40],
        b"\xd0",
        b"\xd0\x01\x8b",
    ];
    for bytes in foreign {
        server.wire().set("k", bytes);
        match cache.get::<u32>("k").await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
            Ok(found) => assert_eq!(found, None, "{bytes:?}"),
        }
        assert_eq!(cache.get_or_create("k", || made(1)).await.unwrap(), 1, "{bytes:?}");
        assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
    }
}

/// Bytes of ours with other flags, and other bytes with ours: never a wrong value.
#[tokio::test]
async fn flags_that_are_not_ours_make_no_wrong_value() {
    let (server, memcached) = open().await;
    put(&memcached, Key::name("k"), "value").await.unwrap();
    let (bytes, ours) = server.wire().get("k").unwrap();
    let mut seen = BTreeSet::new();
    for flags in (0..32).map(|bit| ours ^ (1_u32 << bit)).chain([ours, 0, 1, u32::MAX]) {
        let head = format!("set k {flags} 0 {}\r\n", bytes.len());
        assert_eq!(server.ask([head.as_bytes(), &bytes].concat()), "STORED");
        match memcached.get(Key::name("k")).await {
            Ok(None) => seen.insert("nothing"),
            Ok(Some(entry)) => {
                assert_eq!(entry.value, "value", "flags {flags:#x}");
                seen.insert("the value")
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                seen.insert("corrupt")
            }
        };
    }
    assert!(seen.contains("the value") && seen.contains("corrupt"), "{seen:?}");
}

/// Every stored byte changed, and every length cut: an error or nothing, or the value itself.
#[tokio::test]
async fn damaged_bytes_make_no_panic() {
    let (server, memcached) = open().await;
    let cache = region(&memcached);
    cache.set("k", &"text of some length".repeat(3)).await.unwrap();
    let (bytes, flags) = server.wire().get("k").unwrap();
    let mut wire = server.wire();
    for at in 0..bytes.len().min(40) {
        for change in [0, 1, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= change;
            let cut = if change == 0 { &bytes[..at] } else { &bytes[..] };
            let head = format!("set k {flags} 0 {}\r\n", cut.len());
            assert_eq!(wire.ask([head.as_bytes(), cut].concat()), "STORED");
            let _ = cache.get::<String>("k").await;
            let answer = cache.get_or_create("k", || async { Ok::<_, String>("new".to_owned()) });
            answer.await.unwrap();
        }
    }
}

/// A reader that has another codec does not decode what it cannot read, and gets a turn to replace it.
#[tokio::test]
async fn a_codec_has_its_number() {
    let (_server, memcached) = open().await;
    let other = memcached.clone().with_codec_number(7);
    put(&other, Key::name("k"), "of seven").await.unwrap();
    assert_eq!(value(&other, Key::name("k")).await.unwrap(), "of seven");
    match memcached.get(Key::name("k")).await {
        Ok(found) => assert_eq!(found, None),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
    }
    assert_eq!(region(&memcached).get_or_create("k", || made(1)).await.unwrap(), 1);
    assert_eq!(memcached.inspect(Key::name("k")).await.unwrap().codec, Some(0));
}
