//! A named way of caching: where, for how long, under which names, in which form.

mod barrier;
mod get;
mod get_or_create;
mod invalidate;
mod many;
mod observe;
mod options;
mod refresh;
mod set;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dogpile_core::{Backend, Clock, Counter, Error, ErrorKind, Key, Policy};

use self::barrier::{Barrier, Barriers};
use crate::clock::CoarseClock;
use crate::key::{KeySpace, Mangle};

pub use self::observe::{Counts, Event, Observe, Stats};
pub use self::options::{CallOptions, Expiry, Invalidation, Options, WhenDown};

/// A cache: a store, a [codec](dogpile_core::Codec), and the rules for what is kept in it.
///
/// The store `R` is anything that [reads through](dogpile_core::ReadThrough): a backend behind the
/// dogpile lock. One region holds values of many types, each call naming its own; the codec `C` has
/// to know them. A region is cheap to clone, and clones are the same region: they share the store,
/// the options and what was invalidated.
///
/// The options are set once, before the region is used; each `with_…`, `expires_after` and so on
/// answers the region with that option changed. Set on a clone, they make a second region over the
/// same store.
pub struct Region<R, C> {
    store: Arc<Store<R, C>>,
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Store<R, C> {
    backend: R,
    codec: C,
}

#[derive(Clone, Debug)]
struct Settings {
    options: Options,
    clock: Arc<dyn Clock>,
    space: KeySpace,
    barriers: Arc<Barriers>,
    observer: Option<Arc<dyn Observe>>,
}

impl<R, C> Region<R, C> {
    /// A region whose values never expire.
    #[must_use]
    pub fn new(store: R, codec: C) -> Self {
        Self {
            store: Arc::new(Store { backend: store, codec }),
            settings: Arc::new(Settings {
                options: Options::default(),
                clock: Arc::new(CoarseClock),
                space: KeySpace::default(),
                barriers: Arc::default(),
                observer: None,
            }),
        }
    }

    /// Values are fresh for this long after their creation.
    #[must_use]
    pub fn expires_after(self, d: Duration) -> Self {
        self.with_expiry(Expiry::after(d))
    }

    /// Values are fresh until they are invalidated, deleted or evicted.
    #[must_use]
    pub fn never_expires(self) -> Self {
        self.with_expiry(Expiry::never())
    }

    /// How long values are fresh.
    #[must_use]
    pub fn with_expiry(self, expiry: Expiry) -> Self {
        self.option(|options| options.expiry = expiry)
    }

    /// Values are not served at all, not even while the next one is created, once they are older
    /// than this. The store is told that it may drop them then. It should be longer than the
    /// expiry: the time in between is when a stale value spares everybody the waiting.
    #[must_use]
    pub fn with_hard_deadline(self, d: Duration) -> Self {
        self.option(|options| options.hard_deadline = Some(d))
    }

    /// Shortens the expiry of each key by its own part of this fraction (0 to 1), so that values
    /// created together do not all expire together. The part follows from the key alone: all readers
    /// of all processes agree on it.
    #[must_use]
    pub fn with_jitter(self, fraction: f64) -> Self {
        self.option(|options| options.jitter = if fraction > 0.0 { fraction.min(1.0) } else { 0.0 })
    }

    /// The version of the values' types. Entries of another version count as missing and are not
    /// decoded, so raise it when the stored form of a type changes.
    #[must_use]
    pub fn with_version(self, version: u32) -> Self {
        self.option(|options| options.version = version)
    }

    /// How long a caller waits for somebody else's creation before
    /// [`ErrorKind::TimedOut`]. 30 s by default.
    #[must_use]
    pub fn with_wait_for(self, d: Duration) -> Self {
        self.option(|options| options.wait_for = d)
    }

    /// How long the turn of a creator in another process outlives its last sign of life. 5 s by
    /// default.
    #[must_use]
    pub fn with_lease_for(self, d: Duration) -> Self {
        self.option(|options| options.lease_for = d)
    }

    /// Whether stale values are served while somebody creates the next one. If not, everybody waits.
    #[must_use]
    pub fn with_serve_stale(self, yes: bool) -> Self {
        self.option(|options| options.serve_stale = yes)
    }

    /// What happens while the backend is down.
    #[must_use]
    pub fn when_down(self, policy: WhenDown) -> Self {
        self.option(|options| options.when_down = policy)
    }

    /// Puts this before every key, so that regions can share a store. It becomes part of the group
    /// of keys that have one, is not mangled, and names the region's shared invalidation.
    #[must_use]
    pub fn with_prefix(self, prefix: impl AsRef<[u8]>) -> Self {
        self.setting(|settings| {
            settings.space.prefix = prefix.as_ref().to_vec();
            settings.barriers = Arc::new(settings.barriers.renamed(prefix.as_ref().to_vec()));
        })
    }

    /// Rewrites every key for a store that cannot take it as it is; a key's group and name are each
    /// rewritten.
    #[must_use]
    pub fn with_mangler(self, mangler: impl Mangle + 'static) -> Self {
        self.setting(|settings| settings.space.mangler = Some(Arc::new(mangler)))
    }

    /// Takes the time from here: a test moves the hands of its own clock instead of sleeping.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        self.setting(|settings| settings.clock = clock)
    }

    /// Tells somebody what happens.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observe>) -> Self {
        self.setting(|settings| settings.observer = Some(observer))
    }

    /// Shares [`invalidate`](Region::invalidate) and [`invalidate_group`](Region::invalidate_group)
    /// with every process whose region has the same prefix and the same counter.
    ///
    /// The counter holds the moments before which values are stale or dead. A region reads them at
    /// most once in `lag`, which is how late it may notice an invalidation made elsewhere, and again
    /// before it stores what it created. They are moments of the wall clock, so the machines' clocks
    /// should agree: an invalidation by one that is behind misses what was created by one that is
    /// ahead, in the time by which they differ.
    #[must_use]
    pub fn with_shared_invalidation(self, counter: impl Counter + 'static, lag: Duration) -> Self {
        self.setting(|settings| {
            let name = settings.space.prefix.clone();
            settings.barriers = Arc::new(Barriers::shared(Arc::new(counter), name, lag));
        })
    }

    /// What this region was told.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.settings.options
    }

    /// The store itself, past all rules of the region.
    #[must_use]
    pub fn store(&self) -> &R {
        &self.store.backend
    }

    fn option(self, change: impl FnOnce(&mut Options)) -> Self {
        self.setting(|settings| change(&mut settings.options))
    }

    fn setting(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<R: Backend, C> Region<R, C> {
    /// The time is asked for only where this cannot be avoided: `None` asks the counters.
    async fn barrier(&self, group: Option<&[u8]>) -> dogpile_core::Result<Barrier> {
        let settings = &*self.settings;
        match settings.barriers.known(group, &*settings.clock) {
            Some(barrier) => Ok(barrier),
            None => Box::pin(settings.barriers.read(group, &*settings.clock)).await,
        }
    }
}

impl Settings {
    /// What is accepted of the entry under this key.
    #[inline(always)]
    fn policy(&self, key: Key<'_>, expiry: Option<Expiry>, barrier: Barrier) -> Policy {
        let mut fresh_for = expiry.unwrap_or(self.options.expiry).duration();
        if self.options.jitter > 0.0 {
            let keeps = 1.0 - self.options.jitter * share(key);
            fresh_for = fresh_for.map(|d| part(d, keeps));
        }
        self.policy_for(fresh_for, barrier)
    }

    #[inline(always)]
    fn policy_for(&self, fresh_for: Option<Duration>, barrier: Barrier) -> Policy {
        Policy::new()
            .with_fresh_for(fresh_for)
            .with_keep_for(self.options.hard_deadline)
            .with_stale_before(barrier.stale)
            .with_dead_before(barrier.dead)
            .with_version(self.options.version)
    }

    #[inline]
    fn tell(&self, key: Key<'_>, event: Event<'_>) {
        if let Some(observer) = &self.observer {
            observer.event(key, event);
        }
    }

    /// Whether to carry on without the backend after this error.
    fn carries_on(&self, key: Key<'_>, error: &Error) -> bool {
        let down =
            error.kind() == ErrorKind::Unavailable && self.options.when_down == WhenDown::Miss;
        if down {
            self.tell(key, Event::Down(error));
        }
        down
    }
}

/// This fraction of a duration, which is the whole where rounding would take it past the longest.
fn part(d: Duration, fraction: f64) -> Duration {
    Duration::try_from_secs_f64(d.as_secs_f64() * fraction).unwrap_or(d)
}

/// The part of the jitter that is this key's: 0 to 1, the same in every process.
fn share(key: Key<'_>) -> f64 {
    // FNV-1a, with its high bits mixed in at the end.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let group = key.group().unwrap_or_default();
    for byte in group.iter().chain(&[0xff]).chain(key.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    f64::from(u32::try_from(hash >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

impl<R, C> Clone for Region<R, C> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), settings: Arc::clone(&self.settings) }
    }
}

impl<R: fmt::Debug, C: fmt::Debug> fmt::Debug for Region<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("store", &self.store.backend)
            .field("codec", &self.store.codec)
            .field("options", &self.settings.options)
            .finish_non_exhaustive()
    }
}
