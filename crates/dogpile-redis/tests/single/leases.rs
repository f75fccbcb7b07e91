//! Leases: what they cost, and what a lost one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile_cache::{Region, codec::MsgPack};
use dogpile_core::{Clock, Key, SystemClock, Timestamp};
use dogpile_lock::Dogpile;
use dogpile_redis::Redis;
use redis::AsyncCommands;

use crate::server::{ask, open};

type Cache = Region<Dogpile<Redis>, MsgPack>;

async fn region(name: &str) -> (Redis, Cache) {
    let redis = open().await.with_prefix(format!("leases {name} "));
    let region = Region::new(Dogpile::leased(redis.clone()), MsgPack);
    (redis, region)
}

async fn made(value: u32) -> std::io::Result<u32> {
    Ok(value)
}

/// Round trips of a call.
async fn trips<T>(redis: &Redis, call: impl Future<Output = T>) -> (u64, T) {
    let before = redis.stats().round_trips;
    let answer = call.await;
    (redis.stats().round_trips - before, answer)
}

#[tokio::test]
async fn round_trips_are_as_few_as_promised() {
    let short = Duration::from_millis(20);
    for group in [false, true] {
        let (redis, region) = region(&format!("trips {group}")).await;
        let region = region.expires_after(short);
        let key = if group { Key::field("g", "f") } else { Key::name("f") };
        let (miss, value) = trips(&redis, region.get_or_create(key, || made(1))).await;
        assert_eq!((miss, value.unwrap()), (3, 1), "a miss, on a server that has seen no script");
        let patient = region.clone().expires_after(Duration::from_secs(60));
        for _ in 0..3 {
            let (hit, value) = trips(&redis, patient.get_or_create(key, || made(2))).await;
            assert_eq!((hit, value.unwrap()), (1, 1), "a hit");
        }
        tokio::time::sleep(short * 2).await;
        let (expired, value) = trips(&redis, region.get_or_create(key, || made(3))).await;
        assert_eq!((expired, value.unwrap()), (3, 3), "expired");

        tokio::time::sleep(short * 2).await;
        let (creating, release) =
            (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
        let creator = {
            let (region, creating, release) = (region.clone(), creating.clone(), release.clone());
            tokio::spawn(async move {
                let key = if group { Key::field("g", "f") } else { Key::name("f") };
                let create = || async {
                    creating.notify_one();
                    release.notified().await;
                    made(4).await
                };
                region.get_or_create(key, create).await.unwrap()
            })
        };
        creating.notified().await;
        let other_redis = open().await.with_prefix(format!("leases trips {group} "));
        let other = Region::new(Dogpile::leased(other_redis.clone()), MsgPack).expires_after(short);
        for _ in 0..3 {
            let (busy, value) = trips(&other_redis, other.get_or_create(key, || made(5))).await;
            assert_eq!((busy, value.unwrap()), (1, 3), "stale, and somebody else creates it");
        }
        release.notify_one();
        assert_eq!(creator.await.unwrap(), 4);

        let names: Vec<_> = (0..10).map(|at| format!("many {at}")).collect();
        let keys: Vec<_> = names
            .iter()
            .map(|name| if group { Key::field("g", name) } else { Key::name(name) })
            .collect();
        let create = |missing: Vec<&Key<'_>>| {
            let values = vec![6_u32; missing.len()];
            async move { Ok::<_, std::io::Error>(values) }
        };
        let (many, values) = trips(&redis, region.get_or_create_many(&keys, create)).await;
        assert_eq!((many, values.unwrap()), (3, vec![6; 10]), "ten missing keys at once");
    }
}

#[tokio::test]
async fn leases_begin_as_they_were_told_to() {
    let redis = open().await.with_prefix("leases named ").with_lease_prefix("lock:");
    let region = Region::new(Dogpile::leased(redis.clone()), MsgPack);
    let other = Region::new(Dogpile::leased(redis), MsgPack).with_wait_for(Duration::ZERO);
    for (key, lease) in [
        (Key::name("k"), "lock:{leases named k}:lease"),
        (Key::field("g", "f"), "lock:{leases named g:fields}:lease"),
    ] {
        let create = || async {
            let there: Vec<String> = ask().await.keys("*leases named *").await.unwrap();
            assert_eq!(there, [lease]);
            assert!(other.is_locked(key).await.unwrap());
            assert!(other.get_or_create(key, || made(2)).await.is_err(), "it is being created");
            made(1).await
        };
        assert_eq!(region.get_or_create(key, create).await.unwrap(), 1);
        assert!(!other.is_locked(key).await.unwrap());
        region.delete(key).await.unwrap();
    }
    let left: Vec<String> = ask().await.keys("*leases named *").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_flush_during_a_creation_is_reported_and_hides_nothing() {
    let lost = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lost);
    let redis = open().await.with_prefix("leases flushed ");
    let dogpile = Dogpile::leased(redis.clone()).with_on_lost_lease(move |key| {
        assert_eq!(key, Key::name("k"));
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let region = Region::new(dogpile, MsgPack);
    let value = region
        .get_or_create("k", || async {
            // The lease alone: other tests use the same database.
            let _: () = ask().await.del("{leases flushed k}:lease").await.unwrap();
            made(7).await
        })
        .await
        .unwrap();
    assert_eq!(value, 7);
    assert_eq!((lost.load(Ordering::SeqCst), redis.stats().lost_leases), (1, 1));
    assert_eq!(region.get::<u32>("k").await.unwrap(), None, "and it is not stored");
}

#[tokio::test]
async fn a_process_that_lost_its_lease_does_not_overwrite_the_next_ones_value() {
    let (_, region) = region("overtaken").await;
    let region = region.with_lease_for(Duration::from_secs(5));
    let value = region
        .get_or_create("k", || async {
            // As if its lease had run out, and another had created meanwhile.
            let mut server = ask().await;
            let _: () = server.del("{leases overtaken k}:lease").await.unwrap();
            let other = Region::new(
                Dogpile::leased(open().await.with_prefix("leases overtaken ")),
                MsgPack,
            );
            assert_eq!(other.get_or_create("k", || made(2)).await.unwrap(), 2);
            made(1).await
        })
        .await
        .unwrap();
    assert_eq!(value, 1, "who created it has it");
    assert_eq!(region.get::<u32>("k").await.unwrap(), Some(2), "the later one's stays");
}

#[tokio::test]
async fn foreign_bytes_are_created_anew() {
    let mut server = ask().await;
    for bytes in [
        &b""[..],
        b"\x00",
        b"\xd0",
        b"\xd3\x00\x00",
        b"hello, this is text of somebody",
        b"\xd0\x01\x8b\xcf\xe5\x68\xfa\xc1",
    ] {
        let _: () = server.set("leases foreign k", bytes).await.unwrap();
        let (_, region) = region("foreign").await;
        assert_eq!(region.get::<u32>("k").await.unwrap(), None, "{bytes:?}");
        assert_eq!(region.get_or_create("k", || made(9)).await.unwrap(), 9, "{bytes:?}");
        assert_eq!(region.get::<u32>("k").await.unwrap(), Some(9), "{bytes:?}");
    }
}

#[tokio::test]
async fn what_comes_from_a_clock_set_back_is_stale_and_not_for_ever() {
    let (redis, region) = region("future").await;
    let ahead = SystemClock.now().plus(Duration::from_secs(86_400));
    let entry = dogpile_core::Entry::new(ahead, bytes::Bytes::from_static(b"\x01"));
    dogpile_core::BackendExt::set(&redis, Key::name("k"), entry).await.unwrap();
    assert_eq!(region.get::<u32>("k").await.unwrap(), None);
    assert_eq!(region.get_or_create("k", || made(2)).await.unwrap(), 2);
    assert_eq!(region.get::<u32>("k").await.unwrap(), Some(2));
    let _ = Timestamp::MIN;
}
