//! Creations that outlive their callers, and creations in the background.
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

use dogpile_core::{Backend, BackendExt, BoxFuture, ErrorKind, Key, ReadThrough, ServedBy};
use dogpile_lock::Dogpile;
use support::{Map, clock, eventually, expired, made, old, request};

#[tokio::test]
async fn it_goes_on_when_the_caller_gives_up() {
    let (map, clock) = (Map::default(), clock());
    let dogpile = Dogpile::local(map.clone());
    let (go, gate) = tokio::sync::oneshot::channel::<()>();
    let request = request("k", &clock);
    let call = dogpile.read_through_detached(&request, || async {
        gate.await.unwrap();
        Ok(made(1))
    });
    assert!(
        tokio::time::timeout(Duration::from_millis(20), call).await.is_err(),
        "the caller gives up"
    );
    let waits = dogpile.read_through_detached(&request, || async { panic!("a second creator") });
    let (_, served) = tokio::join!(async { go.send(()).unwrap() }, waits);
    let served = served.unwrap();
    assert_eq!((served.entry.value, served.by), (1, ServedBy::Waited));
    assert_eq!(map.get(Key::name("k")).await.unwrap().unwrap().value, 1);
}

/// Callers that give up sooner than a creation takes are served all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_impatient_callers_is_served() {
    let dogpile = Dogpile::local(Map::default());
    let creations = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let (dogpile, creations) = (dogpile.clone(), Arc::clone(&creations));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(n)).await;
                let clock = clock();
                let create = move || async move {
                    creations.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok(made(1))
                };
                let request = request("k", &clock);
                let call = dogpile.read_through_detached(&request, create);
                (n, tokio::time::timeout(Duration::from_millis(20), call).await.is_ok())
            })
        })
        .collect();
    let (mut late, mut served) = (0, 0);
    for task in tasks {
        let (n, ok) = task.await.unwrap();
        if n >= 80 {
            late += 1;
            served += usize::from(ok);
        }
    }
    assert_eq!(creations.load(Ordering::SeqCst), 1);
    assert!(
        served * 100 >= late * 95,
        "{served} of the {late} that came after the creation were served"
    );
}

#[tokio::test]
async fn in_the_background_the_creator_too_has_the_stale_value_at_once() {
    let map = Map::default();
    map.set(Key::name("k"), old(1)).await.unwrap();
    let (dogpile, clock) = (Dogpile::local(map).with_background(true), clock());
    let request = expired("k", &clock);
    let served = dogpile.read_through_detached(&request, || async { Ok(made(2)) }).await.unwrap();
    assert_eq!((served.entry.value, served.by), (1, ServedBy::Stale));
    let mut fresh = 0;
    while fresh != 2 {
        tokio::task::yield_now().await;
        let served = dogpile
            .read_through_detached(&request, || async { panic!("a second creator") })
            .await
            .unwrap();
        fresh = served.entry.value;
    }
    // The first creation has no stale value to serve, so its caller waits for it.
    let first = support::request("another", &clock);
    let served = dogpile.read_through_detached(&first, || async { Ok(made(3)) }).await.unwrap();
    assert_eq!((served.entry.value, served.by), (3, ServedBy::Created));
}

#[tokio::test]
async fn a_panic_in_a_detached_creation_is_an_error_of_its_caller() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let request = request("k", &clock);
    let outcome = dogpile.read_through_detached(&request, || async { panic!("boom") }).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Panicked);
    assert_eq!(
        dogpile.read_through(&request, || async { Ok(made(1)) }).await.unwrap().entry.value,
        1
    );
}

#[test]
fn without_a_runtime_it_is_refused_and_the_turn_is_free() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let request = request("k", &clock);
    let mut call = Box::pin(dogpile.read_through_detached(&request, || async { Ok(made(1)) }));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(outcome) = call.as_mut().poll(&mut cx) else {
        panic!("it waits for nothing")
    };
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("with_spawner"), "{error}");
    drop(call);
    assert_eq!(dogpile.blocking().read_through(&request, || Ok(made(2))).unwrap().entry.value, 2);
}

#[tokio::test]
async fn the_callers_spawner_is_used() {
    struct Counting(Arc<AtomicUsize>);
    impl dogpile_lock::Spawn for Counting {
        fn spawn(&self, task: BoxFuture<'static, ()>) -> dogpile_core::Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            tokio::runtime::Handle::current().spawn(task);
            Ok(())
        }
    }
    let spawned = Arc::new(AtomicUsize::new(0));
    let dogpile = Dogpile::local(Map::default()).with_spawner(Counting(Arc::clone(&spawned)));
    let clock = clock();
    for key in ["a", "b", "a"] {
        dogpile
            .read_through_detached(&request(key, &clock), || async { Ok(made(1)) })
            .await
            .unwrap();
    }
    eventually("two creations were spawned", || spawned.load(Ordering::SeqCst) == 2).await;
}
