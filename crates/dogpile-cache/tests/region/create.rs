//! Creating what is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use dogpile_cache::{CallOptions, Entry, ErrorKind, Field};
use dogpile_core::Codec;

use crate::support::{Held, Maker, bounded, millis, on, poll_once, region, seconds, watched};

#[tokio::test]
async fn the_first_call_creates_and_the_next_finds() {
    let (region, clock) = region();
    let made = Maker::default();
    for _ in 0..3 {
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 1);
    }
    clock.advance(millis(10_001));
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
    assert_eq!(region.get("k").await.unwrap(), Some(2_usize));
    assert_eq!(made.count(), 2);
}

#[tokio::test]
async fn values_of_many_types_live_in_one_region() {
    let (region, _) = region();
    let text: String =
        region.get_or_create("t", || async { Ok::<_, String>("x".into()) }).await.unwrap();
    let list: Vec<u8> =
        region.get_or_create("l", || async { Ok::<_, String>(vec![1]) }).await.unwrap();
    let none: Option<u8> =
        region.get_or_create("n", || async { Ok::<_, String>(None) }).await.unwrap();
    assert_eq!((text.as_str(), list, none), ("x", vec![1], None));
    assert_eq!(
        region.get::<Option<u8>>("n").await.unwrap(),
        Some(None),
        "a cached None is not a miss"
    );
    assert_eq!(region.get::<String>("l").await.unwrap(), None, "another type is a miss");
}

#[tokio::test]
async fn a_thousand_callers_of_a_missing_key_create_it_once() {
    let (region, _) = region();
    let (region, stats) = watched(region);
    let made = Maker::default();
    let (half, mut held) = Held::pair();
    let mut half = Some(half);
    let mut calls = Vec::new();
    for _ in 0..1_000 {
        let (region, made, half) = (region.clone(), made.clone(), half.take());
        calls.push(tokio::spawn(async move {
            let create = || async {
                if let Some(half) = half {
                    half.await;
                }
                made.next().await
            };
            region.get_or_create("k", create).await.unwrap()
        }));
        if calls.len() == 1 {
            held.running().await;
        }
    }
    tokio::task::yield_now().await;
    held.finish();
    for call in calls {
        assert_eq!(bounded(call).await.unwrap(), 1);
    }
    assert_eq!(made.count(), 1);
    let counts = stats.counts();
    assert_eq!((counts.created, counts.waited + counts.hits), (1, 999));
}

#[tokio::test]
async fn while_one_creates_the_others_are_served_the_stale_value() {
    let (region, clock) = region();
    let (region, stats) = watched(region);
    region.set("k", &0_usize).await.unwrap();
    clock.advance(seconds(60));
    let (half, mut held) = Held::pair();
    let first = region.get_or_create("k", || async {
        half.await;
        Ok::<_, String>(1_usize)
    });
    let others = async {
        held.running().await;
        assert!(region.is_locked("k").await.unwrap());
        for _ in 0..100 {
            let other = region.get_or_create("k", || async { Err::<usize, _>("not your turn") });
            assert_eq!(other.await.unwrap(), 0);
        }
        assert_eq!(
            region.get::<usize>("k").await.unwrap(),
            None,
            "a plain read takes nothing stale"
        );
        held.finish();
    };
    assert_eq!(bounded(async { tokio::join!(first, others) }).await.0.unwrap(), 1);
    assert!(!region.is_locked("k").await.unwrap());
    assert_eq!(stats.counts().stale, 100);
}

#[tokio::test]
async fn a_caller_that_wants_nothing_stale_waits() {
    let (region, clock) = region();
    region.set("k", &0).await.unwrap();
    clock.advance(seconds(60));
    let (half, mut held) = Held::pair();
    let first = region.get_or_create("k", || async {
        half.await;
        Ok::<_, String>(1)
    });
    let other = async {
        held.running().await;
        let options = CallOptions::new().with_serve_stale(false);
        let other =
            region.get_or_create_with("k", options, || async { Err::<i32, _>("not your turn") });
        tokio::pin!(other);
        assert!(poll_once(&mut other).await.is_none());
        held.finish();
        other.await
    };
    let (first, other) = bounded(async { tokio::join!(first, other) }).await;
    assert_eq!((first.unwrap(), other.unwrap()), (1, 1));
}

#[tokio::test]
async fn waiting_ends_when_the_call_says_so() {
    let (region, _) = region();
    let (half, mut held) = Held::pair();
    let first = region.get_or_create("k", || async {
        half.await;
        Ok::<_, String>(1)
    });
    let other = async {
        held.running().await;
        let options = CallOptions::new().with_wait_for(millis(5));
        let other =
            region.get_or_create_with("k", options, || async { Err::<i32, _>("not your turn") });
        let kind = other.await.unwrap_err().kind();
        held.finish();
        kind
    };
    let (first, other) = bounded(async { tokio::join!(first, other) }).await;
    assert_eq!((first.unwrap(), other), (1, ErrorKind::TimedOut));
}

#[tokio::test]
async fn a_failure_is_shared_and_not_kept() {
    let (region, _) = region();
    let (region, stats) = watched(region);
    let made = Maker::default();
    let (half, mut held) = Held::pair();
    let first = region.get_or_create("k", || async {
        half.await;
        made.next().await.unwrap();
        Err::<usize, _>(std::io::Error::other("down"))
    });
    let other = async {
        held.running().await;
        let other = region.get_or_create("k", || made.next());
        tokio::pin!(other);
        assert!(poll_once(&mut other).await.is_none());
        held.finish();
        other.await
    };
    let (first, other) = bounded(async { tokio::join!(first, other) }).await;
    for error in [first.unwrap_err(), other.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Creation);
        assert_eq!(error.creation::<std::io::Error>().unwrap().to_string(), "down");
    }
    assert_eq!(made.count(), 1);
    assert_eq!(stats.counts().failed, 2);
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_failed_creation_leaves_the_stale_value_for_the_others() {
    let (region, clock) = region();
    region.set("k", &1).await.unwrap();
    clock.advance(seconds(11));
    let failed = region.get_or_create("k", || async { Err::<i32, _>("down") }).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Creation);
    let options = CallOptions::new().with_ignore_expiry(true);
    assert_eq!(region.get_with("k", options).await.unwrap(), Some(1));
}

#[tokio::test]
async fn callers_with_different_error_types_share_one_creation() {
    let (region, _) = region();
    let (half, mut held) = Held::pair();
    let first = region.get_or_create("k", || async {
        half.await;
        Ok::<_, std::io::Error>(1)
    });
    let other = async {
        held.running().await;
        let other =
            region.get_or_create("k", || async { Err::<i32, String>("not your turn".into()) });
        tokio::pin!(other);
        assert!(poll_once(&mut other).await.is_none());
        held.finish();
        other.await
    };
    let (first, other) = bounded(async { tokio::join!(first, other) }).await;
    assert_eq!((first.unwrap(), other.unwrap()), (1, 1));
}

#[tokio::test]
async fn a_creator_that_asks_for_its_own_key_is_told() {
    let (region, _) = region();
    let inner = region.clone();
    let outer = region.get_or_create("k", || async move {
        inner.get_or_create("k", || async { Ok::<_, String>(1) }).await
    });
    let error = bounded(outer).await.unwrap_err();
    let reason = error.creation::<dogpile_cache::Error>().unwrap();
    assert_eq!(reason.kind(), ErrorKind::Reentrant);
}

#[tokio::test]
async fn a_creator_may_ask_for_another_key() {
    let (region, _) = region();
    let inner = region.clone();
    let outer = region.get_or_create("foo", || async move {
        let bar = inner.get_or_create("bar", || async { Ok::<_, String>(1) }).await?;
        Ok::<_, dogpile_cache::Error>(bar + 1)
    });
    assert_eq!(bounded(outer).await.unwrap(), 2);
}

#[tokio::test]
async fn a_dropped_caller_hands_the_turn_on_and_a_detached_creation_goes_on() {
    let (region, _) = region();
    let made = Maker::default();
    let (half, mut held) = Held::pair();
    let (call, making) = (region.clone(), made.clone());
    let call = tokio::spawn(async move {
        let create = || async {
            half.await;
            making.next().await
        };
        call.get_or_create("borrowed", create).await
    });
    held.running().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(bounded(region.get_or_create("borrowed", || made.next())).await.unwrap(), 1);

    let (half, mut held) = Held::pair();
    let (call, making) = (region.clone(), made.clone());
    let call = tokio::spawn(async move {
        let create = || async move {
            half.await;
            making.next().await
        };
        call.get_or_create_detached("detached", create).await
    });
    held.running().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let waiting = region.get_or_create("detached", || async { Err::<usize, _>("not your turn") });
    tokio::pin!(waiting);
    assert!(poll_once(&mut waiting).await.is_none());
    held.finish();
    assert_eq!(bounded(waiting).await.unwrap(), 2);
    assert_eq!(made.count(), 2);
}

#[tokio::test]
async fn a_detached_creation_gives_its_caller_the_value() {
    let (region, clock) = region();
    let (region, stats) = watched(region);
    let made = Maker::default();
    for expected in [1, 1] {
        let making = made.clone();
        let value = region.get_or_create_detached("k", move || async move { making.next().await });
        assert_eq!(value.await.unwrap(), expected);
    }
    clock.advance(seconds(11));
    let making = made.clone();
    let value = region.get_or_create_detached("k", move || async move { making.next().await });
    assert_eq!(value.await.unwrap(), 2);
    let failed = region.get_or_create_detached("x", || async { Err::<usize, _>("down") }).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Creation);
    let counts = stats.counts();
    assert_eq!((counts.created, counts.hits, counts.failed), (2, 1, 1));
}

#[tokio::test]
async fn created_in_the_background_the_creator_too_is_served_at_once() {
    let clock = dogpile_conformance::ManualClock::new();
    let backend = dogpile_cache::backend::Memory::<dogpile_cache::codec::Object>::new(10);
    let store = dogpile_lock::Dogpile::local(backend).with_background(true);
    let region = dogpile_cache::Region::new(store, dogpile_cache::codec::Shared)
        .expires_after(seconds(10))
        .with_clock(Arc::new(clock.clone()));
    region.set("k", &0).await.unwrap();
    clock.advance(seconds(11));
    let (half, held) = Held::pair();
    let create = || async {
        half.await;
        Ok::<_, String>(1)
    };
    assert_eq!(bounded(region.get_or_create_detached("k", create)).await.unwrap(), 0);
    held.finish();
    let fresh = CallOptions::new().with_serve_stale(false);
    let now = region.get_or_create_with("k", fresh, || async { Err::<i32, _>("not your turn") });
    assert_eq!(bounded(now).await.unwrap(), 1);
}

#[tokio::test]
async fn refresh_creates_whatever_is_there() {
    let (region, _) = region();
    let made = Maker::default();
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 1);
    assert_eq!(region.refresh("k", || made.next()).await.unwrap(), 2);
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
    let failed = region.refresh("k", || async { Err::<usize, _>("down") }).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Creation);
    assert_eq!(region.get("k").await.unwrap(), Some(2_usize), "what was there stays");
}

#[tokio::test]
async fn the_creator_gets_its_own_value_without_decoding_it() {
    #[derive(Debug)]
    struct Counting(Arc<AtomicUsize>);
    impl Codec<String> for Counting {
        type Stored = String;
        fn name(&self) -> &'static str {
            "counting"
        }
        fn encode(&self, value: &String) -> dogpile_cache::Result<String> {
            Ok(value.clone())
        }
        fn decode(&self, stored: &String) -> dogpile_cache::Result<String> {
            self.0.fetch_add(1, SeqCst);
            Ok(stored.clone())
        }
    }
    let decoded = Arc::new(AtomicUsize::new(0));
    let clock = dogpile_conformance::ManualClock::new();
    let region = on(
        dogpile_cache::backend::Memory::<String>::new(10),
        Counting(Arc::clone(&decoded)),
        &clock,
    );
    region.get_or_create("k", || async { Ok::<_, String>("v".into()) }).await.unwrap();
    region.refresh("k", || async { Ok::<_, String>("v".into()) }).await.unwrap();
    let many = region.get_or_create_many(&["x"], |_| async { Ok::<_, String>(vec!["v".into()]) });
    many.await.unwrap();
    assert_eq!(decoded.load(SeqCst), 0);
    region.get_or_create("k", || async { Ok::<_, String>("v".into()) }).await.unwrap();
    assert_eq!(decoded.load(SeqCst), 1);
}

#[tokio::test]
async fn a_key_is_whatever_names_it() {
    let (region, _) = region();
    region.set(("user", 15), &1).await.unwrap();
    region.set(Field("users", 15), &2).await.unwrap();
    region.set(15, &3).await.unwrap();
    region.set("15", &4).await.unwrap();
    assert_eq!(region.get(("user", 15)).await.unwrap(), Some(1));
    assert_eq!(region.get(Field("users", 15)).await.unwrap(), Some(2));
    assert_eq!(region.get(15_u8).await.unwrap(), Some(3));
    assert_eq!(region.get("15".to_owned()).await.unwrap(), Some(4));
    assert_eq!(region.get::<i32>(("user", "15")).await.unwrap(), None);
}

#[tokio::test]
async fn the_created_stamp_is_that_of_the_end() {
    let (region, clock) = region();
    let moving = clock.clone();
    region
        .get_or_create("k", || async move {
            moving.advance(seconds(30));
            Ok::<_, String>(1)
        })
        .await
        .unwrap();
    let found: Option<Entry<i32>> =
        region.get_with_metadata("k", CallOptions::new()).await.unwrap();
    assert_eq!(found.unwrap().created, dogpile_cache::Clock::now(&clock));
}
