//! Connections that take long, or that fail again and again.

use std::time::Duration;

use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Held, Key, LeaseBackend, Policy, SetOptions, SystemClock,
};
use dogpile_memcached::{Connect, Memcached};

use crate::support::{Liar, Proxy, Server};
use crate::{millis, put, quick};

/// Calls whose callers give up sooner than a connection is made: it is made all the same.
#[tokio::test]
async fn callers_without_patience_get_a_connection_in_the_end() {
    let server = Server::start();
    let proxy = Proxy::to(server.place());
    proxy.delay(millis(60));
    let options = Connect::new().with_connect_timeout(Duration::from_secs(5));
    let memcached = Memcached::lazy(&server.url_at(proxy.port()), options).unwrap();
    for _ in 0..20 {
        let _ = tokio::time::timeout(millis(30), memcached.get(Key::name("k"))).await;
    }
    assert_eq!(memcached.stats()[0].connects, 1);
}

/// And one that cannot be made is noticed, although nobody waited for it.
#[tokio::test]
async fn callers_without_patience_learn_that_a_server_is_down() {
    let server = Server::start();
    let memcached = Memcached::lazy(&server.url(), quick()).unwrap();
    server.pause();
    let mut failed = false;
    for _ in 0..40 {
        failed |= tokio::time::timeout(millis(30), memcached.get(Key::name("k"))).await.is_ok();
    }
    server.go_on();
    assert!(failed, "while it is left alone, calls fail at once");
    assert!(memcached.stats()[0].failed_connects > 0);
}

/// A thread that did something else for long finds its answers where they are.
#[tokio::test]
async fn an_answer_that_is_there_is_not_late() {
    let server = Server::start();
    let memcached = Memcached::connect_with(&server.url(), quick()).await.unwrap();
    put(&memcached, Key::name("k"), "v").await.unwrap();
    let busy = async {
        // The question is sent before this, and the answer comes during it.
        std::thread::sleep(millis(400));
    };
    let (found, ()) = tokio::join!(memcached.get(Key::name("k")), busy);
    assert_eq!(found.unwrap().unwrap().value, "v");
}

/// What stands between may have no statistics, from which the lives of a server are told apart.
#[tokio::test]
async fn a_turn_is_filled_by_another_connection_than_it_was_granted_by() {
    let server = Server::start();
    let liar = Liar::reticent(server.place());
    let memcached = Memcached::connect_with(&liar.url(), quick()).await.unwrap();
    // Many at once, until there is a second connection.
    while memcached.stats()[0].connections < 2 {
        let calls = (0..50).map(|_| memcached.get(Key::name("k")));
        futures_util::future::join_all(calls).await;
    }
    let names: Vec<String> = (0..50).map(|nth| format!("k{nth}")).collect();
    let creations = names.iter().map(|name| async {
        let policy = Policy::new().at(SystemClock.now());
        let ask = Ask::new(Key::name(name), policy, millis(5_000));
        let Answer::Create { lease, .. } = memcached.get_or_lease(&ask).await.unwrap() else {
            panic!("nobody else asks");
        };
        let entry = Entry::new(SystemClock.now(), "v".into());
        memcached.fill(Key::name(name), lease, entry, &SetOptions::new()).await.unwrap()
    });
    let held = futures_util::future::join_all(creations).await;
    let lost = held.iter().filter(|held| **held == Held::Lost).count();
    assert_eq!(lost, 0, "of {}", held.len());
}

#[cfg(feature = "classic")]
#[tokio::test]
async fn an_old_server_that_is_down_is_left_alone_too() {
    let server = Server::start();
    let classic = quick()
        .with_protocol(dogpile_memcached::Protocol::Classic)
        .with_retry_after(millis(200), millis(200));
    let memcached = Memcached::connect_with(&server.url(), classic).await.unwrap();
    put(&memcached, Key::name("k"), "v").await.unwrap();
    server.kill();
    let before = memcached.stats()[0].failed_connects;
    let began = std::time::Instant::now();
    for _ in 0..200 {
        assert!(memcached.get(Key::name("k")).await.is_err());
    }
    let stats = &memcached.stats()[0];
    assert!(stats.is_down, "{stats:?}");
    let attempts = stats.failed_connects - before;
    let allowed = 2 + began.elapsed().as_millis() / 150;
    assert!(
        (1..=allowed).contains(&u128::from(attempts)),
        "{attempts} attempts in {:?}",
        began.elapsed()
    );
    server.restart();
    tokio::time::sleep(millis(300)).await;
    let cache = crate::region(&memcached);
    assert_eq!(cache.get_or_create("n", || crate::made(1)).await.unwrap(), 1);
    assert!(!memcached.stats()[0].is_down);
}

#[tokio::test]
async fn times_without_an_end_are_allowed() {
    let server = Server::start();
    let endless = Connect::new()
        .with_connect_timeout(Duration::MAX)
        .with_response_timeout(Duration::MAX)
        .with_retry_after(Duration::MAX, Duration::MAX);
    let memcached = Memcached::connect_with(&server.url(), endless.clone()).await.unwrap();
    put(&memcached, Key::name("k"), "v").await.unwrap();
    let policy = Policy::new().at(SystemClock.now());
    let ask = Ask::new(Key::name("n"), policy, Duration::MAX);
    let Answer::Create { lease, .. } = memcached.get_or_lease(&ask).await.unwrap() else {
        panic!("nobody else asks");
    };
    let held = memcached.extend(Key::name("n"), lease, Duration::MAX).await.unwrap();
    assert_eq!(held, Held::Kept);
    assert_eq!(memcached.release(Key::name("n"), lease).await.unwrap(), Held::Kept);
    server.kill();
    let never = Memcached::lazy(&server.url(), endless).unwrap();
    for _ in 0..2 {
        assert!(never.get(Key::name("k")).await.is_err());
    }
}

#[tokio::test]
async fn a_password_in_an_address_is_refused_and_not_shown() {
    for address in ["memcached://user:hunter2@127.0.0.1", "user:hunter2@127.0.0.1:11211"] {
        let error = Memcached::connect(address).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        assert!(error.to_string().contains("with_credentials"), "{error}");
    }
}
