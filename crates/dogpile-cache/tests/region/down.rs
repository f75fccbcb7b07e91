//! A backend that is down.

use std::cell::Cell;
use std::sync::Arc;

use dogpile_cache::backend::{Memory, MemoryCounter};
use dogpile_cache::codec::{Object, Shared};
use dogpile_cache::{ErrorKind, Invalidation, Region, Stats, WhenDown};
use dogpile_conformance::Faulty;

use crate::support::{Local, Maker, millis, on, poll_once, region, seconds, watched};

type Cache = Region<Local<Faulty<Memory>>, Shared>;

fn switched(when_down: WhenDown) -> (Cache, Arc<Stats>, Faulty<Memory>) {
    let backend = Faulty::new(Memory::<Object>::new(100));
    let clock = dogpile_conformance::ManualClock::new();
    let (region, stats) = watched(on(backend.clone(), Shared, &clock).when_down(when_down));
    (region, stats, backend)
}

#[tokio::test]
async fn by_default_every_call_fails() {
    let (region, stats, backend) = switched(WhenDown::Error);
    backend.fail_all(true);
    let create = || async { Ok::<_, String>(1) };
    let many = region.get_or_create_many(&["k"], |_| async { Ok::<_, String>(vec![1]) }).await;
    let errors = [
        region.get::<i32>("k").await.unwrap_err(),
        region.get_many::<i32, _>(&["k"]).await.unwrap_err(),
        region.get_or_create("k", create).await.unwrap_err(),
        region.get_or_create_detached("k", create).await.unwrap_err(),
        many.unwrap_err(),
        region.refresh("k", create).await.unwrap_err(),
        region.set("k", &1).await.unwrap_err(),
        region.delete("k").await.unwrap_err(),
        region.delete_group("k").await.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(stats.counts().failed, errors.len() as u64);
    backend.fail_all(false);
    assert_eq!(region.get_or_create("k", create).await.unwrap(), 1);
}

#[tokio::test]
async fn or_it_carries_on_as_if_nothing_were_cached() {
    let (region, stats, backend) = switched(WhenDown::Miss);
    region.set("k", &7_usize).await.unwrap();
    backend.fail_all(true);
    let made = Maker::default();
    let making = made.clone();
    assert_eq!(region.get::<usize>("k").await.unwrap(), None);
    assert_eq!(region.get_many::<usize, _>(&["k", "l"]).await.unwrap(), [None, None]);
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 1);
    let detached = region.get_or_create_detached("k", move || async move { making.next().await });
    assert_eq!(detached.await.unwrap(), 2);
    let many = region.get_or_create_many(&["k", "l", "k"], |missing| async move {
        Ok::<_, String>(missing.iter().map(|key| key.len() + 10).collect())
    });
    assert_eq!(many.await.unwrap(), [11, 11, 11]);
    assert_eq!(region.refresh("k", || made.next()).await.unwrap(), 3);
    region.set("k", &0).await.unwrap();
    region.delete("k").await.unwrap();
    region.delete_group("k").await.unwrap();
    let failed = region.get_or_create("k", || async { Err::<usize, _>("the database too") }).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Creation);
    let counts = stats.counts();
    assert!(counts.down >= 9, "{counts:?}");
    assert_eq!(counts.failed, 1);
    backend.fail_all(false);
    assert_eq!(region.get("k").await.unwrap(), Some(7_usize), "the writes were dropped");
}

#[tokio::test]
async fn a_backend_that_goes_down_during_a_creation_does_not_cost_the_value() {
    let (region, _, backend) = switched(WhenDown::Miss);
    let off = backend.clone();
    let value = region.get_or_create("k", || async move {
        off.fail_all(true);
        Ok::<_, String>(1)
    });
    assert_eq!(value.await.unwrap(), 1);
    backend.fail_all(false);
    let off = backend.clone();
    let value = region.get_or_create_detached("k", || async move {
        off.fail_all(true);
        Ok::<_, String>(2)
    });
    assert_eq!(value.await.unwrap(), 2);
    backend.fail_all(false);
    let off = backend.clone();
    let many = region.get_or_create_many(&["k", "l"], |_| {
        off.fail_all(true);
        async { Ok::<_, String>(vec![3, 4]) }
    });
    assert_eq!(many.await.unwrap(), [3, 4]);
}

#[tokio::test]
async fn barriers_are_read_once_in_the_lag_and_again_if_that_failed() {
    let (region, clock) = region();
    let counter = Faulty::new(MemoryCounter::new());
    let region = region.with_shared_invalidation(counter.clone(), seconds(1));
    let before = Cell::new(0);
    let reads = || counter.calls("read") - before.replace(counter.calls("read"));
    region.set("k", &1).await.unwrap();
    reads();
    for _ in 0..10 {
        region.get::<i32>("k").await.unwrap();
    }
    assert_eq!(reads(), 0);
    clock.advance(seconds(1));
    let all = (0..10).map(|_| async { region.get::<i32>("k").await.unwrap() });
    let all: Vec<_> = all.map(Box::pin).collect();
    for get in all {
        get.await;
    }
    assert_eq!(reads(), 2, "one for hard, one for soft");

    clock.advance(seconds(1));
    counter.fail_all(true);
    region.get::<i32>("k").await.unwrap_err();
    region.get::<i32>("k").await.unwrap_err();
    counter.fail_all(false);
    reads();
    region.get::<i32>("k").await.unwrap();
    assert_eq!(reads(), 2);

    clock.advance(seconds(1));
    counter.delay(millis(1));
    let mut dropped = Box::pin(region.get::<i32>("k"));
    assert!(poll_once(&mut dropped).await.is_none());
    // While one reads, the others go by what was known.
    assert_eq!(poll_once(&mut Box::pin(region.get::<i32>("k"))).await.unwrap().unwrap(), Some(1));
    drop(dropped);
    reads();
    region.get::<i32>("k").await.unwrap();
    assert_eq!(reads(), 2, "a reading that was given up is done by the next");
}

#[tokio::test]
async fn a_value_of_which_nobody_can_say_whether_it_was_invalidated_is_not_kept() {
    let (region, _) = region();
    let counter = Faulty::new(MemoryCounter::new());
    let region = region.with_shared_invalidation(counter.clone(), seconds(1));
    let off = counter.clone();
    let value = region.get_or_create("k", || async move {
        off.fail_all(true);
        Ok::<_, String>(1)
    });
    assert_eq!(value.await.unwrap(), 1);
    counter.fail_all(false);
    assert_eq!(region.get::<i32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_served_while_nobody_knows_what_was_invalidated() {
    let (region, _) = region();
    region.set("k", &7_usize).await.unwrap();
    let counter = Faulty::new(MemoryCounter::new());
    counter.fail_all(true);
    let strict = region.clone().with_shared_invalidation(counter, seconds(1));
    let (lenient, stats) = watched(strict.clone().when_down(WhenDown::Miss));
    let made = Maker::default();
    assert_eq!(strict.get::<usize>("k").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(
        strict.get_or_create("k", || made.next()).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert_eq!(
        strict.invalidate(Invalidation::Hard).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert_eq!(lenient.get::<usize>("k").await.unwrap(), None);
    assert_eq!(lenient.get_or_create("k", || made.next()).await.unwrap(), 1);
    assert_eq!(
        lenient.invalidate(Invalidation::Hard).await.unwrap_err().kind(),
        ErrorKind::Unavailable,
        "it cannot be dropped in silence"
    );
    assert!(stats.counts().down >= 2);
}
