//! A fleet of which one dies, and fleets that two clients share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dogpile_cache::{ErrorKind, WhenDown};
use dogpile_core::{Backend, Clock, Entry, Key, Locator, SetOptions, SystemClock};
use dogpile_memcached::{Connect, Memcached};

use crate::support::Server;
use crate::{QUICK, Random, fleet, made, millis, put, quick, region, ring, value};

const KEYS: u64 = 500;

fn servers() -> Vec<Server> {
    (0..5).map(|_| Server::start()).collect()
}

fn name(key: u64) -> String {
    format!("page:{key}")
}

/// The key, and a number that only grows: a value that is older than one seen before is told.
fn content(key: u64, version: u64) -> Bytes {
    format!("{key} {version}").into()
}

fn version_of(key: u64, value: &[u8]) -> u64 {
    let text = std::str::from_utf8(value).unwrap();
    let (of, version) = text.split_once(' ').unwrap();
    assert_eq!(of, key.to_string(), "a value of another key");
    version.parse().unwrap()
}

#[tokio::test]
async fn keys_go_where_the_ring_says_and_nowhere_else() {
    let servers = servers();
    let fleet = fleet(&servers, Connect::new()).await;
    let ring = ring(&servers);
    for key in 0..KEYS {
        put(&fleet, Key::name(&name(key)), content(key, 0)).await.unwrap();
    }
    let mut counts = vec![0; 5];
    for key in 0..KEYS {
        let owner = ring.locate(name(key).as_bytes()).unwrap();
        counts[owner] += 1;
        assert!(servers[owner].wire().get(name(key)).is_some(), "{}", name(key));
    }
    for (server, count) in servers.iter().zip(counts) {
        assert_eq!(server.stat("curr_items"), count, "nothing besides");
    }
    let names: Vec<String> = (0..KEYS).map(name).collect();
    let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
    let found = fleet.get_many(&keys).await.unwrap();
    for (key, found) in (0..KEYS).zip(found) {
        assert_eq!(found.unwrap().value, content(key, 0));
    }
    fleet.delete_many(&keys).await.unwrap();
    assert!(servers.iter().all(|server| server.stat("curr_items") == 0));
}

/// One of five is killed under load and started again: only its keys fail, no call takes longer than
/// it may, and no value is ever wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_five_is_killed_under_load() {
    const VICTIM: usize = 2;
    let servers = servers();
    let ring = Arc::new(ring(&servers));
    let memcached = fleet(&servers, quick()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let slowest = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..12_u64)
        .map(|task| {
            let (memcached, stop) = (memcached.clone(), Arc::clone(&stop));
            let (ring, slowest) = (Arc::clone(&ring), Arc::clone(&slowest));
            tokio::spawn(async move {
                let mut random = Random(task);
                // Each task writes keys of its own, and knows what is in them.
                let mut written = BTreeMap::<u64, u64>::new();
                let (mut calls, mut failed, mut missed) = (0_u64, 0_u64, 0_u64);
                while !stop.load(Ordering::Relaxed) {
                    let key = random.below(KEYS / 12) * 12 + task;
                    let text = name(key);
                    let owner = ring.locate(text.as_bytes()).unwrap();
                    let began = Instant::now();
                    let error = if random.below(4) == 0 {
                        let next = written.get(&key).map_or(1, |version| version + 1);
                        // A write that failed may have been done.
                        let done = put(&memcached, Key::name(&text), content(key, next)).await;
                        written.insert(key, next);
                        done.err()
                    } else {
                        match memcached.get(Key::name(&text)).await {
                            Ok(Some(entry)) => {
                                let version = version_of(key, &entry.value);
                                let latest = written[&key];
                                assert!(version <= latest, "{version} of {latest}");
                                let lost = version < latest;
                                assert!(!lost || owner == VICTIM, "{text} is old");
                                None
                            }
                            Ok(None) => {
                                let expected = written.contains_key(&key);
                                assert!(!expected || owner == VICTIM, "{text} is gone");
                                missed += u64::from(expected);
                                None
                            }
                            Err(error) => Some(error),
                        }
                    };
                    let took = began.elapsed();
                    assert!(took < QUICK, "{took:?}");
                    slowest.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
                    calls += 1;
                    if let Some(error) = error {
                        assert_eq!(owner, VICTIM, "{text}: {error}");
                        let kind = error.kind();
                        assert!(matches!(kind, ErrorKind::Unavailable | ErrorKind::TimedOut));
                        failed += 1;
                        // Failing is fast, and there is other work to do.
                        tokio::task::yield_now().await;
                    }
                }
                (calls, failed, missed)
            })
        })
        .collect();
    tokio::time::sleep(millis(300)).await;
    servers[VICTIM].kill();
    tokio::time::sleep(millis(600)).await;
    servers[VICTIM].restart();
    let restarted = Instant::now();
    let there = (0..).find(|key| ring.locate(name(*key).as_bytes()) == Some(VICTIM)).unwrap();
    while memcached.get(Key::name(&name(there))).await.is_err() {
        assert!(restarted.elapsed() < Duration::from_secs(5), "it does not come back");
        tokio::time::sleep(millis(1)).await;
    }
    let healed = restarted.elapsed();
    tokio::time::sleep(millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let mut sums = (0, 0, 0);
    for task in tasks {
        let (calls, failed, missed) = task.await.unwrap();
        sums = (sums.0 + calls, sums.1 + failed, sums.2 + missed);
    }
    let (calls, failed, missed) = sums;
    println!(
        "{calls} calls, {failed} failed, {missed} missed, slowest {} us, healed after {healed:?}",
        slowest.load(Ordering::Relaxed)
    );
    assert!(failed > 0 && missed > 0 && calls > 1_000, "{sums:?}");
    assert!(healed < millis(1_500), "{healed:?}");
}

#[tokio::test]
async fn of_many_keys_those_of_a_dead_server_are_missing() {
    let servers = servers();
    let memcached = fleet(&servers, quick()).await;
    let ring = ring(&servers);
    let names: Vec<String> = (0..100).map(name).collect();
    let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
    for (at, key) in keys.iter().enumerate() {
        put(&memcached, *key, content(at as u64, 0)).await.unwrap();
    }
    servers[4].kill();
    for _ in 0..3 {
        let began = Instant::now();
        let found = memcached.get_many(&keys).await.unwrap();
        assert!(began.elapsed() < QUICK);
        for (name, found) in names.iter().zip(found) {
            let dead = ring.locate(name.as_bytes()) == Some(4);
            assert_eq!(found.is_none(), dead, "{name}");
        }
    }
    // A write is carried out where it can be, and told where not.
    let now = SystemClock.now();
    let items: Vec<_> =
        keys.iter().map(|key| (*key, Entry::new(now, Bytes::from("new")))).collect();
    let error = memcached.set_many(&items, &SetOptions::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let found = memcached.get_many(&keys).await.unwrap();
    assert!(found.iter().flatten().all(|entry| entry.value == "new"));

    // A region goes on for all keys if it may.
    let cache = region(&memcached).when_down(WhenDown::Miss);
    for at in 0..50 {
        assert_eq!(cache.get_or_create(&*format!("made:{at}"), || made(at)).await.unwrap(), at);
    }
    servers.iter().for_each(Server::kill);
    let error = memcached.get_many(&keys).await.unwrap_err();
    assert!(error.is_temporary(), "all of them: {error:?}");
}

/// A fleet of which a part is down when the program starts.
#[tokio::test]
async fn a_fleet_is_connected_while_one_of_it_is_down() {
    let servers = servers();
    servers[1].kill();
    let memcached = fleet(&servers, quick()).await;
    let ring = ring(&servers);
    for key in 0..100 {
        let owner = ring.locate(name(key).as_bytes()).unwrap();
        let done = put(&memcached, Key::name(&name(key)), content(key, 0)).await;
        assert_eq!(done.is_err(), owner == 1, "{done:?}");
    }
    servers[1].restart();
    let began = Instant::now();
    for key in 0..100 {
        while let Err(error) = put(&memcached, Key::name(&name(key)), content(key, 1)).await {
            assert!(began.elapsed() < Duration::from_secs(5), "{error}");
            tokio::time::sleep(millis(2)).await;
        }
    }
}

/// Two clients that list the servers in another order, and one that has each server as a handle.
#[tokio::test]
async fn two_clients_of_one_fleet_agree() {
    let mut servers = servers();
    let one = fleet(&servers, Connect::new()).await;
    servers.rotate_left(2);
    let other = fleet(&servers, Connect::new()).await;
    for key in 0..KEYS {
        put(&one, Key::name(&name(key)), content(key, 1)).await.unwrap();
        assert_eq!(value(&other, Key::name(&name(key))).await.unwrap(), content(key, 1));
        put(&other, Key::field("group", &name(key)), content(key, 2)).await.unwrap();
        let found = value(&one, Key::field("group", &name(key))).await;
        assert_eq!(found.unwrap(), content(key, 2));
    }
    // One creates for both.
    let (one, other) = (region(&one), region(&other));
    let made = Arc::new(AtomicU64::new(0));
    let calls: Vec<_> = (0..40)
        .map(|at| {
            let cache = if at % 2 == 0 { one.clone() } else { other.clone() };
            let made = Arc::clone(&made);
            tokio::spawn(async move {
                let create = || async move {
                    made.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(millis(50)).await;
                    Ok::<_, String>(7_u32)
                };
                cache.get_or_create("created", create).await.unwrap()
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 7);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_fleet_that_cannot_be_is_refused() {
    let servers = servers();
    let addresses: Vec<String> = servers.iter().take(4).map(Server::url).collect();
    let error = Memcached::connect_fleet(&addresses, ring(&servers), quick()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.to_string().contains('4') && error.to_string().contains('5'), "{error}");
}
