//! How long values are fresh.

use std::time::Duration;

use dogpile_cache::{CallOptions, Entry, Expiry};

use crate::support::{Maker, byte_region, millis, region, seconds};

#[tokio::test]
async fn a_value_is_fresh_for_exactly_its_time() {
    let (region, clock) = region();
    let region = region.expires_after(millis(250));
    region.set("k", &1).await.unwrap();
    clock.advance(millis(250));
    assert_eq!(region.get("k").await.unwrap(), Some(1));
    clock.advance(millis(1));
    assert_eq!(region.get::<i32>("k").await.unwrap(), None);
}

#[tokio::test]
async fn get_or_create_judges_by_the_same_millisecond_as_get() {
    let (region, clock) = region();
    let (region, made) = (region.expires_after(millis(250)), Maker::default());
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 1);
    clock.advance(millis(250));
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 1);
    clock.advance(millis(1));
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
}

#[tokio::test]
async fn many_values_expire_alike() {
    let (region, clock) = region();
    region.set_many(&[("a", 1), ("b", 2)]).await.unwrap();
    clock.advance(seconds(10));
    assert_eq!(region.get_many(&["a", "b"]).await.unwrap(), [Some(1), Some(2)]);
    clock.advance(millis(1));
    assert_eq!(region.get_many::<i32, _>(&["a", "b"]).await.unwrap(), [None, None]);
}

#[tokio::test]
async fn never_is_never_and_zero_is_until_the_clock_moves() {
    let (region, clock) = region();
    let (never, zero) = (region.clone().never_expires(), region.expires_after(Duration::ZERO));
    never.set("k", &1).await.unwrap();
    assert_eq!(zero.get("k").await.unwrap(), Some(1));
    clock.advance(millis(1));
    assert_eq!(zero.get::<i32>("k").await.unwrap(), None);
    clock.advance(Duration::from_secs(1 << 40));
    assert_eq!(never.get("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_call_reads_by_an_expiry_of_its_own() {
    let (region, clock) = region();
    region.set("k", &1).await.unwrap();
    clock.advance(seconds(5));
    let by = |d| CallOptions::new().with_expiry(Expiry::after(d));
    assert_eq!(region.get_with::<i32>("k", by(seconds(4))).await.unwrap(), None);
    assert_eq!(region.get_with("k", by(seconds(5))).await.unwrap(), Some(1));
    clock.advance(seconds(50));
    assert_eq!(region.get::<i32>("k").await.unwrap(), None);
    assert_eq!(region.get_with("k", by(seconds(60))).await.unwrap(), Some(1));
    let never = CallOptions::new().with_expiry(Expiry::never());
    assert_eq!(region.get_with("k", never).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_call_creates_by_an_expiry_of_its_own() {
    let (region, clock) = region();
    let made = Maker::default();
    let short = CallOptions::new().with_expiry(Expiry::after(seconds(1)));
    assert_eq!(region.get_or_create_with("k", short, || made.next()).await.unwrap(), 1);
    clock.advance(seconds(1));
    assert_eq!(region.get_or_create_with("k", short, || made.next()).await.unwrap(), 1);
    clock.advance(millis(1));
    // It is stored with the value: readers by a longer expiry find it stale too.
    assert_eq!(region.get::<usize>("k").await.unwrap(), None);
    assert_eq!(region.get_or_create_with("k", short, || made.next()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_written_value_may_bring_its_own_expiry() {
    let (region, clock) = byte_region();
    let short = CallOptions::new().with_expiry(Expiry::after(seconds(1)));
    region.set_with("one", &1, short).await.unwrap();
    region.set_many_with(&[("two", 2)], short).await.unwrap();
    clock.advance(seconds(1));
    assert_eq!(region.get_many(&["one", "two"]).await.unwrap(), [Some(1), Some(2)]);
    clock.advance(millis(1));
    assert_eq!(region.get_many::<i32, _>(&["one", "two"]).await.unwrap(), [None, None]);
}

#[tokio::test]
async fn a_value_may_decide_how_long_it_is_fresh() {
    let (region, clock) = region();
    let region = region.never_expires();
    let made = Maker::default();
    let of = |value: &usize| Expiry::after(seconds(*value as u64));
    let options = CallOptions::new().with_expiry_of(&of);
    for value in 1..4 {
        assert_eq!(region.get_or_create_with("k", options, || made.next()).await.unwrap(), value);
        clock.advance(seconds(value as u64));
        assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), value);
        clock.advance(millis(1));
    }
}

#[tokio::test]
async fn ignoring_expiry_takes_whatever_is_there() {
    let (region, clock) = region();
    let made = Maker::default();
    let ignoring = CallOptions::new().with_ignore_expiry(true);
    assert_eq!(region.get_or_create_with("k", ignoring, || made.next()).await.unwrap(), 1);
    clock.advance(seconds(1_000));
    assert_eq!(region.get_with("k", ignoring).await.unwrap(), Some(1_usize));
    assert_eq!(region.get_many_with(&["k"], ignoring).await.unwrap(), [Some(1_usize)]);
    assert_eq!(region.get_or_create_with("k", ignoring, || made.next()).await.unwrap(), 1);
    let many = region.get_or_create_many_with(&["k"], ignoring, |_| async {
        Err::<Vec<usize>, _>("nothing is missing")
    });
    assert_eq!(many.await.unwrap(), [1]);
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
}

#[tokio::test]
async fn metadata_tells_when_and_of_which_version() {
    let (region, clock) = byte_region();
    let region = region.with_version(7);
    let before = dogpile_cache::Clock::now(&clock);
    region.set("k", &"v".to_owned()).await.unwrap();
    clock.advance(seconds(3));
    let found = region.get_with_metadata::<String>("k", CallOptions::new()).await.unwrap();
    assert_eq!(found, Some(Entry::new(before, "v".to_owned()).with_version(7)));
    clock.advance(seconds(10));
    assert_eq!(region.get_with_metadata::<String>("k", CallOptions::new()).await.unwrap(), None);
    assert_eq!(region.get_with_metadata::<String>("x", CallOptions::new()).await.unwrap(), None);
    let ignoring = CallOptions::new().with_ignore_expiry(true);
    assert!(region.get_with_metadata::<String>("k", ignoring).await.unwrap().is_some());
}

#[tokio::test]
async fn past_the_hard_deadline_nothing_stale_is_served() {
    let (region, clock) = region();
    let region = region.with_hard_deadline(seconds(20));
    let made = Maker::default();
    region.get_or_create("k", || made.next()).await.unwrap();
    clock.advance(seconds(20));
    let (stale, now) = both_callers(&region, &made).await;
    assert_eq!(
        (stale, now),
        (Some(1), 2),
        "past the expiry, the second caller is served the old one"
    );
    clock.advance(millis(20_001));
    let (stale, now) = both_callers(&region, &made).await;
    assert_eq!((stale, now), (Some(3), 3), "past the deadline, it waits for the new one");
}

/// What a caller gets while another creates, and what that one gets.
async fn both_callers<R, C>(
    region: &dogpile_cache::Region<R, C>,
    made: &Maker,
) -> (Option<usize>, usize)
where
    R: dogpile_cache::ReadThrough,
    C: dogpile_cache::Codec<usize, Stored = R::Value>,
{
    let (half, mut held) = crate::support::Held::pair();
    let first = region.get_or_create("k", || async {
        half.await;
        made.next().await
    });
    let second = async {
        held.running().await;
        let second = region.get_or_create("k", || async { Err::<usize, _>("not your turn") });
        tokio::pin!(second);
        let at_once = crate::support::poll_once(&mut second).await;
        held.finish();
        match at_once {
            Some(value) => value,
            None => second.await,
        }
    };
    let (first, second) = crate::support::bounded(async { tokio::join!(first, second) }).await;
    (second.ok(), first.unwrap())
}

#[tokio::test]
async fn jitter_only_shortens_and_everybody_agrees() {
    let (plain, clock) = region();
    let (one, two) = (plain.clone().with_jitter(0.5), plain.clone().with_jitter(0.5));
    let keys: Vec<String> = (0..100).map(|n| format!("key {n}")).collect();
    let items: Vec<_> = keys.iter().map(|key| (key, 1)).collect();
    plain.set_many(&items).await.unwrap();

    let fresh = |found: Vec<Option<i32>>| found.iter().flatten().count();
    clock.advance(seconds(5));
    assert_eq!(fresh(one.get_many(&keys).await.unwrap()), 100, "half of the time is everybody's");
    let mut last = 100;
    for _ in 0..5 {
        clock.advance(seconds(1));
        let found = one.get_many(&keys).await.unwrap();
        assert_eq!(found, two.get_many(&keys).await.unwrap());
        let left = fresh(found);
        assert!(left < last, "{left} of {last} left");
        last = left;
    }
    assert!(last < 10);
    clock.advance(millis(1));
    assert_eq!(fresh(one.get_many(&keys).await.unwrap()), 0, "nobody's is longer than without");
}

#[tokio::test]
async fn jitter_means_the_same_for_one_and_for_many() {
    let (region, clock) = region();
    let region = region.with_jitter(0.5);
    let keys: Vec<String> = (0..50).map(|n| format!("key {n}")).collect();
    let items: Vec<_> = keys.iter().map(|key| (key, 1)).collect();
    region.set_many(&items).await.unwrap();
    clock.advance(millis(7_500));
    let mut stale = Vec::new();
    for key in &keys {
        if region.get::<i32>(key).await.unwrap().is_none() {
            stale.push(key);
        }
    }
    assert!((10..40).contains(&stale.len()));
    let mut asked = Vec::new();
    let many = region.get_or_create_many(&keys, |missing| {
        asked.extend(missing.clone());
        async move { Ok::<_, String>(vec![2; missing.len()]) }
    });
    many.await.unwrap();
    asked.sort();
    stale.sort();
    assert_eq!(asked, stale);
}

#[tokio::test]
async fn a_clock_set_back_makes_nothing_immortal() {
    let (region, clock) = region();
    let made = Maker::default();
    clock.advance(seconds(3_600));
    region.get_or_create("k", || made.next()).await.unwrap();
    clock.step_back(seconds(3_600));
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
    assert_eq!(region.get_or_create("k", || made.next()).await.unwrap(), 2);
}

#[tokio::test]
async fn the_longest_expiry_is_long_for_many_too() {
    for jitter in [0.0, f64::MIN_POSITIVE] {
        let region = region().0.expires_after(Duration::MAX).with_jitter(jitter);
        let create = |missing: Vec<_>| async move { Ok::<_, String>(vec![1; missing.len()]) };
        assert_eq!(region.get_or_create_many(&["a", "b"], create).await.unwrap(), [1, 1]);
        assert_eq!(region.get::<i32>("a").await.unwrap(), Some(1));
    }
}
