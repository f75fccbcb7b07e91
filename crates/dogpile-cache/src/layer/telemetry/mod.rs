//! What regions and backends do, as metrics and traces.

#[cfg(feature = "metrics")]
mod meters;
#[cfg(feature = "tracing")]
mod traces;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dogpile_core::{Error, ErrorKind, Key, Result};

use crate::{Event, Observe};

/// Tells the [`metrics`](https://docs.rs/metrics) and [`tracing`](https://docs.rs/tracing) facades
/// what a cache does. Features `metrics` and `tracing`; what is off costs nothing.
///
/// One value serves both sides: give it to a region as its observer, for hits, creations and errors
/// as callers see them, and to [`Observed`](super::Observed), for the calls to a backend.
///
/// # Metrics
///
/// Every metric has the label `cache`: the name given to [`new`](Self::new). Install the recorder
/// whenever you like; what happened before is not counted.
///
/// | metric | kind | further labels | of |
/// |---|---|---|---|
/// | `dogpile_cache_events_total` | counter | `event`: `hit` `stale` `miss` `created` `waited` `overtaken` `corrupt` `down` `failed` `lost_lease`, see [`Event`] | a region |
/// | `dogpile_cache_create_seconds` | histogram | | a region: how long creators ran |
/// | `dogpile_cache_wait_seconds` | histogram | | a region: how long callers waited for somebody else's creation |
/// | `dogpile_cache_errors_total` | counter | `kind` of the error, as `timed_out` | a region |
/// | `dogpile_cache_backend_seconds` | histogram | `operation`, as `get_many` | a backend: how long calls took; those of `wait` are waits for somebody else's creation |
/// | `dogpile_cache_backend_errors_total` | counter | `operation`, and `kind` of the error, or `cancelled` | a backend |
/// | `dogpile_cache_backend_entries_total` | counter | `found`: `yes` or `no` | a backend: entries asked for |
/// | `dogpile_cache_backend_bytes_total` | counter | `direction`: `read` or `written` | a backend whose values are bytes |
///
/// # Traces
///
/// All have the target `dogpile_cache` and the field `cache.name`.
///
/// | name | level | fields |
/// |---|---|---|
/// | event `cache.event` | trace; debug for `created` and `overtaken`; warn for `corrupt`, `down`, `failed` and `lost_lease` | `cache.event`, `cache.create_seconds`, `cache.wait_seconds`, `error`, `cache.key_hash` |
/// | span `cache.backend` | debug | `cache.operation`, `cache.keys`, `cache.hits`, `cache.misses`, `cache.bytes_read`, `cache.bytes_written`, `cache.outcome`: `ok`, `cancelled` or the kind of the error |
///
/// Keys may be personal and are never recorded. [`with_key_hash`](Self::with_key_hash) adds a hash of
/// the key to traces.
///
/// ```
/// use dogpile_cache::Region;
/// use dogpile_cache::backend::MemoryBytes;
/// use dogpile_cache::codec::Typed;
/// use dogpile_cache::layer::{Observed, Telemetry};
/// use dogpile_lock::Dogpile;
/// use std::sync::Arc;
///
/// let telemetry = Telemetry::new("users");
/// let backend = Observed::new(MemoryBytes::new(1 << 20), telemetry.clone());
/// let region = Region::new(Dogpile::local(backend), Typed).with_observer(Arc::new(telemetry));
/// ```
#[derive(Clone, Debug)]
pub struct Telemetry {
    #[cfg(feature = "metrics")]
    meters: Arc<meters::Meters>,
    #[cfg(feature = "tracing")]
    traces: traces::Traces,
}

impl Telemetry {
    /// Telemetry of the cache of this name.
    #[must_use]
    pub fn new(cache: impl Into<Arc<str>>) -> Self {
        let cache = cache.into();
        Self {
            #[cfg(feature = "metrics")]
            meters: Arc::new(meters::Meters::new(&cache)),
            #[cfg(feature = "tracing")]
            traces: traces::Traces::new(cache),
        }
    }

    /// Whether traces tell keys apart by a 64-bit hash. It is the same in all processes, so whoever
    /// can guess a key can recognise it. False by default.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn with_key_hash(mut self, yes: bool) -> Self {
        self.traces.key_hash = yes;
        self
    }

    /// Watches one call to a backend; `seen` says what a successful answer amounts to.
    pub(super) async fn watch<T>(
        &self,
        operation: &'static str,
        keys: usize,
        call: impl Future<Output = Result<T>> + Send,
        seen: impl FnOnce(&T) -> Seen + Send,
    ) -> Result<T> {
        let watched = Watched::begin(self, operation, keys);
        #[cfg(feature = "tracing")]
        let call = tracing::Instrument::instrument(call, watched.span.clone());
        let answer = call.await;
        match &answer {
            Ok(answer) => watched.end("ok", seen(answer)),
            Err(error) => watched.end(kind(error), Seen::default()),
        }
        answer
    }
}

impl Observe for Telemetry {
    fn event(&self, key: Key<'_>, event: Event<'_>) {
        let told = Told::from(event);
        #[cfg(feature = "metrics")]
        self.meters.event(&told);
        #[cfg(feature = "tracing")]
        self.traces.event(key, &told);
        #[cfg(not(feature = "tracing"))]
        let _ = key;
    }
}

/// A region's event, as both facades want it.
struct Told<'e> {
    /// Its place in [`EVENTS`].
    event: usize,
    took: Option<Duration>,
    error: Option<&'e Error>,
}

const EVENTS: [&str; 10] = [
    "hit",
    "stale",
    "miss",
    "created",
    "waited",
    "overtaken",
    "corrupt",
    "down",
    "failed",
    "lost_lease",
];

impl<'e> From<Event<'e>> for Told<'e> {
    fn from(event: Event<'e>) -> Self {
        let (event, took, error) = match event {
            Event::Hit => (0, None, None),
            Event::Stale => (1, None, None),
            Event::Miss => (2, None, None),
            Event::Created { took } => (3, Some(took), None),
            Event::Waited { took } => (4, Some(took), None),
            Event::Overtaken => (5, None, None),
            Event::Corrupt(error) => (6, None, Some(error)),
            Event::Down(error) => (7, None, Some(error)),
            Event::Failed(error) => (8, None, Some(error)),
            Event::LostLease => (9, None, None),
        };
        Self { event, took, error }
    }
}

impl Told<'_> {
    fn created_in(&self) -> Option<Duration> {
        self.took.filter(|_| EVENTS[self.event] == "created")
    }

    fn waited_for(&self) -> Option<Duration> {
        self.took.filter(|_| EVENTS[self.event] == "waited")
    }
}

/// What the answer of a backend amounts to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) bytes_read: u64,
    pub(super) bytes_written: u64,
}

impl Seen {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            bytes_read: self.bytes_read + other.bytes_read,
            bytes_written: self.bytes_written + other.bytes_written,
        }
    }
}

/// A call to a backend under way. Dropped before its end, it was cancelled.
struct Watched<'t> {
    telemetry: &'t Telemetry,
    operation: &'static str,
    begun: Instant,
    ended: bool,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl<'t> Watched<'t> {
    fn begin(telemetry: &'t Telemetry, operation: &'static str, keys: usize) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = keys;
        Self {
            telemetry,
            operation,
            begun: Instant::now(),
            ended: false,
            #[cfg(feature = "tracing")]
            span: telemetry.traces.span(operation, keys),
        }
    }

    fn end(mut self, outcome: &'static str, seen: Seen) {
        self.ended = true;
        self.tell(outcome, seen);
    }

    fn tell(&self, outcome: &'static str, seen: Seen) {
        #[cfg(feature = "metrics")]
        self.telemetry.meters.call(self.operation, self.begun.elapsed(), outcome, seen);
        #[cfg(not(feature = "metrics"))]
        let _ = (self.telemetry, self.operation, self.begun);
        #[cfg(feature = "tracing")]
        traces::end(&self.span, outcome, seen);
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.tell("cancelled", Seen::default());
        }
    }
}

fn kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::Creation => "creation",
        ErrorKind::Encode => "encode",
        ErrorKind::Panicked => "panicked",
        ErrorKind::Reentrant => "reentrant",
        ErrorKind::Refused => "refused",
        ErrorKind::TimedOut => "timed_out",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::Unavailable => "unavailable",
        _ => "other",
    }
}
