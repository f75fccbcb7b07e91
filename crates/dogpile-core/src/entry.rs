//! What a backend keeps under a key, and how old it may be.

use std::time::Duration;

use crate::Timestamp;

/// A value and what has to travel with it.
///
/// ```
/// use dogpile_core::{Entry, Timestamp};
///
/// let entry = Entry::new(Timestamp::from_millis(1_000), "value").with_version(2);
/// assert_eq!(entry.map(str::len).value, 5);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "backends build entries from what they stored")]
pub struct Entry<V> {
    /// When the value was created, by the clock of its creator.
    pub created: Timestamp,
    /// When the value stops being fresh by its own account; [`Timestamp::MAX`] leaves that to the
    /// reader's [`Policy`].
    pub expires: Timestamp,
    /// The version of the value's type. A reader of another version takes the entry for missing
    /// before it decodes anything.
    pub version: u32,
    /// The value, in the form the backend keeps.
    pub value: V,
}

impl<V> Entry<V> {
    /// An entry of version 0 whose freshness is the reader's affair.
    pub const fn new(created: Timestamp, value: V) -> Self {
        Self { created, expires: Timestamp::MAX, version: 0, value }
    }

    /// The same entry, fresh only before `expires`.
    #[must_use]
    pub fn with_expires(mut self, expires: Timestamp) -> Self {
        self.expires = expires;
        self
    }

    /// The same entry, for a value of this version.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The same stamps around another form of the value.
    pub fn map<W>(self, form: impl FnOnce(V) -> W) -> Entry<W> {
        let Self { created, expires, version, value } = self;
        Entry { created, expires, version, value: form(value) }
    }
}

/// How old an entry is to one reader at one moment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the dogpile protocol knows these three and no other")]
pub enum Age {
    /// Good: serve it.
    Fresh,
    /// Past its time: serve it only while somebody creates the next one.
    Stale,
    /// As good as missing.
    Dead,
}

/// What a reader accepts, as durations and barriers that do not depend on the time of day.
///
/// ```
/// use dogpile_core::{Age, Entry, Policy, Timestamp};
/// use std::time::Duration;
///
/// let policy = Policy::new().with_fresh_for(Some(Duration::from_millis(500)));
/// let entry = Entry::new(Timestamp::from_millis(10_000), ());
///
/// assert_eq!(policy.at(Timestamp::from_millis(10_500)).age(&entry), Age::Fresh);
/// assert_eq!(policy.at(Timestamp::from_millis(10_501)).age(&entry), Age::Stale);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    fresh_for: Option<Duration>,
    keep_for: Option<Duration>,
    stale_before: Timestamp,
    dead_before: Timestamp,
    version: Option<u32>,
}

impl Policy {
    /// Everything is fresh, for ever.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long an entry is fresh after its creation. `None` is "for ever", and zero is "until the
    /// clock moves".
    #[must_use]
    pub fn with_fresh_for(mut self, d: Option<Duration>) -> Self {
        self.fresh_for = d;
        self
    }

    /// How long after its creation an entry may be served at all. `None` is "for ever".
    #[must_use]
    pub fn with_keep_for(mut self, d: Option<Duration>) -> Self {
        self.keep_for = d;
        self
    }

    /// Entries created before this moment are stale: a soft invalidation.
    #[must_use]
    pub fn with_stale_before(mut self, barrier: Timestamp) -> Self {
        self.stale_before = barrier;
        self
    }

    /// Entries created before this moment are dead: a hard invalidation.
    #[must_use]
    pub fn with_dead_before(mut self, barrier: Timestamp) -> Self {
        self.dead_before = barrier;
        self
    }

    /// Entries of any other version are dead. Without it, the version is not looked at.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// The only version that is not dead; `None` is "any".
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        self.version
    }

    /// How long an entry is fresh after its creation.
    #[must_use]
    pub fn fresh_for(&self) -> Option<Duration> {
        self.fresh_for
    }

    /// How long after its creation an entry may be served at all.
    #[must_use]
    pub fn keep_for(&self) -> Option<Duration> {
        self.keep_for
    }

    /// The same demands as instants, seen from `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Freshness {
        let ago = |d: Option<Duration>| d.map_or(Timestamp::MIN, |d| now.minus(d));
        Freshness {
            now,
            stale_before: self.stale_before.max(ago(self.fresh_for)),
            dead_before: self.dead_before.max(ago(self.keep_for)),
            policy: *self,
        }
    }
}

/// A [`Policy`] seen from one moment: what is asked of an entry, as instants.
///
/// A store that keeps the creation stamp compares it with the instants; a store that only knows how
/// long an item has left to live (memcached) uses the durations of [`Freshness::policy`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Freshness {
    now: Timestamp,
    stale_before: Timestamp,
    dead_before: Timestamp,
    policy: Policy,
}

impl Freshness {
    /// How far in the future a creation stamp may lie before it counts as wrong: 5 s. Machines that
    /// keep time differ by milliseconds; a stamp further ahead comes from a clock that has since
    /// been set back, and without this rule it would be fresh until the clock caught up.
    pub const SKEW: Duration = Duration::from_secs(5);

    /// How old `entry` is.
    ///
    /// # Behavior
    /// - Dead: created before [`dead_before`](Self::dead_before), or of another version than the
    ///   [policy](Policy::with_version) asks for.
    /// - Stale: created before [`stale_before`](Self::stale_before), or past its own `expires`, or
    ///   created more than [`SKEW`](Self::SKEW) after [`now`](Self::now).
    /// - Fresh otherwise: an age of exactly `fresh_for` is still fresh.
    #[inline]
    pub fn age<V>(&self, entry: &Entry<V>) -> Age {
        if entry.created < self.dead_before
            || self.policy.version.is_some_and(|version| version != entry.version)
        {
            Age::Dead
        } else if entry.created < self.stale_before
            || entry.expires <= self.now
            || entry.created > self.now.plus(Self::SKEW)
        {
            Age::Stale
        } else {
            Age::Fresh
        }
    }

    /// The moment from which it is seen.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Entries created before this are stale.
    #[must_use]
    pub fn stale_before(&self) -> Timestamp {
        self.stale_before
    }

    /// Entries created before this are dead.
    #[must_use]
    pub fn dead_before(&self) -> Timestamp {
        self.dead_before
    }

    /// The durations and barriers the instants come from.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn made(ago: i64) -> Entry<()> {
        Entry::new(Timestamp::from_millis(NOW.as_millis().saturating_add_signed(-ago)), ())
    }

    #[test]
    fn age_by_duration() {
        let policy = Policy::new()
            .with_fresh_for(Some(Duration::from_millis(100)))
            .with_keep_for(Some(Duration::from_millis(1_000)));
        for (ago, age) in [
            (0, Age::Fresh),
            (100, Age::Fresh),
            (101, Age::Stale),
            (1_000, Age::Stale),
            (1_001, Age::Dead),
            (-5_000, Age::Fresh),
            (-5_001, Age::Stale),
        ] {
            assert_eq!(policy.at(NOW).age(&made(ago)), age, "created {ago} ms ago");
        }
    }

    #[test]
    fn never_is_for_ever_and_zero_is_until_the_clock_moves() {
        assert_eq!(Policy::new().at(NOW).age(&made(999_999)), Age::Fresh);
        let zero = Policy::new().with_fresh_for(Some(Duration::ZERO));
        assert_eq!(zero.at(NOW).age(&made(0)), Age::Fresh);
        assert_eq!(zero.at(NOW).age(&made(1)), Age::Stale);
    }

    #[test]
    fn barriers_move_only_forward() {
        let policy = Policy::new()
            .with_fresh_for(Some(Duration::from_millis(10)))
            .with_stale_before(NOW.minus(Duration::from_millis(50)))
            .with_dead_before(NOW.minus(Duration::from_millis(20)));
        assert_eq!(policy.at(NOW).age(&made(15)), Age::Stale);
        assert_eq!(policy.at(NOW).age(&made(21)), Age::Dead);
    }

    #[test]
    fn another_version_is_dead() {
        let entry = made(0).with_version(2);
        assert_eq!(Policy::new().at(NOW).age(&entry), Age::Fresh);
        assert_eq!(Policy::new().with_version(2).at(NOW).age(&entry), Age::Fresh);
        assert_eq!(Policy::new().with_version(3).at(NOW).age(&entry), Age::Dead);
        assert_eq!(Policy::new().with_version(0).at(NOW).age(&entry), Age::Dead);
    }

    #[test]
    fn an_entrys_own_expiry_only_shortens() {
        let never = Policy::new();
        assert_eq!(never.at(NOW).age(&made(5).with_expires(NOW)), Age::Stale);
        assert_eq!(
            never.at(NOW).age(&made(5).with_expires(NOW.plus(Duration::from_millis(1)))),
            Age::Fresh
        );
    }
}
