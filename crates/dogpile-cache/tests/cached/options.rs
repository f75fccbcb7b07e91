//! What the attribute is told: expiry, namespace, what is cached at all.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use dogpile_cache::{Error, Expiry, cached};
use dogpile_conformance::ManualClock;

use crate::support::{Cache, Calls, cache};

static CLOCK: LazyLock<ManualClock> = LazyLock::new(ManualClock::new);

/// A region with a clock of its own.
fn on(clock: &ManualClock) -> Cache {
    cache().expires_after(Duration::from_secs(10)).with_clock(Arc::new(clock.clone()))
}

struct Test {
    clock: ManualClock,
    region: Cache,
    calls: Calls,
}

impl Test {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self { region: on(&clock), clock, calls: Calls::new() }
    }

    #[cached(region = self.region)]
    async fn of_the_region(&self) -> u64 {
        self.calls.next()
    }

    #[cached(region = self.region, expires_after = Duration::from_millis(500))]
    async fn half_a_second(&self) -> u64 {
        self.calls.next()
    }

    #[cached(region = self.region, expires_after = Expiry::never())]
    async fn for_ever(&self) -> u64 {
        self.calls.next()
    }

    #[cached(region = self.region, key = (), expires_after = Duration::from_secs(seconds))]
    async fn as_asked(&self, seconds: u64) -> u64 {
        self.calls.next()
    }

    #[cached(region = self.region, expires_after = Expiry::never(), expiry_of = |n| Duration::from_secs(*n))]
    async fn as_the_value_says(&self) -> u64 {
        self.calls.next()
    }

    #[cached(region = self.region, should_cache = |n: &u64| *n >= 3)]
    async fn third_on(&self) -> u64 {
        self.calls.next()
    }

    #[cached(region = self.region, should_cache = |n| *n >= least)]
    async fn at_least(&self, least: u64) -> u64 {
        self.calls.next()
    }

    #[cached(region = self.region, should_cache = Option::is_some)]
    async fn found(&self) -> Option<u64> {
        Some(self.calls.next()).filter(|n| *n > 1)
    }
}

#[tokio::test]
async fn the_expiry_is_the_regions_or_the_functions_own() -> Result<(), Error> {
    let test = Test::new();
    assert_eq!(test.of_the_region().await, 1);
    assert_eq!(test.half_a_second().await, 2);
    assert_eq!(test.for_ever().await, 3);
    test.clock.advance(Duration::from_millis(500));
    assert_eq!(test.half_a_second().await, 2);
    assert_eq!(test.half_a_second_get().await?, Some(2));
    test.clock.advance(Duration::from_millis(1));
    assert_eq!(test.half_a_second_get().await?, None);
    assert_eq!(test.half_a_second().await, 4);
    assert_eq!(test.of_the_region().await, 1);
    test.clock.advance(Duration::from_secs(10));
    assert_eq!(test.of_the_region_get().await?, None);
    assert_eq!(test.of_the_region().await, 5);
    assert_eq!(test.for_ever().await, 3);
    Ok(())
}

#[tokio::test]
async fn the_expiry_is_asked_for_at_each_call() {
    let test = Test::new();
    assert_eq!(test.as_asked(100).await, 1);
    test.clock.advance(Duration::from_secs(30));
    assert_eq!(test.as_asked(100).await, 1);
    assert_eq!(test.as_asked(20).await, 2);
    // Zero is "until the clock moves".
    assert_eq!(test.as_asked(0).await, 2);
    test.clock.advance(Duration::from_millis(1));
    assert_eq!(test.as_asked(0).await, 3);
}

#[tokio::test]
async fn the_value_can_say_how_long_it_is_fresh() -> Result<(), Error> {
    let test = Test::new();
    assert_eq!(test.as_the_value_says().await, 1);
    test.clock.advance(Duration::from_millis(1_001));
    assert_eq!(test.as_the_value_says().await, 2);
    test.clock.advance(Duration::from_millis(1_999));
    assert_eq!(test.as_the_value_says().await, 2);
    test.as_the_value_says_set(&60).await?;
    test.clock.advance(Duration::from_secs(59));
    assert_eq!(test.as_the_value_says().await, 60);
    Ok(())
}

#[tokio::test]
async fn a_value_can_be_kept_out_of_the_cache() -> Result<(), Error> {
    let test = Test::new();
    assert_eq!(test.third_on().await, 1);
    assert_eq!(test.third_on_refresh().await?, 2);
    assert_eq!(test.third_on_get().await?, None);
    assert_eq!(test.third_on().await, 3);
    assert_eq!(test.third_on().await, 3);
    // What is set by hand is not asked about.
    test.third_on_set(&0).await?;
    assert_eq!(test.third_on().await, 0);

    let test = Test::new();
    assert_eq!((test.at_least(2).await, test.at_least(2).await, test.at_least(2).await), (1, 2, 2));

    let test = Test::new();
    assert_eq!(
        (test.found().await, test.found().await, test.found().await),
        (None, Some(2), Some(2))
    );
    Ok(())
}

static STATIC: LazyLock<Cache> = LazyLock::new(|| on(&CLOCK));

fn chosen() -> &'static LazyLock<Cache> {
    &STATIC
}

struct State {
    cache: Cache,
}

#[cached(region = chosen())]
async fn by_call(n: u32) -> u32 {
    n
}

#[cached(region = state.cache, ignore(state))]
async fn of_an_argument(state: &State, n: u32) -> Result<u32, Error> {
    Ok(n)
}

#[cached(region = state.cache, ignore(state))]
async fn of_an_owned_argument(state: Arc<State>, n: u32) -> Result<u32, Error> {
    let _kept = state;
    Ok(n)
}

#[tokio::test]
async fn the_region_is_any_expression() -> Result<(), Error> {
    assert_eq!(by_call(1).await, 1);
    assert_eq!(STATIC.get::<u32>(by_call::key(1)).await?, Some(1));

    let state = Arc::new(State { cache: cache() });
    assert_eq!(of_an_argument(&state, 2).await?, 2);
    assert_eq!(of_an_argument::get(&state, 2).await?, Some(2));
    assert_eq!(of_an_owned_argument(Arc::clone(&state), 3).await?, 3);
    assert_eq!(of_an_owned_argument::get(state, 3).await?, Some(3));
    Ok(())
}
