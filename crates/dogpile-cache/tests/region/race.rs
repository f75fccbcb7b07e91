//! What comes during a creation wins over the value being created.

use std::sync::Arc;

use dogpile_cache::backend::{Memory, MemoryCounter};
use dogpile_cache::codec::{Object, Shared};
use dogpile_cache::{
    CallOptions, Field, Invalidation,
    Invalidation::{Hard, Soft},
    Region,
};
use dogpile_conformance::ManualClock;
use dogpile_lock::Dogpile;

use crate::support::{Held, Local, bounded, millis, poll_once, region, seconds, watched};

type R = Region<Local<Memory>, Shared>;

/// What is fresh in `region` after `during` happened while a value was created there.
async fn after<D: Future<Output = ()>>(region: &R, during: D) -> Option<i32> {
    let (half, mut held) = Held::pair();
    let creation = region.get_or_create(Field("g", "k"), || async {
        half.await;
        Ok::<_, String>(1)
    });
    let meanwhile = async {
        held.running().await;
        during.await;
        held.finish();
    };
    let (created, ()) = bounded(async { tokio::join!(creation, meanwhile) }).await;
    assert_eq!(created.unwrap(), 1, "who asked before is answered");
    region.get(Field("g", "k")).await.unwrap()
}

#[tokio::test]
async fn nothing_happens() {
    let (region, _) = region();
    assert_eq!(after(&region, async {}).await, Some(1));
}

#[tokio::test]
async fn a_delete() {
    let (region, _) = region();
    assert_eq!(after(&region, async { region.delete(Field("g", "k")).await.unwrap() }).await, None);
}

#[tokio::test]
async fn a_delete_of_the_group() {
    let (region, _) = region();
    assert_eq!(after(&region, async { region.delete_group("g").await.unwrap() }).await, None);
}

#[tokio::test]
async fn a_set() {
    let (region, _) = region();
    let set = async { region.set(Field("g", "k"), &2).await.unwrap() };
    assert_eq!(after(&region, set).await, Some(2));
}

#[tokio::test]
async fn a_refresh() {
    let (region, _) = region();
    let refresh = async {
        region.refresh(Field("g", "k"), || async { Ok::<_, String>(2) }).await.unwrap();
    };
    assert_eq!(after(&region, refresh).await, Some(2));
}

#[tokio::test]
async fn an_invalidation_of_the_region_or_the_group() {
    for how in [Hard, Soft] {
        for group in [false, true] {
            let (region, clock) = region();
            let (region, stats) = watched(region);
            let during = async {
                // It may come in the first millisecond, and the creation goes on long after it.
                invalidate(&region, group, how).await;
                clock.advance(seconds(1));
            };
            assert_eq!(after(&region, during).await, None, "{how:?}, group: {group}");
            assert_eq!(stats.counts().overtaken, 1);
            let ignoring = CallOptions::new().with_ignore_expiry(true);
            let stored = region.get_with(Field("g", "k"), ignoring).await.unwrap();
            assert_eq!(stored, (how == Soft).then_some(1), "a hard one does not even store it");
            let next = region.get_or_create(Field("g", "k"), || async { Ok::<_, String>(2) });
            assert_eq!(next.await.unwrap(), 2);
            assert_eq!(region.get(Field("g", "k")).await.unwrap(), Some(2));
        }
    }
}

async fn invalidate(region: &R, group: bool, how: Invalidation) {
    match group {
        true => region.invalidate_group("g", how).await.unwrap(),
        false => region.invalidate(how).await.unwrap(),
    }
}

#[tokio::test]
async fn a_soft_one_leaves_the_value_to_be_served_stale() {
    let (region, clock) = region();
    let during = async {
        clock.advance(millis(5));
        region.invalidate(Soft).await.unwrap();
    };
    assert_eq!(after(&region, during).await, None);
    let (half, mut held) = Held::pair();
    let first = region.get_or_create(Field("g", "k"), || async {
        half.await;
        Ok::<_, String>(2)
    });
    let other = async {
        held.running().await;
        let other =
            region.get_or_create(Field("g", "k"), || async { Err::<i32, _>("not your turn") });
        let other = other.await;
        held.finish();
        other
    };
    let (first, other) = bounded(async { tokio::join!(first, other) }).await;
    assert_eq!((first.unwrap(), other.unwrap()), (2, 1));
}

#[tokio::test]
async fn who_asks_after_a_hard_one_is_not_served_what_was_begun_before_it() {
    let (region, clock) = region();
    let (half, mut held) = Held::pair();
    let first = region.get_or_create("k", || async {
        half.await;
        Ok::<_, String>(1)
    });
    let later = async {
        held.running().await;
        clock.advance(millis(5));
        region.invalidate(Hard).await.unwrap();
        let later = region.get_or_create("k", || async { Ok::<_, String>(2) });
        let finish = async {
            tokio::task::yield_now().await;
            held.finish();
        };
        tokio::join!(later, finish).0
    };
    let (first, later) = bounded(async { tokio::join!(first, later) }).await;
    assert_eq!((first.unwrap(), later.unwrap()), (1, 2));
    assert_eq!(region.get("k").await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_shared_one_from_another_process_whatever_its_clock() {
    for how in [Hard, Soft] {
        for group in [false, true] {
            for ahead in [-2_000_i64, 0, 2_000] {
                let (memory, counter) = (Memory::<Object>::new(100), MemoryCounter::new());
                let process = |clock: &ManualClock| {
                    Region::new(Dogpile::local(memory.clone()), Shared)
                        .with_clock(Arc::new(clock.clone()))
                        .with_shared_invalidation(counter.clone(), seconds(3_600))
                };
                let (clock, other_clock) = (ManualClock::new(), ManualClock::new());
                match ahead {
                    0.. => other_clock.advance(millis(ahead.unsigned_abs())),
                    _ => other_clock.step_back(millis(ahead.unsigned_abs())),
                }
                let (here, there) = (process(&clock), process(&other_clock));
                let during = async {
                    clock.advance(millis(3));
                    invalidate(&there, group, how).await;
                    clock.advance(millis(3));
                };
                let what = format!("{how:?}, group: {group}, {ahead} ms ahead");
                assert_eq!(after(&here, during).await, None, "{what}");
                let next = here.get_or_create(Field("g", "k"), || async { Ok::<_, String>(2) });
                assert_eq!(next.await.unwrap(), 2, "{what}");
                assert_eq!(here.get(Field("g", "k")).await.unwrap(), Some(2), "{what}");
                assert_eq!(there.get(Field("g", "k")).await.unwrap(), Some(2), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn an_invalidation_while_many_are_created() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        let keys = [Field("g", 1), Field("h", 1)];
        let (half, mut held) = Held::pair();
        let mut half = Some(half);
        let many = region.get_or_create_many(&keys, |missing| {
            let half = half.take();
            async move {
                if let Some(half) = half {
                    half.await;
                }
                Ok::<_, String>(vec![1; missing.len()])
            }
        });
        let meanwhile = async {
            held.running().await;
            clock.advance(millis(5));
            region.invalidate_group("g", how).await.unwrap();
            held.finish();
        };
        let (created, ()) = bounded(async { tokio::join!(many, meanwhile) }).await;
        assert_eq!(created.unwrap(), [1, 1]);
        assert_eq!(region.get_many::<i32, _>(&keys).await.unwrap(), [None, Some(1)]);
    }
}

#[tokio::test]
async fn an_invalidation_while_a_refresh_creates() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        let (half, mut held) = Held::pair();
        let refresh = region.refresh("k", || async {
            half.await;
            Ok::<_, String>(1)
        });
        let meanwhile = async {
            held.running().await;
            clock.advance(millis(5));
            region.invalidate(how).await.unwrap();
            held.finish();
        };
        let (created, ()) = bounded(async { tokio::join!(refresh, meanwhile) }).await;
        assert_eq!(created.unwrap(), 1);
        assert_eq!(region.get::<i32>("k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_turn_that_came_after_it_is_not_overtaken_by_it() {
    let (region, clock) = region();
    let (half, mut held) = Held::pair();
    let call = region.clone();
    let first = tokio::spawn(async move {
        let create = || async {
            half.await;
            Ok::<_, String>(1)
        };
        call.get_or_create("k", create).await
    });
    held.running().await;
    let waiting = region.get_or_create("k", || async { Ok::<_, String>(2) });
    tokio::pin!(waiting);
    assert!(poll_once(&mut waiting).await.is_none());
    clock.advance(millis(5));
    region.invalidate(Hard).await.unwrap();
    first.abort();
    assert_eq!(bounded(waiting).await.unwrap(), 2);
    assert_eq!(region.get("k").await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_turn_of_many_that_came_after_it_is_not_overtaken_by_it() {
    let (region, clock) = region();
    let (half, mut held) = Held::pair();
    let call = region.clone();
    let first = tokio::spawn(async move {
        let create = || async {
            half.await;
            Ok::<_, String>(1)
        };
        call.get_or_create("k", create).await
    });
    held.running().await;
    let waiting = region.get_or_create_many(&["k", "l"], |missing| async move {
        Ok::<_, String>(vec![2; missing.len()])
    });
    tokio::pin!(waiting);
    assert!(poll_once(&mut waiting).await.is_none());
    clock.advance(millis(5));
    region.invalidate(Hard).await.unwrap();
    first.abort();
    assert_eq!(bounded(waiting).await.unwrap(), [2, 2]);
    assert_eq!(region.get("k").await.unwrap(), Some(2));
}
