//! What a region tells about its work.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dogpile_core::{Error, Key};

/// Something that happened to one key of a region.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A fresh value was served.
    Hit,
    /// A stale value was served while somebody creates the next one.
    Stale,
    /// A read found nothing to serve. Reads that create do not say this, but
    /// [`Created`](Event::Created) or [`Waited`](Event::Waited).
    Miss,
    /// A value was created.
    Created {
        /// How long its creator ran.
        took: Duration,
    },
    /// A value was served that somebody else created meanwhile.
    Waited {
        /// How long it was waited for.
        took: Duration,
    },
    /// A created value was not stored as fresh, because an invalidation came while it was created.
    Overtaken,
    /// Stored bytes were damaged or foreign, and were taken for missing.
    Corrupt(&'a Error),
    /// The backend was down, and the region [carried on without it](crate::WhenDown::Miss).
    Down(&'a Error),
    /// The call failed.
    Failed(&'a Error),
    /// A creator lost its lease while it ran: it was stopped for too long, or somebody wrote the key
    /// meanwhile. Its value was served and not stored.
    ///
    /// The region does not see this. The lock does, and is told whom to tell:
    /// `dogpile.with_on_lost_lease(move |key| observer.event(key, Event::LostLease))`.
    LostLease,
}

/// Somebody who wants to know what a region does: metrics, traces, tests.
///
/// A region calls it on the path of every request, so it should be quick, and it must not call the
/// region. [`Stats`] is the plainest one.
pub trait Observe: fmt::Debug + Send + Sync {
    /// It happened, to this key in the region's store.
    fn event(&self, key: Key<'_>, event: Event<'_>);
}

/// Counts what a region does.
///
/// ```
/// use dogpile_cache::{Event, Observe, Key, Stats};
///
/// let stats = Stats::new();
/// stats.event(Key::name("a"), Event::Hit);
/// assert_eq!(stats.counts().hits, 1);
/// ```
#[derive(Debug, Default)]
pub struct Stats([AtomicU64; 10]);

impl Stats {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counts so far. Each is exact, and they are not all read at the same moment.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let [hits, stale, misses, created, waited, overtaken, corrupt, down, failed, lost_leases] =
            self.0.each_ref().map(|count| count.load(Relaxed));
        Counts {
            hits,
            stale,
            misses,
            created,
            waited,
            overtaken,
            corrupt,
            down,
            failed,
            lost_leases,
        }
    }
}

impl Observe for Stats {
    fn event(&self, _: Key<'_>, event: Event<'_>) {
        let count = match event {
            Event::Hit => 0,
            Event::Stale => 1,
            Event::Miss => 2,
            Event::Created { .. } => 3,
            Event::Waited { .. } => 4,
            Event::Overtaken => 5,
            Event::Corrupt(_) => 6,
            Event::Down(_) => 7,
            Event::Failed(_) => 8,
            Event::LostLease => 9,
        };
        self.0[count].fetch_add(1, Relaxed);
    }
}

/// How often each [`Event`] happened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// [`Event::Hit`].
    pub hits: u64,
    /// [`Event::Stale`].
    pub stale: u64,
    /// [`Event::Miss`].
    pub misses: u64,
    /// [`Event::Created`].
    pub created: u64,
    /// [`Event::Waited`].
    pub waited: u64,
    /// [`Event::Overtaken`].
    pub overtaken: u64,
    /// [`Event::Corrupt`].
    pub corrupt: u64,
    /// [`Event::Down`].
    pub down: u64,
    /// [`Event::Failed`].
    pub failed: u64,
    /// [`Event::LostLease`].
    pub lost_leases: u64,
}
