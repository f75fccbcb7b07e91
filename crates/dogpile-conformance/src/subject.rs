//! What is put to the test.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dogpile_core::{Clock, SystemClock, Timestamp};

use crate::ManualClock;

/// A backend, lock or other implementation under test, with what the test has to know about it.
///
/// Cheap to clone; clones are the same subject. It dereferences to what it holds.
///
/// ```
/// use dogpile_conformance::{ManualClock, Subject};
/// use std::time::Duration;
///
/// # dogpile_conformance::run(async {
/// let clock = ManualClock::new();
/// let subject = Subject::new("a lock that reads `clock`").with_clock(clock);
/// let before = subject.now();
/// subject.pass(Duration::from_secs(3600)).await; // takes no time
/// assert_eq!(subject.now().since(before), Duration::from_secs(3600));
/// # });
/// ```
pub struct Subject<T> {
    it: Arc<T>,
    other: Option<Arc<T>>,
    clock: Arc<dyn Clock>,
    advance: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
    lag: Duration,
    prefix: Arc<str>,
    // Dropped last, so that a folder or a server outlives what uses it.
    guards: Vec<Arc<dyn Any + Send + Sync>>,
}

impl<T> Subject<T> {
    /// A subject that lives by the clock of the operating system.
    pub fn new(it: T) -> Self {
        Self {
            it: Arc::new(it),
            other: None,
            clock: Arc::new(SystemClock),
            advance: None,
            lag: Duration::ZERO,
            prefix: unique().into(),
            guards: Vec::new(),
        }
    }

    /// Adds a second, independent handle of the same store, as another process would open it. What
    /// one writes or locks, the other has to see.
    #[must_use]
    pub fn with_other(mut self, other: T) -> Self {
        self.other = Some(Arc::new(other));
        self
    }

    /// Says that the subject was built with this clock: time passes by moving it.
    #[must_use]
    pub fn with_clock(mut self, clock: ManualClock) -> Self {
        self.clock = Arc::new(clock.clone());
        self.with_advance(move |d| clock.advance(d))
    }

    /// Says how to let time pass for the subject, where it is not the operating system's and not a
    /// [`ManualClock`].
    #[must_use]
    pub fn with_advance(mut self, advance: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.advance = Some(Arc::new(advance));
        self
    }

    /// Says by how much a lease may end late, where the store's own clock is coarse: 2 s for one that
    /// counts in seconds. Zero if it is not said.
    #[must_use]
    pub fn with_lag(mut self, lag: Duration) -> Self {
        self.lag = lag;
        self
    }

    /// Keeps something as long as the subject: a temporary folder, a server.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Arc::new(guard));
        self
    }

    /// The second handle, or the first where there is only one.
    #[must_use]
    pub fn other(&self) -> &T {
        self.other.as_deref().unwrap_or(&self.it)
    }

    /// The time by the subject's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The subject's clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Lets this much time pass for the subject. It really passes where the subject has no clock
    /// that can be moved.
    pub async fn pass(&self, d: Duration) {
        match &self.advance {
            Some(advance) => advance(d),
            None => tokio::time::sleep(d).await,
        }
    }

    /// Whether time is moved for the subject, and takes none.
    #[cfg(feature = "sessions")]
    pub(crate) fn passes_at_once(&self) -> bool {
        self.advance.is_some()
    }

    /// Lets this much time pass, and as much more as a lease may end late.
    pub(crate) async fn pass_lease(&self, d: Duration) {
        self.pass(d + self.lag).await;
    }

    /// A name that no other subject uses, in this run or an earlier one: a suite may run against a
    /// server that other tests use at the same time.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }
}

impl<T> Clone for Subject<T> {
    fn clone(&self) -> Self {
        Self {
            it: Arc::clone(&self.it),
            other: self.other.clone(),
            clock: Arc::clone(&self.clock),
            advance: self.advance.clone(),
            lag: self.lag,
            prefix: Arc::clone(&self.prefix),
            guards: self.guards.clone(),
        }
    }
}

impl<T> Deref for Subject<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.it
    }
}

impl<T: fmt::Debug> fmt::Debug for Subject<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subject").field(&self.it).finish()
    }
}

fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{nanos:x}-{:x}-{count:x}", std::process::id())
}
