//! The torture table tells good caches from bad ones.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile_conformance::torture::{self, Cache, Contender, Create, Outcome, Settings, Value};
use dogpile_core::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

type Flight = watch::Receiver<Option<Result<Value, String>>>;

/// A cache that does everything right: creators are detached, waiters are told what they end with, and
/// what is stale is served until the next is there.
#[derive(Clone, Default)]
struct Good {
    expires_after: Option<Duration>,
    state: Arc<Mutex<HashMap<String, Slot>>>,
}

#[derive(Default)]
struct Slot {
    value: Option<(Value, Instant)>,
    flight: Option<Flight>,
}

tokio::task_local! {
    static CREATING: String;
}

impl Cache for Good {
    fn get_or_create(&self, key: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            if CREATING.try_with(|creating| *creating == key).unwrap_or(false) {
                return Err("the creator asks for its own key".into());
            }
            let (stale, mut flight) = {
                let mut state = self.state.lock().unwrap();
                let slot = state.entry(key.clone()).or_default();
                if let Some((value, created)) = &slot.value
                    && self.expires_after.is_none_or(|after| created.elapsed() < after)
                {
                    return Ok(Arc::clone(value));
                }
                let stale = slot.value.as_ref().map(|(value, _)| Arc::clone(value));
                (stale, slot.flight.get_or_insert_with(|| self.take_off(key, create)).clone())
            };
            if let Some(stale) = stale {
                return Ok(stale);
            }
            let landed = flight.wait_for(Option::is_some).await;
            landed.map_or_else(
                |_| Err("the creator panicked".into()),
                |landed| landed.clone().unwrap(),
            )
        })
    }
}

impl Good {
    fn take_off(&self, key: String, create: Create) -> Flight {
        let (tell, told) = watch::channel(None);
        let state = Arc::clone(&self.state);
        tokio::spawn(async move {
            let made =
                tokio::spawn(CREATING.scope(key.clone(), async move { create().await })).await;
            let mut state = state.lock().unwrap();
            let slot = state.entry(key).or_default();
            slot.flight = None;
            if let Ok(Ok(value)) = &made {
                slot.value = Some((Arc::clone(value), Instant::now()));
            }
            if let Ok(made) = made {
                let _ = tell.send(Some(made));
            }
        });
        told
    }
}

impl Contender for Good {
    fn name(&self) -> &str {
        "good"
    }

    fn build(&self, expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
        Some(Arc::new(Self { expires_after, ..Self::default() }))
    }
}

/// A cache with one lock around everything, creators included, that remembers nothing.
#[derive(Clone, Default)]
struct Bad(Arc<tokio::sync::Mutex<()>>);

impl Cache for Bad {
    fn get_or_create(&self, _: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            let _alone = self.0.lock().await;
            create().await
        })
    }

    fn get_or_create_as(
        &self,
        _: usize,
        _: String,
        create: Create,
    ) -> Option<BoxFuture<'_, Result<Value, String>>> {
        Some(create())
    }
}

impl Contender for Bad {
    fn name(&self) -> &str {
        "bad"
    }

    fn build(&self, _: Option<Duration>) -> Option<Arc<dyn Cache>> {
        Some(Arc::new(Self::default()))
    }
}

fn small() -> Settings {
    let mut settings = Settings::default();
    settings.tasks = 60;
    settings.failing_tasks = 10;
    settings.keys = 10;
    settings.creator = Duration::from_millis(40);
    settings.storm = Duration::from_millis(150);
    settings.readers = 8;
    settings.read_for = Duration::from_millis(500);
    settings.hot_for = Duration::from_millis(100);
    settings.hung_after = Duration::from_millis(600);
    settings
}

fn of<'a>(outcomes: &'a [Outcome], scenario: &str) -> &'a Outcome {
    outcomes.iter().find(|outcome| outcome.scenario == scenario).unwrap()
}

#[test]
fn a_good_cache_stands_it() {
    let outcomes = torture::run(&Good::default(), &small());
    println!("{}", torture::table(&outcomes));
    assert_eq!(outcomes.len(), torture::SCENARIOS.len() - 1, "it has one error type");
    assert!(outcomes.iter().all(|outcome| outcome.hung == 0 && outcome.cache == "good"));

    let missing = of(&outcomes, "one_missing_key");
    assert_eq!((missing.creations, missing.served), (1, 60));
    assert!(missing.last >= Duration::from_millis(40));
    let cancelled = of(&outcomes, "leader_cancelled");
    assert_eq!((cancelled.creations, cancelled.served, cancelled.gave_up), (1, 59, 1));
    let panics = of(&outcomes, "leader_panics");
    assert_eq!((panics.creations, panics.served, panics.errors), (1, 0, 60));
    let fails = of(&outcomes, "creator_fails");
    assert_eq!((fails.creations, fails.errors), (1, 10));
    let distinct = of(&outcomes, "distinct_keys");
    assert_eq!((distinct.creations, distinct.served), (10, 10));
    let hot = of(&outcomes, "hot_key_while_others_load");
    assert_eq!((hot.creations, hot.served), (1, hot.calls));
    let recursion = of(&outcomes, "recursion");
    assert_eq!((recursion.creations, recursion.errors), (0, 1));
    let storm = of(&outcomes, "storm");
    assert_eq!(storm.creations, 1);
    assert!(storm.late_calls > 0 && storm.late_share() > 0.95, "{storm:?}");
    let stalls = of(&outcomes, "expiry_stalls");
    assert!(stalls.creations > 1 && stalls.served == stalls.calls, "{stalls:?}");
    let expired = of(&outcomes, "one_expired_key");
    assert_eq!((expired.creations, expired.served, expired.stale), (1, 60, 60));
}

#[test]
fn a_bad_cache_does_not() {
    let outcomes = torture::run(&Bad::default(), &small());
    assert_eq!(outcomes.len(), torture::SCENARIOS.len());
    let missing = of(&outcomes, "one_missing_key");
    assert!(missing.creations > 10 && missing.hung > 0, "60 creators of 40 ms one after another");
    assert!(of(&outcomes, "creator_fails").last >= Duration::from_millis(400));
    assert!(of(&outcomes, "distinct_keys").last >= Duration::from_millis(400));
    assert!(of(&outcomes, "hot_key_while_others_load").max > Duration::from_millis(20));
    assert_eq!(of(&outcomes, "recursion").hung, 1);
    assert_eq!(of(&outcomes, "different_error_types").creations, 3);
    assert_eq!(of(&outcomes, "storm").served, 0);
    assert!(of(&outcomes, "expiry_stalls").slow > 0);
    assert_eq!(of(&outcomes, "one_expired_key").stale, 0);
}

#[test]
fn a_table_has_a_line_for_each_outcome() {
    let mut settings = small();
    settings.tasks = 3;
    settings.creator = Duration::from_millis(1);
    let mut outcomes =
        torture::run_some(&Good::default(), &settings, &["one_missing_key", "storm"]);
    outcomes.extend(torture::run_some(&Bad::default(), &settings, &["one_missing_key"]));
    let table = torture::table(&outcomes);
    let starts: Vec<_> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(starts, ["one_missing_key", "good", "bad", "storm", "good"], "{table}");
}
