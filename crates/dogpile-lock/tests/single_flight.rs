//! One caller creates; the others are served the previous value, or wait.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogpile_core::{BackendExt, ErrorKind, Key, ReadThrough, ServedBy};
use dogpile_lock::{Dogpile, LocalLock};
use support::{Map, clock, expired, made, old, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_on_a_missing_key_create_once() {
    let dogpile = Dogpile::local(Map::default());
    let creations = Arc::new(AtomicUsize::new(0));
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
    let start = Instant::now();
    let mut by = std::collections::HashMap::new();
    for task in tasks {
        let served = task.await.unwrap().unwrap();
        assert_eq!(served.entry.value, 7);
        *by.entry(served.by).or_insert(0) += 1;
    }
    assert_eq!(creations.load(Ordering::SeqCst), 1);
    assert_eq!(by[&ServedBy::Created], 1);
    assert!(start.elapsed() < Duration::from_millis(500));
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
    assert_eq!(
        (created.as_ref().unwrap().entry.value, created.unwrap().by),
        (2, ServedBy::Created)
    );
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_waited_and_not_repeated() {
    for dogpile in [Dogpile::local(Map::default())] {
        let clock = clock();
        let creations = AtomicUsize::new(0);
        let request = request("k", &clock);
        let calls = (0..100).map(|_| {
            dogpile.read_through(&request, || async {
                creations.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Err(dogpile_core::Error::from_creator("the database is down"))
            })
        });
        for outcome in futures_join(calls).await {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Creation);
        }
        assert_eq!(creations.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_caller_waits_no_longer_than_it_allows() {
    let dogpile = Dogpile::with_lock(Map::default(), LocalLock::new());
    let clock = clock();
    let slow = request("k", &clock);
    let creator = dogpile.read_through(&slow, || std::future::pending());
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

/// All of these, polled together.
async fn futures_join<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut open = false;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(ready) => *output = Some(ready),
                    std::task::Poll::Pending => open = true,
                }
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
