//! The dogpile lock for threads, with no runtime anywhere.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogpile_core::{BackendExt, Error, ErrorKind, Key, LeaseBackend, ReadThrough, ServedBy};
use dogpile_lock::{Dogpile, FileLock, LocalLock};
use support::{Map, clock, expired, made, old, request};

#[test]
fn fifty_threads_on_a_missing_key_create_once() {
    let folder = tempfile::tempdir().unwrap();
    create_once(&Dogpile::local(Map::default()));
    create_once(&Dogpile::with_lock(Map::default(), LocalLock::new()));
    create_once(&Dogpile::with_lock(Map::default(), FileLock::open(folder.path()).unwrap()));
}

fn create_once<L: LeaseBackend<Value = u64> + 'static>(dogpile: &Dogpile<L>) {
    let (creations, clock) = (AtomicUsize::new(0), clock());
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let served = dogpile.blocking().read_through(&request("k", &clock), || {
                    creations.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(50));
                    Ok(made(7))
                });
                assert_eq!(served.unwrap().entry.value, 7);
            });
        }
    });
    assert_eq!(creations.load(Ordering::SeqCst), 1);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn threads_are_served_the_stale_value_at_once() {
    let map = Map::default();
    let dogpile = Dogpile::local(map.clone()).blocking();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(map.set(Key::name("k"), old(1))).unwrap();
    let (clock, creating) = (clock(), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        let creator = scope.spawn(|| {
            dogpile.read_through(&expired("k", &clock), || {
                creating.wait();
                creating.wait();
                Ok(made(2))
            })
        });
        creating.wait();
        for _ in 0..100 {
            let served =
                dogpile.read_through(&expired("k", &clock), || panic!("a second creator")).unwrap();
            assert_eq!((served.entry.value, served.by), (1, ServedBy::Stale));
        }
        creating.wait();
        assert_eq!(creator.join().unwrap().unwrap().by, ServedBy::Created);
    });
}

#[test]
fn threads_and_tasks_share_one_creation() {
    let dogpile = Dogpile::local(Map::default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let creations = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let clock = clock();
                dogpile.blocking().read_through(&request("k", &clock), || {
                    creations.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(50));
                    Ok(made(1))
                })
            });
            scope.spawn(|| {
                runtime.block_on(async {
                    let clock = clock();
                    let create = || async {
                        creations.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        Ok(made(1))
                    };
                    dogpile.read_through(&request("k", &clock), create).await
                })
            });
        }
    });
    assert_eq!(creations.load(Ordering::SeqCst), 1);
}

#[test]
fn a_thread_waits_no_longer_than_it_allows() {
    let (dogpile, clock) = (Dogpile::local(Map::default()).blocking(), clock());
    let (began, creating) = std::sync::mpsc::channel();
    let (go, gate) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            dogpile.read_through(&request("k", &clock), move || {
                began.send(()).unwrap();
                gate.recv().unwrap();
                Ok(made(1))
            })
        });
        creating.recv().unwrap();
        let start = Instant::now();
        let impatient = request("k", &clock).with_wait_for(Duration::from_millis(30));
        let error = dogpile.read_through(&impatient, || panic!("a second creator")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(30));
        go.send(()).unwrap();
    });
}

#[test]
fn failures_panics_and_recursion() {
    let (dogpile, clock) = (Dogpile::local(Map::default()).blocking(), clock());
    let request = request("k", &clock);
    let failed =
        dogpile.read_through(&request, || Err(Error::from_creator("the database is down")));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Creation);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        dogpile.read_through(&request, || panic!("boom"))
    }));
    assert!(panicked.is_err());
    let served = dogpile.read_through(&request, || {
        let inner = dogpile.read_through(&request, || Ok(made(1)));
        assert_eq!(inner.unwrap_err().kind(), ErrorKind::Reentrant);
        Ok(made(2))
    });
    assert_eq!(served.unwrap().entry.value, 2);
}

#[test]
fn a_heartbeat_thread_keeps_a_long_creation() {
    const LEASE: Duration = Duration::from_millis(100);
    let (map, lock, clock) = (Map::default(), LocalLock::new(), clock());
    let here = Dogpile::with_lock(map.clone(), lock.clone()).blocking().with_heartbeat(true);
    let elsewhere = Dogpile::with_lock(map, lock).blocking();
    let (began, creating) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            here.read_through(&request("k", &clock).with_lease_for(LEASE), move || {
                began.send(()).unwrap();
                std::thread::sleep(LEASE * 4);
                Ok(made(1))
            })
        });
        creating.recv().unwrap();
        let served =
            elsewhere.read_through(&request("k", &clock), || panic!("a second creator")).unwrap();
        assert_eq!(served.by, ServedBy::Waited);
    });
}
