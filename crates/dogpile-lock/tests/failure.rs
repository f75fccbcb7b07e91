//! Creators that fail, panic, are dropped, or ask for themselves.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile_core::{BackendExt, Error, ErrorKind, Key, LeaseBackend, ReadThrough, ServedBy};
use dogpile_lock::{Dogpile, LocalLock, Paired};
use support::{Map, clock, eventually, expired, join_all, made, old, request};

/// Rule 4.
#[tokio::test]
async fn a_failure_is_told_to_all_who_waited_and_not_repeated() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let creations = AtomicUsize::new(0);
    let request = request("k", &clock);
    let calls = (0..100).map(|_| {
        dogpile.read_through(&request, || async {
            creations.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err(Error::from_creator("the database is down"))
        })
    });
    for outcome in join_all(calls).await {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Creation);
    }
    assert_eq!(creations.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn while_a_creator_fails_the_others_have_the_stale_value() {
    let map = Map::default();
    map.set(Key::name("k"), old(1)).await.unwrap();
    let (dogpile, clock) = (Dogpile::local(map), clock());
    let request = expired("k", &clock);
    let calls = (0..100).map(|_| {
        dogpile.read_through(&request, || async {
            tokio::task::yield_now().await;
            Err(Error::from_creator("the database is down"))
        })
    });
    let (served, failed): (Vec<_>, Vec<_>) =
        join_all(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!((served.len(), failed.len()), (99, 1));
    assert!(served.into_iter().all(|served| served.unwrap().by == ServedBy::Stale));
}

/// Rule 5, in this process: at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_creator_hands_the_turn_on() {
    dropped(Dogpile::local(Map::default())).await;
    dropped(Dogpile::with_lock(Map::default(), LocalLock::new())).await;
    dropped(Dogpile::leased(Paired::new(Map::default(), LocalLock::new()))).await;
}

async fn dropped<L: LeaseBackend<Value = u64> + 'static>(dogpile: Dogpile<L>) {
    let creations = Arc::new(AtomicUsize::new(0));
    let call = |creates_for: Duration| {
        let (dogpile, creations) = (dogpile.clone(), Arc::clone(&creations));
        tokio::spawn(async move {
            let clock = clock();
            let create = || async {
                creations.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(creates_for).await;
                Ok(made(7))
            };
            dogpile.read_through(&request("k", &clock), create).await
        })
    };
    let leader = call(Duration::from_secs(3600));
    eventually("the leader creates", || creations.load(Ordering::SeqCst) == 1).await;
    let waiters: Vec<_> = (0..1_000).map(|_| call(Duration::from_millis(10))).collect();
    leader.abort();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap().entry.value, 7);
    }
    assert_eq!(creations.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_the_affair_of_one_caller() {
    let dogpile = Dogpile::with_lock(Map::default(), LocalLock::new());
    let creations = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (dogpile, creations) = (dogpile.clone(), Arc::clone(&creations));
            tokio::spawn(async move {
                let clock = clock();
                let create = || async {
                    let first = creations.fetch_add(1, Ordering::SeqCst) == 0;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    assert!(!first, "the first creator panics");
                    Ok(made(7))
                };
                dogpile.read_through(&request("k", &clock), create).await
            })
        })
        .collect();
    let mut panicked = 0;
    for task in tasks {
        match task.await {
            Ok(served) => assert_eq!(served.unwrap().entry.value, 7),
            Err(join) => panicked += usize::from(join.is_panic()),
        }
    }
    assert_eq!((panicked, creations.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creator_that_always_panics_is_tried_twice() {
    let dogpile = Dogpile::local(Map::default());
    let creations = Arc::new(AtomicUsize::new(0));
    let barrier = Arc::new(tokio::sync::Barrier::new(100));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (dogpile, creations, barrier) =
                (dogpile.clone(), Arc::clone(&creations), Arc::clone(&barrier));
            tokio::spawn(async move {
                let clock = clock();
                barrier.wait().await;
                let create = || async {
                    creations.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    panic!("always")
                };
                dogpile.read_through(&request("k", &clock), create).await
            })
        })
        .collect();
    let mut told = 0;
    for task in tasks {
        if let Ok(outcome) = task.await {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Panicked);
            assert!(error.to_string().ends_with("panicked: always"), "{error}");
            told += 1;
        }
    }
    assert_eq!((told, creations.load(Ordering::SeqCst)), (98, 2));
}

/// Rule 10.
#[tokio::test]
async fn a_creator_that_asks_for_its_own_key_is_told_so() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let outer = request("k", &clock);
    let served = dogpile.read_through(&outer, || async {
        let inner = dogpile.read_through(&outer, || async { Ok(made(1)) }).await;
        assert_eq!(inner.unwrap_err().kind(), ErrorKind::Reentrant);
        let other =
            dogpile.read_through(&request("another", &clock), || async { Ok(made(2)) }).await?;
        Ok(made(other.entry.value))
    });
    assert_eq!(served.await.unwrap().entry.value, 2);
}

#[tokio::test]
async fn two_creators_that_ask_for_each_other_are_told_so() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let both_began = tokio::sync::Barrier::new(2);
    let (a, b) = (request("a", &clock), request("b", &clock));
    let first = dogpile.read_through(&a, || async {
        both_began.wait().await;
        Ok(made(dogpile.read_through(&b, || async { Ok(made(1)) }).await?.entry.value))
    });
    let second = dogpile.read_through(&b, || async {
        both_began.wait().await;
        Ok(made(dogpile.read_through(&a, || async { Ok(made(1)) }).await?.entry.value))
    });
    let (first, second) = tokio::join!(first, second);
    assert!(
        [&first, &second]
            .into_iter()
            .any(|outcome| matches!(outcome, Err(e) if e.kind() == ErrorKind::Reentrant))
    );
}

#[tokio::test]
async fn a_backend_that_is_down_is_asked_once_for_all_who_wait() {
    let (map, clock) = (Map::default(), clock());
    let dogpile = Dogpile::leased(Paired::new(map.clone(), LocalLock::new()));
    map.down.store(true, Ordering::SeqCst);
    let request = request("k", &clock);
    let calls = (0..100).map(|_| dogpile.read_through(&request, || async { Ok(made(1)) }));
    for outcome in join_all(calls).await {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    map.down.store(false, Ordering::SeqCst);
    assert_eq!(
        dogpile.read_through(&request, || async { Ok(made(1)) }).await.unwrap().entry.value,
        1
    );
}

#[tokio::test]
async fn a_value_that_cannot_be_stored_reaches_those_who_wait() {
    let (map, clock) = (Map::default(), clock());
    let dogpile = Dogpile::local(map.clone());
    let request = request("k", &clock);
    let calls = (0..10).map(|_| {
        dogpile.read_through(&request, || async {
            tokio::task::yield_now().await;
            map.down.store(true, Ordering::SeqCst);
            Ok(made(5))
        })
    });
    let outcomes = join_all(calls).await;
    assert_eq!(
        outcomes.iter().filter(|outcome| outcome.is_err()).count(),
        1,
        "the creator is told"
    );
    assert_eq!(outcomes.iter().flatten().filter(|served| served.entry.value == 5).count(), 9);
}

#[tokio::test]
async fn a_caller_waits_no_longer_than_it_allows() {
    let (dogpile, clock) = (Dogpile::with_lock(Map::default(), LocalLock::new()), clock());
    let slow = request("k", &clock);
    let creator = dogpile.read_through(&slow, std::future::pending);
    let waiter = async {
        let request = request("k", &clock).with_wait_for(Duration::from_millis(30));
        dogpile.read_through(&request, || async { Ok(made(1)) }).await
    };
    tokio::select! {
        biased;
        _ = creator => unreachable!("it never ends"),
        outcome = waiter => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::TimedOut),
    }
    // The creator was dropped: its turn is free.
    assert_eq!(dogpile.read_through(&slow, || async { Ok(made(3)) }).await.unwrap().entry.value, 3);
}
