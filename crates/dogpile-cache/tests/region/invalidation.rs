//! Forgetting everything, or a group of it, at once.

use std::sync::Arc;
use std::time::Duration;

use dogpile_cache::backend::{Memory, MemoryCounter};
use dogpile_cache::codec::{Object, Shared};
use dogpile_cache::{
    CallOptions, Field,
    Invalidation::{Hard, Soft},
    Region,
};
use dogpile_conformance::ManualClock;
use dogpile_lock::Dogpile;

use crate::support::{Held, Local, Maker, bounded, millis, poll_once, region, seconds};

#[tokio::test]
async fn hard_and_soft_end_what_a_read_finds() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        region.set_many(&[("a", 1), ("b", 2)]).await.unwrap();
        region.invalidate(how).await.unwrap();
        assert_eq!(region.get::<i32>("a").await.unwrap(), None, "in the same millisecond");
        clock.advance(millis(1));
        assert_eq!(region.get_many::<i32, _>(&["a", "b"]).await.unwrap(), [None, None]);
        region.set("a", &3).await.unwrap();
        assert_eq!(region.get("a").await.unwrap(), Some(3));
    }
}

#[tokio::test]
async fn what_is_written_right_after_is_there() {
    for how in [Hard, Soft] {
        let (region, _) = region();
        let made = Maker::default();
        region.get_or_create("k", || made.next()).await.unwrap();
        region.invalidate(how).await.unwrap();
        // The clock has not moved.
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
        region.set("set", &7).await.unwrap();
        assert_eq!(region.get("set").await.unwrap(), Some(7));
    }
}

#[tokio::test]
async fn each_of_many_in_one_millisecond_is_felt() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        let made = Maker::default();
        for expected in 1..=100 {
            assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), expected);
            assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), expected);
            region.invalidate(how).await.unwrap();
            region.invalidate(how).await.unwrap();
        }
        // A flood of them does not push the stamps away from the clock.
        for _ in 0..10_000 {
            region.invalidate(how).await.unwrap();
        }
        region.set("set", &1).await.unwrap();
        let found = region.get_with_metadata::<i32>("set", CallOptions::new()).await.unwrap();
        let ahead = found.unwrap().created.since(dogpile_cache::Clock::now(&clock));
        assert!(ahead <= millis(101), "{ahead:?}");
    }
}

#[tokio::test]
async fn after_a_clock_was_set_back_new_values_are_fresh() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        let made = Maker::default();
        clock.advance(seconds(3_600));
        region.get_or_create("k", || made.next()).await.unwrap();
        clock.step_back(seconds(3_600));
        region.invalidate(how).await.unwrap();
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn it_needs_no_expiry() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        let (region, made) = (region.never_expires(), Maker::default());
        region.get_or_create("k", || made.next()).await.unwrap();
        clock.advance(seconds(1));
        region.invalidate(how).await.unwrap();
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn after_a_hard_one_everybody_waits_and_after_a_soft_one_nobody() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        region.set("k", &0).await.unwrap();
        clock.advance(seconds(1));
        region.invalidate(how).await.unwrap();
        let (half, mut held) = Held::pair();
        let first = region.get_or_create("k", || async {
            half.await;
            Ok::<_, String>(1)
        });
        let other = async {
            held.running().await;
            let other = region.get_or_create("k", || async { Err::<i32, _>("not your turn") });
            match how {
                Soft => {
                    assert_eq!(other.await.unwrap(), 0);
                    held.finish();
                }
                Hard => {
                    let finish = async {
                        tokio::task::yield_now().await;
                        held.finish();
                    };
                    assert_eq!(tokio::join!(other, finish).0.unwrap(), 1);
                }
            }
        };
        assert_eq!(bounded(async { tokio::join!(first, other) }).await.0.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_soft_one_after_a_hard_one_does_not_undo_it() {
    let (region, clock) = region();
    region.set("k", &0).await.unwrap();
    clock.advance(seconds(1));
    region.invalidate(Hard).await.unwrap();
    clock.advance(seconds(1));
    region.invalidate(Soft).await.unwrap();
    let (half, mut held) = Held::pair();
    let first = region.get_or_create("k", || async {
        half.await;
        Ok::<_, String>(1)
    });
    let other = async {
        held.running().await;
        let other = region.get_or_create("k", || async { Err::<i32, _>("not your turn") });
        tokio::pin!(other);
        assert!(poll_once(&mut other).await.is_none(), "there is nothing to serve");
        held.finish();
        other.await
    };
    let (first, other) = bounded(async { tokio::join!(first, other) }).await;
    assert_eq!((first.unwrap(), other.unwrap()), (1, 1));
}

#[tokio::test]
async fn many_are_created_again() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        region.set_many(&[("a", 1), ("b", 2)]).await.unwrap();
        clock.advance(seconds(1));
        region.invalidate(how).await.unwrap();
        region.set("b", &3).await.unwrap();
        let many = region.get_or_create_many(&["a", "b"], |missing| async move {
            assert_eq!(missing, [&"a"]);
            Ok::<_, String>(vec![9])
        });
        assert_eq!(many.await.unwrap(), [9, 3]);
    }
}

#[tokio::test]
async fn an_entry_from_the_near_future_is_caught_by_the_next_one() {
    let (region, clock) = region();
    clock.advance(seconds(3));
    region.set("k", &1).await.unwrap();
    clock.step_back(seconds(3));
    assert_eq!(region.get("k").await.unwrap(), Some(1), "machines differ by seconds");
    clock.advance(seconds(4));
    region.invalidate(Hard).await.unwrap();
    assert_eq!(region.get::<i32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_group_is_forgotten_and_nothing_else() {
    for how in [Hard, Soft] {
        let (region, clock) = region();
        region.set_many(&[(Field("users", 1), 1), (Field("pages", 1), 2)]).await.unwrap();
        region.set("users", &3).await.unwrap();
        clock.advance(seconds(1));
        region.invalidate_group("users", how).await.unwrap();
        assert_eq!(region.get::<i32>(Field("users", 1)).await.unwrap(), None);
        assert_eq!(region.get(Field("pages", 1)).await.unwrap(), Some(2));
        assert_eq!(region.get("users").await.unwrap(), Some(3));
        region.set(Field("users", 1), &4).await.unwrap();
        assert_eq!(region.get(Field("users", 1)).await.unwrap(), Some(4));
    }
}

#[tokio::test]
async fn many_keys_of_many_groups_each_go_by_their_own() {
    let (region, clock) = region();
    let keys = [Field("a", 1), Field("b", 1), Field("c", 1)];
    region.set_many(&keys.map(|key| (key, 0))).await.unwrap();
    clock.advance(seconds(1));
    region.invalidate_group("a", Hard).await.unwrap();
    clock.advance(seconds(1));
    region.invalidate_group("b", Soft).await.unwrap();
    let calls = std::sync::Mutex::new(Vec::new());
    let many = region.get_or_create_many(&keys, |missing| {
        calls.lock().unwrap().extend(missing.iter().map(|key| key.0));
        async move { Ok::<_, String>(vec![1; missing.len()]) }
    });
    assert_eq!(many.await.unwrap(), [1, 1, 0]);
    let mut called = calls.into_inner().unwrap();
    called.sort_unstable();
    assert_eq!(called, ["a", "b"]);
    assert_eq!(region.get_many(&keys).await.unwrap(), [Some(1), Some(1), Some(0)]);
}

#[tokio::test]
async fn the_memory_of_groups_is_bounded_and_forgets_too_much_rather_than_too_little() {
    let (region, clock) = region();
    let region = region.never_expires();
    let names: Vec<String> = (0..30_000).map(|n| format!("group {n}")).collect();
    region.set(Field(&names[0], 1), &1).await.unwrap();
    for name in &names {
        clock.advance(millis(1));
        region.invalidate_group(name, Hard).await.unwrap();
    }
    assert_eq!(region.get::<i32>(Field(&names[0], 1)).await.unwrap(), None);
    clock.advance(seconds(1));
    region.set(Field(&names[0], 1), &2).await.unwrap();
    assert_eq!(region.get(Field(&names[0], 1)).await.unwrap(), Some(2));
}

#[tokio::test]
async fn delete_group_removes_it_from_the_store() {
    let (region, _) = region();
    region.set_many(&[(Field("users", 1), 1), (Field("users", 2), 2)]).await.unwrap();
    region.set("users", &3).await.unwrap();
    region.delete_group("users").await.unwrap();
    let found: Vec<Option<i32>> =
        region.get_many(&[Field("users", 1), Field("users", 2)]).await.unwrap();
    assert_eq!(found, [None, None]);
    assert_eq!(region.get("users").await.unwrap(), Some(3));
}

#[tokio::test]
async fn clones_are_the_same_region_and_another_prefix_is_another() {
    let (region, _) = region();
    let other = region.clone().with_prefix("other:");
    region.set("k", &1).await.unwrap();
    other.set("k", &2).await.unwrap();
    region.clone().invalidate(Hard).await.unwrap();
    assert_eq!(region.get::<i32>("k").await.unwrap(), None);
    assert_eq!(other.get("k").await.unwrap(), Some(2));
}

/// Two regions, as two processes would have them, over one store and one counter.
fn two_processes(lag: Duration) -> ([Region<Local<Memory>, Shared>; 2], ManualClock) {
    let (clock, memory, counter) =
        (ManualClock::new(), Memory::<Object>::new(100), MemoryCounter::new());
    let process = || {
        Region::new(Dogpile::local(memory.clone()), Shared)
            .expires_after(seconds(10))
            .with_clock(Arc::new(clock.clone()))
            .with_shared_invalidation(counter.clone(), lag)
    };
    ([process(), process()], clock)
}

#[tokio::test]
async fn a_shared_invalidation_reaches_everybody_within_the_lag() {
    for how in [Hard, Soft] {
        let ([here, there], clock) = two_processes(seconds(1));
        here.set("k", &1).await.unwrap();
        assert_eq!(there.get("k").await.unwrap(), Some(1));
        clock.advance(millis(10));
        here.invalidate(how).await.unwrap();
        assert_eq!(here.get::<i32>("k").await.unwrap(), None, "here at once");
        assert_eq!(there.get("k").await.unwrap(), Some(1), "there it may be late");
        clock.advance(seconds(1));
        assert_eq!(there.get::<i32>("k").await.unwrap(), None);
        assert_eq!(there.get_or_create("k", || async { Ok::<_, String>(2) }).await.unwrap(), 2);
        assert_eq!(here.get("k").await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn a_shared_group_invalidation_reaches_everybody_and_nothing_else() {
    for how in [Hard, Soft] {
        let ([here, there], clock) = two_processes(seconds(1));
        here.set_many(&[(Field("users", 1), 1), (Field("pages", 1), 2)]).await.unwrap();
        assert_eq!(there.get(Field("users", 1)).await.unwrap(), Some(1));
        here.invalidate_group("users", how).await.unwrap();
        clock.advance(seconds(1));
        assert_eq!(there.get::<i32>(Field("users", 1)).await.unwrap(), None);
        assert_eq!(there.get(Field("pages", 1)).await.unwrap(), Some(2));
        assert_eq!(here.get::<i32>(Field("users", 1)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_process_that_starts_later_knows_of_it_from_the_first_read() {
    let ([here, there], _) = two_processes(Duration::MAX);
    here.set("k", &1).await.unwrap();
    here.invalidate(Hard).await.unwrap();
    assert_eq!(there.get::<i32>("k").await.unwrap(), None);
    // The same goes for a group that it asks for later.
    here.set(Field("g", 1), &1).await.unwrap();
    here.invalidate_group("g", Hard).await.unwrap();
    assert_eq!(there.get::<i32>(Field("g", 1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_clock_set_back_does_not_stop_the_reading() {
    let ([here, there], clock) = two_processes(seconds(1));
    clock.advance(seconds(3_600));
    assert_eq!(there.get::<i32>("k").await.unwrap(), None);
    clock.step_back(seconds(3_600));
    here.set("k", &1).await.unwrap();
    clock.advance(millis(10));
    here.invalidate(Hard).await.unwrap();
    assert_eq!(there.get::<i32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn many_invalidations_in_one_millisecond_do_not_lock_new_values_out() {
    let ([here, there], clock) = two_processes(Duration::ZERO);
    for _ in 0..100 {
        here.invalidate(Hard).await.unwrap();
    }
    there.set("k", &1).await.unwrap();
    assert_eq!(here.get("k").await.unwrap(), Some(1));
    clock.advance(millis(1));
    assert_eq!(here.get("k").await.unwrap(), Some(1));
}
