//! What is counted: requests and how long they took, and what the regions say.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use dogpile_cache::{Counts, Event, Key, KeyBuf, Observe, Stats};
use serde::Serialize;

use crate::shop::{Shop, ShopKey};

/// All counts since the start.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) products: Arc<Watch>,
    pub(crate) pages: Arc<Watch>,
    pub(crate) fragments: Arc<Watch>,
    requests: AtomicU64,
    failed: AtomicU64,
    latencies: Latencies,
}

/// What happened to callers who found no fresh value, and to those who did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Callers {
    pub(crate) hits: u64,
    pub(crate) created: u64,
    pub(crate) stale: u64,
    pub(crate) waited: u64,
    pub(crate) failed: u64,
}

/// Requests since the start.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Requests {
    pub(crate) done: u64,
    /// Those that were answered with an error of the server.
    pub(crate) failed: u64,
}

impl Meters {
    pub(crate) fn new(keys: &[ShopKey]) -> Self {
        let numbered = keys.iter().enumerate().map(|(number, key)| (key.key.clone(), number));
        let numbers = Arc::new(numbered.collect::<HashMap<KeyBuf, usize>>());
        let watch = || Arc::new(Watch::new(&numbers, keys[0].key.clone()));
        Self {
            products: watch(),
            pages: watch(),
            fragments: watch(),
            requests: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            latencies: Latencies::default(),
        }
    }

    pub(crate) fn requests(&self) -> Requests {
        Requests { done: self.requests.load(Relaxed), failed: self.failed.load(Relaxed) }
    }

    /// Of all regions together.
    pub(crate) fn callers(&self) -> Callers {
        self.watches().map(|watch| watch.callers()).fold(Callers::default(), Callers::plus)
    }

    /// The numbers of the keys that were created since this was asked last.
    pub(crate) fn take_created(&self) -> Vec<usize> {
        self.watches().flat_map(|watch| watch.take_created()).collect()
    }

    /// How long the requests took that ended since this was asked last.
    pub(crate) fn take_latencies(&self) -> Histogram {
        self.latencies.take()
    }

    fn watches(&self) -> impl Iterator<Item = &Arc<Watch>> {
        [&self.products, &self.pages, &self.fragments].into_iter()
    }
}

/// Counts and times a request: a layer around the routes of the shop.
pub(crate) async fn measure(
    State(shop): State<Arc<Shop>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    let meters = &shop.meters;
    meters.latencies.add(started.elapsed());
    meters.requests.fetch_add(1, Relaxed);
    if response.status().is_server_error() {
        meters.failed.fetch_add(1, Relaxed);
    }
    response
}

impl Callers {
    fn plus(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            created: self.created + other.created,
            stale: self.stale + other.stale,
            waited: self.waited + other.waited,
            failed: self.failed + other.failed,
        }
    }
}

impl From<Counts> for Callers {
    fn from(counts: Counts) -> Self {
        let Counts { hits, created, stale, waited, failed, .. } = counts;
        Self { hits, created, stale, waited, failed }
    }
}

/// The observer of a region: counts, of the region and of one key, and which keys were created.
#[derive(Debug)]
pub(crate) struct Watch {
    region: Stats,
    /// The key that everybody wants.
    wanted: KeyBuf,
    of_wanted: Stats,
    numbers: Arc<HashMap<KeyBuf, usize>>,
    created: Mutex<Vec<usize>>,
}

impl Watch {
    fn new(numbers: &Arc<HashMap<KeyBuf, usize>>, wanted: KeyBuf) -> Self {
        let (region, of_wanted, numbers) = (Stats::new(), Stats::new(), Arc::clone(numbers));
        Self { region, wanted, of_wanted, numbers, created: Mutex::default() }
    }

    pub(crate) fn callers(&self) -> Callers {
        self.region.counts().into()
    }

    pub(crate) fn callers_of_wanted(&self) -> Callers {
        self.of_wanted.counts().into()
    }

    fn take_created(&self) -> Vec<usize> {
        std::mem::take(&mut self.created.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observe for Watch {
    fn event(&self, key: Key<'_>, event: Event<'_>) {
        self.region.event(key, event);
        if key == self.wanted.as_key() {
            self.of_wanted.event(key, event);
        }
        if let Event::Created { .. } = event
            && let Some(number) = self.numbers.get(&KeyBuf::from(key))
        {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            // Where nobody asks, the list does not grow.
            if created.len() < self.numbers.len() {
                created.push(*number);
            }
        }
    }
}

/// Durations by size: eight steps to each doubling, so that a percentile is off by 4 % at most.
#[derive(Debug)]
struct Latencies([AtomicU64; STEPS]);

/// From a microsecond to a minute and more.
const STEPS: usize = 27 * 8;

impl Latencies {
    fn add(&self, took: Duration) {
        let doublings = (took.as_secs_f64() * 1e6).max(1.0).log2();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small and positive"
        )]
        let step = (doublings * 8.0) as usize;
        self.0[step.min(STEPS - 1)].fetch_add(1, Relaxed);
    }

    fn take(&self) -> Histogram {
        Histogram(self.0.iter().map(|count| count.swap(0, Relaxed)).collect())
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; STEPS])
    }
}

/// How many took how long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram(Vec<u64>);

impl Histogram {
    pub(crate) fn plus(mut self, other: &Self) -> Self {
        self.0.resize(STEPS, 0);
        self.0.iter_mut().zip(&other.0).for_each(|(count, more)| *count += more);
        self
    }

    /// The time within which this share of them ended, in milliseconds. `None` where there are none.
    pub(crate) fn percentile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().sum();
        let mut left = (total as f64 * share).ceil();
        (total > 0).then_some(())?;
        let step = self.0.iter().position(|count| {
            left -= *count as f64;
            left <= 0.0
        });
        let middle = step.unwrap_or(STEPS) as f64 + 0.5;
        Some((middle / 8.0).exp2() / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_step() {
        let latencies = Latencies::default();
        for micros in 1..=10_000 {
            latencies.add(Duration::from_micros(micros));
        }
        let histogram = latencies.take();
        for (share, millis) in [(0.5, 5.0), (0.99, 9.9)] {
            let found = histogram.percentile(share).unwrap();
            assert!((found / millis - 1.0_f64).abs() < 0.1, "{share}: {found} ms");
        }
        assert_eq!(latencies.take().percentile(0.5), None);
        latencies.add(Duration::from_secs(3_600));
        assert!(latencies.take().percentile(0.5).unwrap() > 60_000.0);
    }
}
