//! What stands under a key and is not ours, and keys and values at the ends of what there is.

use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::ErrorKind;
use dogpile_core::{Backend, Clock, Entry, Key, SetOptions, SystemClock};
use dogpile_redis::{Connect, Envelope, Redis};

use crate::support::Server;
use crate::{behind_a_wire, made, region};

async fn open() -> (Server, Redis) {
    let server = Server::start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap();
    (server, redis)
}

async fn put(redis: &Redis, key: Key<'_>, value: Bytes) -> dogpile_core::Result<()> {
    redis.set_many(&[(key, Entry::new(SystemClock.now(), value))], &SetOptions::new()).await
}

#[tokio::test]
async fn another_type_is_refused_and_left_alone() {
    let (server, redis) = open().await;
    let cache = region(&redis);
    server.ask(&["RPUSH", "list", "a"]);
    server.ask(&["SET", "text:fields", "a"]);
    for key in [Key::name("list"), Key::field("text", "f")] {
        let mut errors = vec![
            cache.get::<u32>(key).await.unwrap_err(),
            cache.get_or_create(key, || made(1)).await.unwrap_err(),
            cache.set(key, &1_u32).await.unwrap_err(),
            cache.set_many(&[(key, 1_u32)]).await.unwrap_err(),
        ];
        match cache.get_many::<u32, _>(&[key, Key::name("x")]).await {
            // MGET takes other types for missing.
            Ok(found) => assert_eq!((found, key.group()), (vec![None, None], None)),
            Err(error) => errors.push(error),
        }
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
            assert!(error.to_string().contains("another type"), "{error}");
        }
    }
    assert_eq!(server.ask(&["TYPE", "list"]).text(), "list");
    assert_eq!(server.ask(&["GET", "text:fields"]).text(), "a");
    // Nothing stays locked that could not be read.
    assert_eq!(server.ask(&["KEYS", "*lease*"]).list(), []);
    cache.delete("list").await.unwrap();
    assert_eq!(cache.get_or_create("list", || made(2)).await.unwrap(), 2);
}

#[tokio::test]
async fn foreign_bytes_are_told_apart_and_replaced() {
    let (server, redis) = open().await;
    let bytes: [&[u8]; 6] = [b"", b"x", b"{\"ct\": 1}|1", b"\x80\x04K\x01.", &[0; 40], &[255; 40]];
    let envelopes =
        [Envelope::full(), Envelope::compact(), Envelope::dogpile_cache(), Envelope::raw()];
    for envelope in envelopes {
        let cache = region(&redis.clone().with_envelope(envelope.clone()));
        for foreign in bytes {
            server.ask(&[&b"SET"[..], b"k", foreign]);
            match cache.get::<u32>("k").await {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
                Ok(found) => assert_eq!(found, None, "{foreign:?} in {envelope:?}"),
            }
            assert_eq!(cache.get_or_create("k", || made(1)).await.unwrap(), 1, "{foreign:?}");
            assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
        }
    }
}

#[tokio::test]
async fn a_foreign_value_among_many_costs_a_few_round_trips() {
    let (server, proxy, redis) = behind_a_wire(Connect::new()).await;
    let cache = region(&redis);
    let names: Vec<String> = (0..200).map(|at| format!("{at}")).collect();
    let items: Vec<_> = names.iter().zip(0_u32..).collect();
    cache.set_many(&items).await.unwrap();
    let mut expected: Vec<_> = (0..200).map(Some).collect();
    expected[7] = None;
    server.ask(&["SET", "7", "foreign"]);
    let before = proxy.trips();
    assert_eq!(cache.get_many::<u32, _>(&names).await.unwrap(), expected);
    assert!(proxy.trips() - before <= 6, "{} to read", proxy.trips() - before);

    server.ask(&["SET", "7", "foreign"]);
    let before = proxy.trips();
    let create = |missing: Vec<&String>| {
        assert_eq!(missing, ["7"]);
        async { Ok::<_, String>(vec![70]) }
    };
    expected[7] = Some(70);
    let found = cache.get_or_create_many(&names, create).await.unwrap();
    assert_eq!(found.into_iter().map(Some).collect::<Vec<_>>(), expected);
    assert!(proxy.trips() - before <= 10, "{} to create", proxy.trips() - before);
}

#[tokio::test]
async fn keys_are_any_bytes() {
    let (server, redis) = open().await;
    let mut names: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    names.extend(
        [&b""[..], b"\r\nFLUSHALL\r\n", b"a\0b", b"{", b"}", b"{}", b"a}b", b"{~}"].map(Vec::from),
    );
    names.push(vec![b'k'; 1 << 20]);
    names.sort();
    names.dedup();
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
    redis.set_many(&items, &SetOptions::new()).await.unwrap();
    let found = redis.get_many(&keys).await.unwrap();
    for (at, (_, entry)) in items.iter().enumerate() {
        assert_eq!(found[at].as_ref(), Some(entry), "{:?}", keys[at]);
    }
    redis.delete_many(&keys).await.unwrap();
    assert!(redis.get_many(&keys).await.unwrap().iter().all(Option::is_none));
    let left: Vec<String> =
        server.ask(&["KEYS", "*"]).list().iter().map(crate::support::Reply::text).collect();
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn values_are_of_any_size_that_the_server_takes() {
    const MOST: usize = 512 << 20;
    let server = Server::start().unwrap();
    let patient = Connect::new()
        .with_response_timeout(Duration::from_secs(60))
        .with_total_timeout(Duration::from_secs(60));
    let redis = Redis::connect_with(&server.url(), patient).await.unwrap();
    let raw = redis.clone().with_envelope(Envelope::raw());
    let key = Key::name("k");
    for redis in [&redis, &raw] {
        put(redis, key, Bytes::new()).await.unwrap();
        assert_eq!(redis.get(key).await.unwrap().unwrap().value, Bytes::new());
        put(redis, Key::field("g", "f"), Bytes::new()).await.unwrap();
        let found = redis.get(Key::field("g", "f")).await.unwrap();
        assert_eq!(found.unwrap().value, Bytes::new());
    }
    let large = Bytes::from(vec![7; MOST]);
    put(&raw, key, large.clone()).await.unwrap();
    assert!(raw.get(key).await.unwrap().unwrap().value == large);
    let error = put(&redis, key, large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}");
    assert_eq!(server.ask(&["STRLEN", "k"]).number(), MOST as i64, "what was there stays");
}
