//! Servers without the meta protocol: what they can do, they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dogpile_cache::ErrorKind;
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Held, Key, Lease, LeaseBackend, Policy, SetOptions,
    SystemClock,
};
use dogpile_memcached::{Connect, Memcached, Protocol};

use crate::support::{Liar, Proxy, Server};
use crate::{made, millis, put, region, value};

async fn open() -> (Server, Liar, Memcached) {
    let server = Server::start();
    let liar = Liar::old(server.place());
    let memcached = Memcached::connect(&liar.url()).await.unwrap();
    (server, liar, memcached)
}

#[tokio::test]
async fn an_old_server_is_noticed() {
    let (server, liar, memcached) = open().await;
    let stats = &memcached.stats()[0];
    assert_eq!(stats.protocol, Some(Protocol::Classic));
    assert!(stats.version.as_ref().unwrap().starts_with("1.4"), "{stats:?}");
    let cache = region(&memcached);
    assert_eq!(cache.get_or_create("k", || made(1)).await.unwrap(), 1);
    assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
    assert_eq!(server.stat("cmd_meta"), 0, "no meta command was sent");

    let meta = Connect::new().with_protocol(Protocol::Meta);
    let error = Memcached::connect_with(&liar.url(), meta).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.to_string().contains("1.4"), "{error}");

    let new = Memcached::connect(&server.url()).await.unwrap();
    assert_eq!(new.stats()[0].protocol, Some(Protocol::Meta));
}

async fn ask(memcached: &Memcached, lease_for: u64) -> Answer<bytes::Bytes> {
    let policy = Policy::new().at(SystemClock.now());
    memcached.get_or_lease(&Ask::new(Key::name("k"), policy, millis(lease_for))).await.unwrap()
}

async fn turn(memcached: &Memcached, lease_for: u64) -> Lease {
    match ask(memcached, lease_for).await {
        Answer::Create { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

/// A holder whose time is over neither releases nor fills what is another's by now.
#[tokio::test]
async fn who_is_late_harms_nobody() {
    let (_server, liar, one) = open().await;
    let other = Memcached::connect(&liar.url()).await.unwrap();
    let late = turn(&one, 1_000).await;
    tokio::time::sleep(millis(2_100)).await;
    let present = turn(&other, 60_000).await;
    assert_eq!(one.release(Key::name("k"), late).await.unwrap(), Held::Lost);
    assert!(matches!(ask(&one, 1_000).await, Answer::Busy { .. }), "it is still the other's");
    assert_eq!(one.extend(Key::name("k"), late, millis(1_000)).await.unwrap(), Held::Lost);
    let entry = |text: &'static str| Entry::new(SystemClock.now(), text.into());
    let options = SetOptions::new();
    assert_eq!(one.fill(Key::name("k"), late, entry("late"), &options).await.unwrap(), Held::Lost);
    assert_eq!(value(&other, Key::name("k")).await, None);
    let held = other.fill(Key::name("k"), present, entry("mine"), &options).await.unwrap();
    assert_eq!(held, Held::Kept);
    assert_eq!(value(&one, Key::name("k")).await.unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_creates() {
    let (_server, liar, _) = open().await;
    let made = Arc::new(AtomicUsize::new(0));
    let mut calls = Vec::new();
    for _ in 0..8 {
        let cache = region(&Memcached::connect(&liar.url()).await.unwrap());
        for _ in 0..10 {
            let (cache, made) = (cache.clone(), Arc::clone(&made));
            calls.push(tokio::spawn(async move {
                let create = || async {
                    made.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(millis(50)).await;
                    Ok::<_, String>(7_u32)
                };
                cache.get_or_create("k", create).await.unwrap()
            }));
        }
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), 7);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

/// All who share keys agree on the protocol; who does not gets no wrong value.
#[tokio::test]
async fn the_other_protocol_reads_nothing_wrong() {
    let (server, _liar, old) = open().await;
    let new = Memcached::connect(&server.url()).await.unwrap();
    put(&old, Key::name("by classic"), "a").await.unwrap();
    put(&new, Key::name("by meta"), "b").await.unwrap();
    for (memcached, name, text) in [(&new, "by classic", "a"), (&old, "by meta", "b")] {
        match memcached.get(Key::name(name)).await {
            Ok(found) => assert!(found.is_none_or(|entry| entry.value == text), "{name}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
        }
        let cache = region(memcached);
        assert_eq!(cache.get_or_create(name, || made(3)).await.unwrap(), 3);
    }
}

/// How many round trips the classic protocol takes, for the record and against growth.
#[tokio::test]
async fn it_takes_a_few_round_trips_more() {
    let server = Server::start();
    let proxy = Proxy::to(server.place());
    let options = Connect::new().with_protocol(Protocol::Classic).with_connections(1);
    let memcached = Memcached::connect_with(&server.url_at(proxy.port()), options).await.unwrap();
    let cache = region(&memcached);
    let before = proxy.trips();
    assert_eq!(cache.get_or_create("k", || made(1)).await.unwrap(), 1);
    let miss = proxy.trips() - before;
    let before = proxy.trips();
    assert_eq!(cache.get_or_create("k", || made(2)).await.unwrap(), 1);
    let hit = proxy.trips() - before;
    println!("a miss takes {miss}, a hit {hit}");
    assert!(miss <= 8 && hit == 1, "{miss} {hit}");
}
