//! What metrics and traces are told.

#![cfg(all(feature = "metrics", feature = "tracing"))]
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::backend::MemoryBytes;
use dogpile_cache::codec::MsgPack;
use dogpile_cache::layer::{Observed, Telemetry};
use dogpile_cache::{Error, ErrorKind, Event, Observe, Region};
use dogpile_conformance::{Faulty, poll_then_drop};
use dogpile_core::{
    Answer, Ask, Backend, BackendExt, Entry, Key, LeaseBackend, Policy, SetOptions, Timestamp,
};
use dogpile_lock::{Dogpile, LocalLock, Paired};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, KeyName, Metadata, Recorder, SharedString,
    Unit,
};

/// Remembers every metric: the sum of a counter, the number of values of a histogram.
#[derive(Clone, Default)]
struct Metrics(Arc<Mutex<BTreeMap<String, u64>>>);

struct Metric(Metrics, String);

impl Metrics {
    fn get(&self, metric: &str) -> u64 {
        self.0.lock().unwrap().get(metric).copied().unwrap_or_default()
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

impl CounterFn for Metric {
    fn increment(&self, n: u64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += n;
    }

    fn absolute(&self, _: u64) {
        panic!("no counter is set");
    }
}

impl HistogramFn for Metric {
    fn record(&self, seconds: f64) {
        assert!((0.0..60.0).contains(&seconds));
        self.increment(1);
    }
}

fn name(key: &metrics::Key) -> String {
    let mut name = key.name().to_owned();
    key.labels().for_each(|label| write!(name, " {}={}", label.key(), label.value()).unwrap());
    name
}

impl Recorder for Metrics {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &metrics::Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Metric(self.clone(), name(key))))
    }

    fn register_gauge(&self, _: &metrics::Key, _: &Metadata<'_>) -> Gauge {
        panic!("there are no gauges")
    }

    fn register_histogram(&self, key: &metrics::Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Metric(self.clone(), name(key))))
    }
}

/// Writes down every span and event with its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Fields<'l>(&'l mut String);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Lines {
    fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "dogpile_cache"
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut lines = self.0.lock().unwrap();
        let mut line = format!("{} {}", span.metadata().level(), span.metadata().name());
        span.record(&mut Fields(&mut line));
        lines.push(line);
        tracing::span::Id::from_u64(lines.len() as u64)
    }

    fn record(&self, span: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        let at = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Fields(&mut self.0.lock().unwrap()[at]));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = format!("{} {}", event.metadata().level(), event.metadata().name());
        event.record(&mut Fields(&mut line));
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Runs a test on this thread, with its own recorder and subscriber.
fn watch<F: Future<Output = ()>>(test: impl FnOnce() -> F) -> (Metrics, Lines) {
    let (metrics, lines) = (Metrics::default(), Lines::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(lines.clone(), || {
        metrics::with_local_recorder(&metrics, || runtime.block_on(test()));
    });
    (metrics, lines)
}

fn entry(value: &'static str) -> Entry<Bytes> {
    Entry::new(Timestamp::MIN, Bytes::from_static(value.as_bytes()))
}

#[test]
fn the_calls_of_a_backend_are_counted() {
    let (metrics, lines) = watch(|| async {
        let store = Observed::new(MemoryBytes::new(1 << 20), Telemetry::new("pages"));
        let (secret, absent) = (Key::name("secret key"), Key::name("absent"));
        store.set(secret, entry("12345")).await.unwrap();
        store.get(secret).await.unwrap();
        store.get(absent).await.unwrap();
        store.get_many(&[secret, absent, secret]).await.unwrap();
        store.delete(secret).await.unwrap();
        store.delete_group(b"g").await.unwrap();
    });
    for (metric, n) in [
        ("dogpile_cache_backend_seconds cache=pages operation=get", 2),
        ("dogpile_cache_backend_seconds cache=pages operation=get_many", 1),
        ("dogpile_cache_backend_seconds cache=pages operation=set_many", 1),
        ("dogpile_cache_backend_seconds cache=pages operation=delete_many", 1),
        ("dogpile_cache_backend_seconds cache=pages operation=delete_group", 1),
        ("dogpile_cache_backend_entries_total cache=pages found=yes", 3),
        ("dogpile_cache_backend_entries_total cache=pages found=no", 2),
        ("dogpile_cache_backend_bytes_total cache=pages direction=read", 15),
        ("dogpile_cache_backend_bytes_total cache=pages direction=written", 5),
    ] {
        assert_eq!(metrics.get(metric), n, "{metric}");
    }
    assert_eq!(metrics.all().len(), 9, "{:?}", metrics.all());
    let text = lines.text();
    assert!(
        text.contains(
            "DEBUG cache.backend cache.name=\"pages\" cache.operation=\"get_many\" cache.keys=3 \
         cache.hits=2 cache.misses=1 cache.bytes_read=10 cache.bytes_written=0 cache.outcome=\"ok\""
        ),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn errors_and_cancelled_calls_are_counted_by_kind() {
    let (metrics, lines) = watch(|| async {
        let faulty = Faulty::new(MemoryBytes::new(1 << 20));
        let store = Observed::new(faulty.clone(), Telemetry::new("c"));
        faulty.fail_all(true);
        assert!(store.get(Key::name("k")).await.is_err());
        faulty.fail_all(false);
        faulty.delay(Duration::from_secs(60));
        poll_then_drop(store.get(Key::name("k")), 1).await;
    });
    let errors = "dogpile_cache_backend_errors_total cache=c operation=get";
    assert_eq!(metrics.get(&format!("{errors} kind=unavailable")), 1);
    assert_eq!(metrics.get(&format!("{errors} kind=cancelled")), 1);
    assert_eq!(metrics.get("dogpile_cache_backend_seconds cache=c operation=get"), 2);
    assert!(lines.text().contains("cache.outcome=\"unavailable\""), "{}", lines.text());
    assert!(lines.text().contains("cache.outcome=\"cancelled\""), "{}", lines.text());
}

#[test]
fn leases_are_counted() {
    let (metrics, _) = watch(|| async {
        let leasing = Paired::new(MemoryBytes::new(1 << 20), LocalLock::new());
        let store = Observed::new(leasing, Telemetry::new("c"));
        let ask = |key| Ask::new(key, Policy::new().at(Timestamp::MIN), Duration::from_secs(5));
        let answers =
            store.get_or_lease_many(&[ask(Key::name("a")), ask(Key::name("b"))]).await.unwrap();
        let Answer::Create { lease, .. } = answers[0] else { panic!("{answers:?}") };
        let _ = store.fill(Key::name("a"), lease, entry("123"), &SetOptions::new()).await.unwrap();
        assert!(matches!(store.get_or_lease(&ask(Key::name("a"))).await, Ok(Answer::Fresh(_))));
        LeaseBackend::wait(&store, Key::name("b"), Duration::ZERO).await;
    });
    for (metric, n) in [
        ("dogpile_cache_backend_entries_total cache=c found=yes", 1),
        ("dogpile_cache_backend_entries_total cache=c found=no", 2),
        ("dogpile_cache_backend_bytes_total cache=c direction=read", 3),
        ("dogpile_cache_backend_bytes_total cache=c direction=written", 3),
        ("dogpile_cache_backend_seconds cache=c operation=fill", 1),
        ("dogpile_cache_backend_seconds cache=c operation=get_or_lease", 1),
        ("dogpile_cache_backend_seconds cache=c operation=get_or_lease_many", 1),
        ("dogpile_cache_backend_seconds cache=c operation=wait", 1),
    ] {
        assert_eq!(metrics.get(metric), n, "{metric}");
    }
}

#[test]
fn a_region_tells_what_its_callers_see() {
    let (metrics, lines) = watch(|| async {
        let store = Dogpile::local(MemoryBytes::new(1 << 20));
        let region = Region::new(store, MsgPack).with_observer(Arc::new(Telemetry::new("users")));
        for _ in 0..3 {
            region.get_or_create("personal", || async { Ok::<_, Error>(1_u8) }).await.unwrap();
        }
        let failing = region.get_or_create("b", || async { Err::<u8, _>("the database is down") });
        assert_eq!(failing.await.unwrap_err().kind(), ErrorKind::Creation);
    });
    for (metric, n) in [
        ("dogpile_cache_events_total cache=users event=created", 1),
        ("dogpile_cache_events_total cache=users event=hit", 2),
        ("dogpile_cache_events_total cache=users event=failed", 1),
        ("dogpile_cache_create_seconds cache=users", 1),
        ("dogpile_cache_errors_total cache=users kind=creation", 1),
    ] {
        assert_eq!(metrics.get(metric), n, "{metric} in {:?}", metrics.all());
    }
    let text = lines.text();
    assert!(text.contains("TRACE cache.event cache.name=\"users\" cache.event=\"hit\""), "{text}");
    assert!(
        text.contains(
            "DEBUG cache.event cache.name=\"users\" cache.event=\"created\" cache.create_seconds="
        ),
        "{text}"
    );
    assert!(
        text.contains("WARN cache.event cache.name=\"users\" cache.event=\"failed\""),
        "{text}"
    );
    assert!(!text.contains("personal"), "{text}");
}

/// The lock tells telemetry what the region cannot see.
#[test]
fn a_lost_lease_is_told_by_the_lock() {
    let (metrics, lines) = watch(|| async {
        let telemetry = Telemetry::new("users");
        let tell = telemetry.clone();
        let lock = LocalLock::new();
        let store = Dogpile::with_lock(MemoryBytes::new(1 << 20), lock.clone())
            .with_on_lost_lease(move |key| tell.event(key, Event::LostLease));
        let region = Region::new(store, MsgPack).with_observer(Arc::new(telemetry));
        let value: u8 = region
            .get_or_create("k", || async {
                dogpile_core::Lock::revoke(&lock, &[Key::name("k")]).await?;
                Ok::<_, Error>(1)
            })
            .await
            .unwrap();
        assert_eq!(value, 1, "its creator has the value");
        assert_eq!(region.get::<u8>("k").await.unwrap(), None, "and nobody after it");
    });
    assert_eq!(metrics.get("dogpile_cache_events_total cache=users event=lost_lease"), 1);
    let text = lines.text();
    assert!(
        text.contains("WARN cache.event cache.name=\"users\" cache.event=\"lost_lease\""),
        "{text}"
    );
}

#[test]
fn every_event_has_its_name() {
    let error = Error::new(ErrorKind::TimedOut, "late");
    let took = Duration::from_millis(1);
    let events = [
        (Event::Hit, "hit"),
        (Event::Stale, "stale"),
        (Event::Miss, "miss"),
        (Event::Created { took }, "created"),
        (Event::Waited { took }, "waited"),
        (Event::LostLease, "lost_lease"),
        (Event::Overtaken, "overtaken"),
        (Event::Corrupt(&error), "corrupt"),
        (Event::Down(&error), "down"),
        (Event::Failed(&error), "failed"),
    ];
    let (metrics, lines) = watch(|| async {
        let telemetry = Telemetry::new("c").with_key_hash(true);
        for (event, _) in events {
            telemetry.event(Key::field("g", "k"), event);
        }
    });
    for (_, name) in events {
        let metric = format!("dogpile_cache_events_total cache=c event={name}");
        assert_eq!(metrics.get(&metric), 1, "{name}");
        assert!(lines.text().contains(&format!("cache.event=\"{name}\"")), "{name}");
    }
    assert_eq!(metrics.get("dogpile_cache_create_seconds cache=c"), 1);
    assert_eq!(metrics.get("dogpile_cache_wait_seconds cache=c"), 1);
    assert_eq!(metrics.get("dogpile_cache_errors_total cache=c kind=timed_out"), 3);
    assert_eq!(lines.text().matches("cache.key_hash=").count(), events.len());
}
