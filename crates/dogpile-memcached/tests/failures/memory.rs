//! A server that has less memory than it is given values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dogpile_core::{Ask, Backend, Clock, ErrorKind, Key, LeaseBackend, Policy, SystemClock};
use dogpile_memcached::{Memcached, Split};

use crate::support::{Options, wait_until};
use crate::{Random, millis, put, region};

/// Some kilobytes, and for some keys more than the server keeps in one item.
fn text(key: u64) -> String {
    let times = if is_large(key) { 200_000 } else { 200 + key as usize % 300 };
    format!("{key} ").repeat(times)
}

fn is_large(key: u64) -> bool {
    key % 200 == 7
}

/// Placeholders, stale values and parts of values are evicted while values are created: every answer is
/// right all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eviction_during_creations_loses_values_and_makes_none_wrong() {
    let server = Options::new().arguments(&["-m", "2", "-I", "512k"]).start();
    let memcached = Memcached::connect(&server.url()).await.unwrap();
    let memcached = memcached.with_split(Split::new().with_max_size(2 << 20));
    let made = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let cache = region(&memcached)
                .expires_after(millis(if task % 2 == 0 { 20 } else { 60_000 }))
                .with_lease_for(millis(1_000));
            let made = Arc::clone(&made);
            tokio::spawn(async move {
                let mut random = Random(task);
                for nth in 0..400 {
                    let key = random.below(3_000);
                    let create = || async {
                        made.fetch_add(1, Ordering::Relaxed);
                        if nth % 16 == 0 {
                            tokio::time::sleep(millis(5)).await;
                        }
                        Ok::<_, String>(text(key))
                    };
                    match cache.get_or_create(&*format!("k{key}"), create).await {
                        Ok(value) => assert_eq!(value, text(key)),
                        // Of 2 MB, there is not always half a megabyte to evict; and that is told.
                        Err(error) => {
                            assert!(is_large(key) && error.is_temporary(), "{key}: {error:?}");
                            assert!(error.to_string().contains("memory"), "{error}");
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let evictions = server.stat("evictions");
    println!("{evictions} evictions, {} creations", made.load(Ordering::Relaxed));
    assert!(evictions > 500, "{evictions}: there was no pressure");
}

#[tokio::test]
async fn a_server_that_may_not_evict_says_that_it_is_full() {
    let server = Options::new().arguments(&["-m", "2", "-M"]).start();
    let memcached = Memcached::connect(&server.url()).await.unwrap();
    put(&memcached, Key::name("there"), "v").await.unwrap();
    let mut at = 0;
    let error = loop {
        match put(&memcached, Key::name(&format!("k{at}")), vec![7; 10_000]).await {
            Ok(()) => at += 1,
            Err(error) => break error,
        }
        assert!(at < 5_000, "50 MB in 2");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("memory"), "{error}");
    assert_eq!(memcached.get(Key::name("there")).await.unwrap().unwrap().value, "v");
    memcached.delete_many(&[Key::name("k0"), Key::name("k1")]).await.unwrap();
    wait_until("room for one more", || {
        server.ask("set k1 0 0 1\r\nx").starts_with("STORED").then_some(())
    });
    put(&memcached, Key::name("k0"), vec![7; 10_000]).await.unwrap();
}

/// Without eviction, a server grants the turns for which it has room. Nobody hears of them if it refused
/// another of the same call, so they are given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_that_nobody_hears_of_are_given_back() {
    let server = Options::new().arguments(&["-m", "2", "-M"]).start();
    let memcached = Memcached::connect(&server.url()).await.unwrap();
    // As small as the place of a turn.
    let mut wire = server.wire();
    let mut kept = 0;
    while wire.ask(format!("set f{kept:05} 0 0 1\r\nx")) == "STORED" {
        kept += 1;
    }
    for nth in 0..3 {
        assert_eq!(wire.ask(format!("delete f{nth:05}")), "DELETED");
    }
    let names: Vec<String> = (0..10).map(|nth| format!("n{nth:05}")).collect();
    let policy = Policy::new().at(SystemClock.now());
    let asks: Vec<_> =
        names.iter().map(|name| Ask::new(Key::name(name), policy, millis(60_000))).collect();
    let error = memcached.get_or_lease_many(&asks).await.unwrap_err();
    assert!(error.to_string().contains("memory"), "{error:?}");
    assert_eq!(memcached.stats()[0].connections, 1, "that is no reason to drop a connection");
    let granted = || (0..10).filter(|nth| server.ask(format!("me n{nth:05}")) != "EN").count();
    wait_until("the turns to end", || (granted() == 0).then_some(()));
    assert!(server.stat("delete_hits") > 3, "there were some");
}
