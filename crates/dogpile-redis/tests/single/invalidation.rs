//! Invalidations that all processes learn of by counters on the server.

use std::time::Duration;

use dogpile_cache::{Field, Invalidation, Region, codec::MsgPack};
use dogpile_lock::Dogpile;
use dogpile_redis::Redis;
use redis::AsyncCommands;

use crate::server::{ask, open};

type Cache = Region<Dogpile<Redis>, MsgPack>;

/// A region as another process would have it: a connection and counters of its own.
async fn process(name: &str) -> Cache {
    let redis = open().await.with_prefix(format!("invalidation {name} "));
    let counter = redis.counter();
    Region::new(Dogpile::leased(redis), MsgPack).with_shared_invalidation(counter, Duration::ZERO)
}

async fn made(value: u32) -> std::io::Result<u32> {
    Ok(value)
}

#[tokio::test]
async fn a_region_is_invalidated_for_every_process() {
    let (one, other) = (process("region").await, process("region").await);
    for cache in [&one, &other] {
        assert_eq!(cache.get_or_create("k", || made(1)).await.unwrap(), 1);
    }
    one.invalidate(Invalidation::Hard).await.unwrap();
    for cache in [&other, &one] {
        assert_eq!(cache.get::<u32>("k").await.unwrap(), None);
    }
    assert_eq!(other.get_or_create("k", || made(2)).await.unwrap(), 2);
    for cache in [&one, &other] {
        assert_eq!(cache.get_or_create("k", || made(3)).await.unwrap(), 2);
    }
    // A process that starts later knows of it, too.
    other.invalidate(Invalidation::Soft).await.unwrap();
    let late = process("region").await;
    assert_eq!(late.get::<u32>("k").await.unwrap(), None);
    assert_eq!(late.get_or_create("k", || made(4)).await.unwrap(), 4);
}

#[tokio::test]
async fn a_group_is_invalidated_alone() {
    let (one, other) = (process("group").await, process("group").await);
    for group in ["a", "b"] {
        one.set(Field(group, "f"), &1_u32).await.unwrap();
    }
    one.invalidate_group("a", Invalidation::Hard).await.unwrap();
    assert_eq!(other.get::<u32>(Field("a", "f")).await.unwrap(), None);
    assert_eq!(other.get::<u32>(Field("b", "f")).await.unwrap(), Some(1));
    assert_eq!(other.get_or_create(Field("a", "f"), || made(2)).await.unwrap(), 2);
    assert_eq!(one.get::<u32>(Field("a", "f")).await.unwrap(), Some(2));
}

/// A creation that began before an invalidation elsewhere stores nothing that would be served.
#[tokio::test]
async fn an_invalidation_during_a_creation_wins() {
    let (one, other) = (process("race").await, process("race").await);
    let create = || async {
        other.invalidate(Invalidation::Hard).await.unwrap();
        made(1).await
    };
    assert_eq!(one.get_or_create("k", create).await.unwrap(), 1);
    for cache in [&one, &other] {
        assert_eq!(cache.get::<u32>("k").await.unwrap(), None);
    }
}

/// They are keys as others are: a server that evicts them forgets what was invalidated.
#[tokio::test]
async fn what_is_forgotten_with_its_counter_is_served_again() {
    let cache = process("forgotten").await;
    cache.set("k", &1_u32).await.unwrap();
    cache.invalidate(Invalidation::Hard).await.unwrap();
    assert_eq!(cache.get::<u32>("k").await.unwrap(), None);
    let mut server = ask().await;
    let counters: Vec<String> = server.keys("*invalidation forgotten *count*").await.unwrap();
    assert!(!counters.is_empty());
    let _: () = server.del(counters).await.unwrap();
    let late = process("forgotten").await;
    assert_eq!(late.get::<u32>("k").await.unwrap(), Some(1));
}
