//! Calls that are dropped at any point: no answer ever goes to another call.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Key, LeaseBackend, Policy, SetOptions, SystemClock,
};
use dogpile_memcached::{Connect, Memcached};

use crate::support::{Proxy, Server};
use crate::{Random, fleet, millis, put, value};

const KEYS: u64 = 64;
const TASKS: u64 = 16;

/// What is under a key, of a length of its own; whoever gets another's sees it.
fn content(key: u64) -> Bytes {
    format!("{key}:").repeat(1 + (key * key) as usize % 900).into()
}

/// Polls a call so often, and drops it; whether it was not done yet.
async fn dropped<F: Future>(call: F, polls: u64) -> bool {
    let mut call = pin!(call);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

/// Drops calls of every kind until so many were not done, and checks an answer after each.
async fn storm(memcached: &Memcached, wanted: usize) {
    for key in 0..KEYS {
        put(memcached, Key::name(&key.to_string()), content(key)).await.unwrap();
    }
    let cancelled = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (memcached, cancelled) = (memcached.clone(), Arc::clone(&cancelled));
            tokio::spawn(async move {
                let mut random = Random(task);
                while cancelled.load(Ordering::Relaxed) < wanted {
                    let (key, other) = (random.below(KEYS), random.below(KEYS));
                    let polls = random.below(12);
                    if drop_one(&memcached, random.below(6), key, polls).await {
                        cancelled.fetch_add(1, Ordering::Relaxed);
                    }
                    check(&memcached, key, other).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let cancelled = cancelled.load(Ordering::Relaxed);
    println!("{cancelled} calls were dropped before their answer");
    assert!(cancelled >= wanted);
}

async fn drop_one(memcached: &Memcached, kind: u64, key: u64, polls: u64) -> bool {
    let name = key.to_string();
    let name = Key::name(&name);
    let policy = Policy::new().at(SystemClock.now());
    match kind {
        0 | 1 => dropped(memcached.get(name), polls).await,
        2 => {
            let names: Vec<String> = (0..KEYS).map(|key| key.to_string()).collect();
            let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
            dropped(memcached.get_many(&keys), polls).await
        }
        3 => {
            // The value it has anyway: a write that was dropped may have been done.
            let items = [(name, Entry::new(SystemClock.now(), content(key)))];
            dropped(memcached.set_many(&items, &SetOptions::new()), polls).await
        }
        4 => {
            let ask = Ask::new(name, policy, millis(5_000));
            dropped(memcached.get_or_lease(&ask), polls).await
        }
        _ => {
            let absent = format!("absent{key}");
            dropped(memcached.delete_many(&[Key::name(&absent)]), polls).await
        }
    }
}

async fn check(memcached: &Memcached, key: u64, other: u64) {
    let found = value(memcached, Key::name(&key.to_string())).await;
    assert_eq!(found.unwrap(), content(key));
    let (name, absent) = (other.to_string(), format!("absent{other}"));
    let keys = [Key::name(&absent), Key::name(&name)];
    let found = memcached.get_many(&keys).await.unwrap();
    assert!(found[0].is_none());
    assert_eq!(found[1].as_ref().unwrap().value, content(other));
    let ask = Ask::new(keys[1], Policy::new().at(SystemClock.now()), millis(5_000));
    match memcached.get_or_lease(&ask).await.unwrap() {
        Answer::Fresh(entry) => assert_eq!(entry.value, content(other)),
        answer => panic!("it is there and fresh: {answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_on_one_connection() {
    let server = Server::start();
    let options = Connect::new().with_connections(1);
    let memcached = Memcached::connect_with(&server.url(), options).await.unwrap();
    let before = server.connections();
    storm(&memcached, 10_000).await;
    assert_eq!(server.connections(), before, "it was the same connection all the time");
}

/// Replies in pieces, so that a call is dropped in the middle of its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_middle_of_an_answer() {
    let server = Server::start();
    let proxy = Proxy::to(server.place());
    proxy.dribble(1_000, std::time::Duration::from_micros(20));
    let options = Connect::new().with_connections(1).with_response_timeout(millis(20_000));
    let url = server.url_at(proxy.port());
    let memcached = Memcached::connect_with(&url, options).await.unwrap();
    storm(&memcached, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_fleet() {
    let servers: Vec<Server> = (0..5).map(|_| Server::start()).collect();
    storm(&fleet(&servers, Connect::new()).await, 1_000).await;
}

#[cfg(feature = "classic")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_the_classic_protocol() {
    let server = Server::start();
    let options = Connect::new().with_protocol(dogpile_memcached::Protocol::Classic);
    let memcached = Memcached::connect_with(&server.url(), options).await.unwrap();
    storm(&memcached, 500).await;
}
