//! A write or delete during a creation wins over the value being created.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use dogpile_core::{
    Backend, BackendExt, Entry, Key, LeaseBackend, Made, Policy, ReadThrough, Request, SetOptions,
};
use dogpile_lock::{Dogpile, LocalLock, Paired};
use support::{Map, clock, made, request};

/// Rule 7, over every way to coordinate.
#[tokio::test]
async fn a_delete_during_a_creation_wins() {
    deleted(Dogpile::local(Map::default())).await;
    deleted(Dogpile::with_lock(Map::default(), LocalLock::new())).await;
    deleted(Dogpile::leased(Paired::new(Map::default(), LocalLock::new()))).await;
}

async fn deleted<L: LeaseBackend<Value = u64> + 'static>(dogpile: Dogpile<L>) {
    let clock = clock();
    let request = request("k", &clock);
    let served = dogpile.read_through(&request, || async {
        dogpile.delete(Key::name("k")).await?;
        // Whoever comes after the delete does not get what was begun before it.
        let later = dogpile.read_through(&request, || async { Ok(made(2)) }).await?;
        assert_eq!(later.entry.value, 2);
        Ok(made(1))
    });
    assert_eq!(served.await.unwrap().entry.value, 1, "its creator has the value");
    assert_eq!(
        dogpile.get(Key::name("k")).await.unwrap().unwrap().value,
        2,
        "the later value stays"
    );
}

#[tokio::test]
async fn a_set_during_a_creation_wins() {
    written(Dogpile::local(Map::default())).await;
    written(Dogpile::with_lock(Map::default(), LocalLock::new())).await;
    written(Dogpile::leased(Paired::new(Map::default(), LocalLock::new()))).await;
}

async fn written<L: LeaseBackend<Value = u64> + 'static>(dogpile: Dogpile<L>) {
    let clock = clock();
    let request = request("k", &clock);
    let served = dogpile.read_through(&request, || async {
        dogpile.set(Key::name("k"), Entry::new(clock.now(), 9)).await?;
        Ok(made(1))
    });
    assert_eq!(served.await.unwrap().entry.value, 1);
    assert_eq!(dogpile.get(Key::name("k")).await.unwrap().unwrap().value, 9);
}

#[tokio::test]
async fn dropping_a_group_during_a_creation_wins() {
    let (dogpile, clock) = (Dogpile::with_lock(Map::default(), LocalLock::new()), clock());
    let request = Request::new(Key::field("g", "k"), Policy::new(), &clock);
    let served = dogpile.read_through(&request, || async {
        dogpile.delete_group(b"g").await?;
        Ok(made(1))
    });
    assert_eq!(served.await.unwrap().entry.value, 1);
    assert_eq!(dogpile.get(Key::field("g", "k")).await.unwrap(), None);
}

#[tokio::test]
async fn another_handle_of_the_lock_and_backend_wins_too() {
    let (map, lock, clock) = (Map::default(), LocalLock::new(), clock());
    let here = Dogpile::with_lock(map.clone(), lock.clone());
    let elsewhere = Dogpile::with_lock(map.clone(), lock);
    let request = request("k", &clock);
    let served = here.read_through(&request, || async {
        elsewhere.delete(Key::name("k")).await?;
        Ok(made(1))
    });
    assert_eq!(served.await.unwrap().entry.value, 1);
    assert_eq!(map.get(Key::name("k")).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_served_to_those_who_wait_and_nobody_else() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let request = request("k", &clock);
    let calls = (0..10).map(|_| {
        dogpile.read_through(&request, || async {
            tokio::task::yield_now().await;
            Ok(Made::unstored(Entry::new(clock.now(), 1)))
        })
    });
    for served in support::join_all(calls).await {
        assert_eq!(served.unwrap().entry.value, 1);
    }
    assert_eq!(dogpile.get(Key::name("k")).await.unwrap(), None);
}

/// A hard invalidation is a barrier in the requests that come after it.
#[tokio::test]
async fn who_asks_after_an_invalidation_does_not_get_what_was_begun_before_it() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let began = clock.now().minus(Duration::from_secs(1));
    let before = request("k", &clock);
    let (go, gate) = tokio::sync::oneshot::channel::<()>();
    let creator = dogpile.read_through(&before, || async {
        gate.await.unwrap();
        Ok(Made::new(Entry::new(began, 1), SetOptions::new()))
    });
    let later = async {
        let after =
            Request::new(Key::name("k"), Policy::new().with_dead_before(clock.now()), &clock);
        let mut later = Box::pin(dogpile.read_through(&after, || async { Ok(made(2)) }));
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(later.as_mut().poll(cx)))
                .await
                .is_pending()
        );
        go.send(()).unwrap();
        later.await
    };
    let (first, second) = tokio::join!(creator, later);
    assert_eq!((first.unwrap().entry.value, second.unwrap().entry.value), (1, 2));
}
