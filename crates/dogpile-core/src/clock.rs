//! Time, injectable everywhere so that no test has to sleep.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment of wall-clock time: whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Wall-clock, because a stamp written by one machine is read by another. Arithmetic saturates
/// instead of overflowing.
///
/// ```
/// use dogpile_core::Timestamp;
/// use std::time::Duration;
///
/// let noon = Timestamp::from_millis(1_700_000_000_250);
/// assert_eq!(noon.plus(Duration::from_millis(750)).as_millis(), 1_700_000_001_000);
/// assert_eq!(noon.minus(Duration::MAX), Timestamp::MIN);
/// assert_eq!(noon.since(noon.plus(Duration::from_secs(1))), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Before everything: 1970.
    pub const MIN: Self = Self(0);
    /// After everything; as an expiry it means "never".
    pub const MAX: Self = Self(u64::MAX);

    /// The moment this many milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment and `d` more, at most [`Timestamp::MAX`]; fractions of a millisecond are dropped.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }

    /// `d` before this moment, at least [`Timestamp::MIN`]; fractions of a millisecond are dropped.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(millis(d)))
    }

    /// How long after `earlier` this moment is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    /// Seconds since the epoch with three decimals, as Unix tools print them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[inline]
const fn millis(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1000).saturating_add(d.subsec_millis() as u64)
}

/// Where a moment comes from.
///
/// Everything in this workspace that asks for the time asks one of these, so a test moves the hands
/// instead of sleeping.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time.
    ///
    /// # Behavior
    /// - It is the wall clock: other machines read the stamps made from it.
    /// - It may step back; nothing here becomes immortal or panics when it does.
    fn now(&self) -> Timestamp;

    /// A cheap reading for the hot path.
    ///
    /// # Behavior
    /// - It is never ahead of [`now`](Clock::now), and at most [`RECENT_LAG`] behind it.
    /// - A clock without a cheaper reading answers [`now`](Clock::now).
    fn recent(&self) -> Timestamp;
}

/// How far [`Clock::recent`] may lag behind [`Clock::now`]: 20 ms, twice the tick of the slowest
/// common Linux kernel.
pub const RECENT_LAG: Duration = Duration::from_millis(20);

/// The clock of the operating system.
///
/// Both readings are `std::time::SystemTime::now`; a crate that may depend on more offers a coarser
/// and cheaper [`recent`](Clock::recent).
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to configure, and is written as a value"
)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis(since_epoch))
    }

    fn recent(&self) -> Timestamp {
        self.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let now = SystemClock.now();
        assert_eq!(now.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(now.minus(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.since(now), Duration::ZERO);
        assert_eq!(now.plus(Duration::from_secs(3)).since(now), Duration::from_secs(3));
    }

    #[test]
    fn prints_as_unix_seconds() {
        assert_eq!(Timestamp::from_millis(1_700_000_000_250).to_string(), "1700000000.250");
    }
}
