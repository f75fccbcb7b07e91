//! What a region, and a single call, may be told.

use std::fmt;
use std::time::Duration;

use dogpile_core::Key;

/// How long a value is fresh after it was created.
///
/// It means the same everywhere: in a region, in one call, and as the answer of a function of the
/// value. An age of exactly the duration is still fresh. The resolution is one millisecond;
/// `after(Duration::ZERO)` is "until the clock moves".
///
/// ```
/// use dogpile_cache::Expiry;
/// use std::time::Duration;
///
/// assert_eq!(Expiry::after(Duration::from_millis(500)).duration(), Some(Duration::from_millis(500)));
/// assert_eq!(Expiry::never().duration(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Expiry(Option<Duration>);

impl Expiry {
    /// Fresh for this long.
    #[must_use]
    pub const fn after(d: Duration) -> Self {
        Self(Some(d))
    }

    /// Fresh until it is invalidated, deleted or evicted.
    #[must_use]
    pub const fn never() -> Self {
        Self(None)
    }

    /// How long; `None` is for ever.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        self.0
    }
}

impl From<Duration> for Expiry {
    fn from(d: Duration) -> Self {
        Self::after(d)
    }
}

/// How thoroughly an invalidation forgets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an entry is stale or dead, and nothing else")]
pub enum Invalidation {
    /// What was created before is as good as deleted: readers wait for the new value.
    Hard,
    /// What was created before is stale: one caller creates the new value, and the others are
    /// served the old one meanwhile.
    Soft,
}

/// What a region does while its backend is down: while it answers
/// [`ErrorKind::Unavailable`](dogpile_core::ErrorKind::Unavailable).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WhenDown {
    /// Fails with the backend's error.
    #[default]
    Error,
    /// Carries on as if nothing were cached: reads find nothing, every caller creates its value for
    /// itself, and writes are dropped. Each such call is told to the
    /// [observer](crate::Observe) as [`Event::Down`](crate::Event::Down).
    Miss,
}

/// What a [`Region`](crate::Region) was told, to be read back.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// How long values are fresh. Never expiring by default.
    pub expiry: Expiry,
    /// How long after its creation a value may be served at all. `None`, the default, is for ever.
    pub hard_deadline: Option<Duration>,
    /// By which fraction of itself the expiry of a key may be shortened, 0 to 1. 0 by default.
    pub jitter: f64,
    /// The version of the values. 0 by default.
    pub version: u32,
    /// How long a caller waits for somebody else's creation. 30 s by default.
    pub wait_for: Duration,
    /// How long the lease of a creator may go without a heartbeat. 5 s by default.
    pub lease_for: Duration,
    /// Whether stale values are served while somebody creates. True by default.
    pub serve_stale: bool,
    /// What happens while the backend is down. An error by default.
    pub when_down: WhenDown,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            expiry: Expiry::never(),
            hard_deadline: None,
            jitter: 0.0,
            version: 0,
            wait_for: Duration::from_secs(30),
            lease_for: Duration::from_secs(5),
            serve_stale: true,
            when_down: WhenDown::default(),
        }
    }
}

/// What one call does differently from its region.
///
/// ```
/// use dogpile_cache::{CallOptions, Expiry};
/// use std::time::Duration;
///
/// // Found users are kept for an hour, and the knowledge that there is none for ten seconds.
/// let options: CallOptions<'_, Option<String>> = CallOptions::new()
///     .with_expiry(Expiry::after(Duration::from_secs(3600)))
///     .with_none_expiry(Expiry::after(Duration::from_secs(10)));
/// ```
pub struct CallOptions<'a, T> {
    pub(crate) expiry: Option<Expiry>,
    pub(crate) expiry_of: Option<ExpiryOf<'a, T>>,
    pub(crate) none_expiry: Option<NoneExpiry<T>>,
    pub(crate) should_cache: Option<ShouldCache<'a, T>>,
    pub(crate) ignore_expiry: bool,
    pub(crate) serve_stale: Option<bool>,
    pub(crate) wait_for: Option<Duration>,
}

/// The options of a call that has any.
pub(super) type Call<'a, T> = Option<&'a CallOptions<'a, T>>;

/// A predicate over a key and the value just created for it.
type ShouldCache<'a, T> = &'a (dyn Fn(Key<'_>, &T) -> bool + Send + Sync);

/// The expiry of `None`, and what tells whether a value is that.
type NoneExpiry<T> = (Expiry, fn(&T) -> bool);

/// How a created value decides its own expiry.
type ExpiryOf<'a, T> = &'a (dyn Fn(&T) -> Expiry + Send + Sync);

impl<'a, T> CallOptions<'a, T> {
    /// Nothing different.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            expiry: None,
            expiry_of: None,
            none_expiry: None,
            should_cache: None,
            ignore_expiry: false,
            serve_stale: None,
            wait_for: None,
        }
    }

    /// Reads by this expiry instead of the region's. A value that this call stores carries it too:
    /// readers that would take the value for fresh longer find it stale.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = Some(expiry);
        self
    }

    /// Lets a value that this call stores decide how long it is fresh. The answer is stored with the
    /// value. It shortens what a reader allows and never lengthens it, so read by
    /// [`Expiry::never`], or by the longest expiry there can be.
    #[must_use]
    pub fn with_expiry_of(mut self, of: ExpiryOf<'a, T>) -> Self {
        self.expiry_of = Some(of);
        self
    }

    /// Stores a created value only if this says so. A value that is not stored is still the answer
    /// for everybody who waited for it.
    #[must_use]
    pub fn with_should_cache(mut self, predicate: ShouldCache<'a, T>) -> Self {
        self.should_cache = Some(predicate);
        self
    }

    /// Takes whatever is there, however old and even if it was invalidated.
    #[must_use]
    pub fn with_ignore_expiry(mut self, yes: bool) -> Self {
        self.ignore_expiry = yes;
        self
    }

    /// Whether a stale value is served while somebody creates the next one. If not, the caller waits.
    #[must_use]
    pub fn with_serve_stale(mut self, yes: bool) -> Self {
        self.serve_stale = Some(yes);
        self
    }

    /// How long to wait for somebody else's creation, before
    /// [`ErrorKind::TimedOut`](dogpile_core::ErrorKind::TimedOut).
    #[must_use]
    pub fn with_wait_for(mut self, d: Duration) -> Self {
        self.wait_for = Some(d);
        self
    }
}

impl<T> CallOptions<'_, Option<T>> {
    /// Negative caching: keeps the knowledge that there is nothing for its own, shorter, time.
    #[must_use]
    pub fn with_none_expiry(mut self, expiry: Expiry) -> Self {
        self.none_expiry = Some((expiry, Option::is_none));
        self
    }

    /// Does not store `None`: the next caller asks the creator again.
    #[must_use]
    pub fn without_none(self) -> Self {
        self.with_should_cache(&|_, value| value.is_some())
    }
}

impl<T> CallOptions<'_, T> {
    /// The expiry to store with a value, where it has one of its own.
    pub(crate) fn stored_expiry(&self, value: &T) -> Option<Duration> {
        let nothing =
            self.none_expiry.and_then(|(expiry, is_none)| is_none(value).then_some(expiry));
        let own = nothing.or_else(|| self.expiry_of.map(|of| of(value))).or(self.expiry);
        own.and_then(Expiry::duration)
    }

    pub(crate) fn caches(&self, key: Key<'_>, value: &T) -> bool {
        self.should_cache.is_none_or(|should_cache| should_cache(key, value))
    }
}

impl<T> Clone for CallOptions<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for CallOptions<'_, T> {}

impl<T> Default for CallOptions<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for CallOptions<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("expiry", &self.expiry)
            .field("expiry_of", &self.expiry_of.is_some())
            .field("none_expiry", &self.none_expiry.map(|(expiry, _)| expiry))
            .field("should_cache", &self.should_cache.is_some())
            .field("ignore_expiry", &self.ignore_expiry)
            .field("serve_stale", &self.serve_stale)
            .field("wait_for", &self.wait_for)
            .finish()
    }
}
