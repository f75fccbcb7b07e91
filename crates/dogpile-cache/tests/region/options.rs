//! What is cached, and what a region says of itself.

use std::sync::Mutex;

use dogpile_cache::{CallOptions, Expiry, WhenDown};

use crate::support::{Held, Maker, bounded, millis, region, seconds};

#[tokio::test]
async fn should_cache_sees_key_and_value() {
    let (region, _) = region();
    let asked = Mutex::new(Vec::new());
    let odd = |key: dogpile_cache::Key<'_>, value: &usize| {
        asked.lock().unwrap().push((key.to_string(), *value));
        value % 2 == 1
    };
    let options = CallOptions::new().with_should_cache(&odd);
    let made = Maker::default();
    assert_eq!(region.get_or_create_with("a", options, || made.next()).await.unwrap(), 1);
    assert_eq!(region.get_or_create_with("a", options, || made.next()).await.unwrap(), 1);
    assert_eq!(region.get_or_create_with("b", options, || made.next()).await.unwrap(), 2);
    assert_eq!(region.get_or_create_with("b", options, || made.next()).await.unwrap(), 3);
    assert_eq!(region.get_or_create_with("b", options, || made.next()).await.unwrap(), 3);
    let asked = asked.into_inner().unwrap();
    assert_eq!(asked, [("a".into(), 1), ("b".into(), 2), ("b".into(), 3)]);
}

#[tokio::test]
async fn refresh_asks_should_cache_too() {
    let (region, _) = region();
    region.set("k", &1_usize).await.unwrap();
    let never = CallOptions::new().with_should_cache(&|_, _: &usize| false);
    let made = Maker::default();
    assert_eq!(region.refresh_with("k", never, || made.next()).await.unwrap(), 1);
    made.next().await.unwrap();
    assert_eq!(region.get("k").await.unwrap(), Some(1_usize));
}

#[tokio::test]
async fn who_waited_for_a_value_that_is_not_cached_gets_it() {
    let (region, _) = region();
    let never = CallOptions::new().with_should_cache(&|_, _: &i32| false);
    let (half, mut held) = Held::pair();
    let first = region.get_or_create_with("k", never, || async {
        half.await;
        Ok::<_, String>(1)
    });
    let other = async {
        held.running().await;
        let other = region.get_or_create_with("k", never, || async { Err("not your turn") });
        let finish = async {
            tokio::task::yield_now().await;
            held.finish();
        };
        tokio::join!(other, finish).0
    };
    let (first, other) = bounded(async { tokio::join!(first, other) }).await;
    assert_eq!((first.unwrap(), other.unwrap()), (1, 1));
    assert_eq!(region.get::<i32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_remembered_for_a_shorter_time() {
    let (region, clock) = region();
    let options = CallOptions::new().with_none_expiry(Expiry::after(seconds(1)));
    let (nothing, something) = (None::<i32>, Some(1));
    for (key, value) in [("nothing", nothing), ("something", something)] {
        let create = || async move { Ok::<_, String>(value) };
        assert_eq!(region.get_or_create_with(key, options, create).await.unwrap(), value);
    }
    clock.advance(seconds(1));
    assert_eq!(region.get("nothing").await.unwrap(), Some(nothing));
    clock.advance(millis(1));
    assert_eq!(region.get::<Option<i32>>("nothing").await.unwrap(), None);
    assert_eq!(region.get("something").await.unwrap(), Some(something));
}

#[tokio::test]
async fn or_not_at_all() {
    let (region, _) = region();
    let options = CallOptions::new().without_none();
    let create = |value: Option<i32>| move || async move { Ok::<_, String>(value) };
    assert_eq!(region.get_or_create_with("k", options, create(None)).await.unwrap(), None);
    assert_eq!(region.get_or_create_with("k", options, create(Some(1))).await.unwrap(), Some(1));
    assert_eq!(region.get_or_create_with("k", options, create(None)).await.unwrap(), Some(1));
}

#[test]
fn options_can_be_read_back() {
    let (region, _) = region();
    let region = region
        .with_expiry(Expiry::from(millis(1_500)))
        .with_hard_deadline(seconds(60))
        .with_jitter(0.25)
        .with_version(2)
        .with_wait_for(seconds(3))
        .with_lease_for(seconds(4))
        .with_serve_stale(false)
        .when_down(WhenDown::Miss);
    let options = region.options();
    assert_eq!(options.expiry.duration(), Some(millis(1_500)));
    assert_eq!(options.hard_deadline, Some(seconds(60)));
    assert_eq!((options.jitter, options.version, options.serve_stale), (0.25, 2, false));
    assert_eq!((options.wait_for, options.lease_for), (seconds(3), seconds(4)));
    assert_eq!(options.when_down, WhenDown::Miss);
    assert!(format!("{region:?}").contains("version: 2"));
    for (given, kept) in [(-1.0, 0.0), (f64::NAN, 0.0), (7.0, 1.0)] {
        assert_eq!(region.clone().with_jitter(given).options().jitter, kept);
    }
    assert_eq!(region.clone().never_expires().options().expiry, Expiry::never());
    assert_eq!(region.options().expiry.duration(), Some(millis(1_500)), "the clone was another");
}
