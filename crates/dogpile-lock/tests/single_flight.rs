//! One caller creates; the others are served the previous value, or wait.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogpile_core::{BackendExt, Key, LeaseBackend, Policy, ReadThrough, Request, ServedBy};
use dogpile_lock::{Dogpile, LocalLock, Paired};
use support::{Map, clock, expired, join_all, made, old, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_on_a_missing_key_create_once() {
    create_once(Dogpile::local(Map::default())).await;
    create_once(Dogpile::with_lock(Map::default(), LocalLock::new())).await;
    create_once(Dogpile::leased(Paired::new(Map::default(), LocalLock::new()))).await;
}

async fn create_once<L: LeaseBackend<Value = u64> + 'static>(dogpile: Dogpile<L>) {
    let creations = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (dogpile, creations) = (dogpile.clone(), Arc::clone(&creations));
            tokio::spawn(async move {
                let clock = clock();
                let create = || async {
                    creations.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok(made(7))
                };
                dogpile.read_through(&request("k", &clock), create).await
            })
        })
        .collect();
    let mut by = HashMap::new();
    for task in tasks {
        let served = task.await.unwrap().unwrap();
        assert_eq!(served.entry.value, 7);
        *by.entry(served.by).or_insert(0) += 1;
    }
    assert_eq!(creations.load(Ordering::SeqCst), 1);
    assert_eq!((by[&ServedBy::Created], by[&ServedBy::Waited]), (1, 999));
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "waiters are woken together, not one after the other"
    );
}

#[tokio::test]
async fn all_but_the_creator_are_served_the_stale_value_at_once() {
    let map = Map::default();
    map.set(Key::name("k"), old(1)).await.unwrap();
    let dogpile = Dogpile::local(map);
    let clock = clock();
    let (go, gate) = tokio::sync::oneshot::channel::<()>();
    let request = expired("k", &clock);
    let creator = dogpile.read_through(&request, || async {
        gate.await.unwrap();
        Ok(made(2))
    });
    let others = async {
        for _ in 0..100 {
            let served = dogpile
                .read_through(&request, || async { panic!("a second creator") })
                .await
                .unwrap();
            assert_eq!((served.entry.value, served.by), (1, ServedBy::Stale));
        }
        go.send(()).unwrap();
    };
    let (created, ()) = tokio::join!(creator, others);
    let created = created.unwrap();
    assert_eq!((created.entry.value, created.by), (2, ServedBy::Created));
}

/// Rule 1: whoever read the old value before the creator was done does not create again after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quick_creators_do_not_leak_on_an_expired_key() {
    for round in 0..50 {
        let map = Map::default();
        map.set(Key::name("k"), old(1)).await.unwrap();
        let dogpile = Dogpile::with_lock(map, LocalLock::new());
        let creations = Arc::new(AtomicUsize::new(0));
        let barrier = Arc::new(tokio::sync::Barrier::new(50));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (dogpile, creations, barrier) =
                    (dogpile.clone(), Arc::clone(&creations), Arc::clone(&barrier));
                tokio::spawn(async move {
                    let clock = clock();
                    barrier.wait().await;
                    let create = || async {
                        creations.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        Ok(made(2))
                    };
                    dogpile.read_through(&expired("k", &clock), create).await.unwrap().entry.value
                })
            })
            .collect();
        for task in tasks {
            assert!([1, 2].contains(&task.await.unwrap()));
        }
        assert_eq!(creations.load(Ordering::SeqCst), 1, "round {round}");
    }
}

#[tokio::test]
async fn whoever_wants_no_stale_value_waits_for_the_new_one() {
    let map = Map::default();
    map.set(Key::name("k"), old(1)).await.unwrap();
    let dogpile = Dogpile::local(map);
    let clock = clock();
    let request = expired("k", &clock).with_serve_stale(false);
    let calls = (0..10).map(|_| {
        dogpile.read_through(&request, || async {
            tokio::task::yield_now().await;
            Ok(made(2))
        })
    });
    let served: Vec<_> =
        join_all(calls).await.into_iter().map(|served| served.unwrap().entry.value).collect();
    assert_eq!(served, [2; 10]);
}

#[tokio::test]
async fn a_hit_touches_no_lock() {
    let map = Map::default();
    map.set(Key::name("k"), old(1)).await.unwrap();
    let (dogpile, clock) = (Dogpile::with_lock(map.clone(), Refusing), clock());
    let served = dogpile
        .read_through(&request("k", &clock), || async { panic!("no creator") })
        .await
        .unwrap();
    assert_eq!((served.entry.value, served.by), (1, ServedBy::Hit));
    assert_eq!(map.gets.load(Ordering::SeqCst), 1);
}

/// Rule 8: an entry from the future is created anew, and not served until the clock catches up.
#[tokio::test]
async fn an_entry_from_the_future_is_not_immortal() {
    let (map, clock) = (Map::default(), clock());
    let ahead = dogpile_core::Entry::new(clock.now().plus(Duration::from_secs(3600)), 1);
    map.set(Key::name("k"), ahead).await.unwrap();
    let dogpile = Dogpile::local(map);
    let policy = Policy::new().with_fresh_for(Some(Duration::from_secs(60)));
    let request = Request::new(Key::name("k"), policy, &clock);
    assert_eq!(
        dogpile.read_through(&request, || async { Ok(made(2)) }).await.unwrap().entry.value,
        2
    );
}

/// A lock that nobody may touch.
#[derive(Debug)]
struct Refusing;

impl dogpile_core::Lock for Refusing {
    async fn try_lock(
        &self,
        _: Key<'_>,
        _: Duration,
    ) -> dogpile_core::Result<Option<dogpile_core::Lease>> {
        panic!("a hit took the lock")
    }
    async fn extend(
        &self,
        _: Key<'_>,
        _: dogpile_core::Lease,
        _: Duration,
    ) -> dogpile_core::Result<dogpile_core::Held> {
        panic!("a hit touched the lock")
    }
    async fn unlock(
        &self,
        _: Key<'_>,
        _: dogpile_core::Lease,
    ) -> dogpile_core::Result<dogpile_core::Held> {
        panic!("a hit touched the lock")
    }
    async fn revoke(&self, _: &[Key<'_>]) -> dogpile_core::Result<()> {
        panic!("a hit touched the lock")
    }
    async fn revoke_group(&self, _: &[u8]) -> dogpile_core::Result<()> {
        panic!("a hit touched the lock")
    }
    fn abandon(&self, _: Key<'_>, _: dogpile_core::Lease) {
        panic!("a hit touched the lock")
    }
    async fn wait(&self, _: Key<'_>, _: Duration) {
        panic!("a hit touched the lock")
    }
    async fn is_locked(&self, _: Key<'_>) -> dogpile_core::Result<bool> {
        panic!("a hit touched the lock")
    }
}
