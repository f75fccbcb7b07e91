//! Time that moves when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dogpile_core::{Clock, Timestamp};

/// A [`Clock`] whose hands are moved by hand.
///
/// Clones are the same clock. Both readings are equal: nothing lags.
///
/// ```
/// use dogpile_conformance::ManualClock;
/// use dogpile_core::{Clock, Timestamp};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since(before), Duration::from_secs(60));
/// clock.step_back(Duration::from_secs(60));
/// assert_eq!(clock.recent(), before);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows 2024-01-01T00:00:00Z.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Timestamp::from_millis(1_704_067_200_000))
    }

    /// A clock that shows this moment.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(moment.as_millis())))
    }

    /// Shows this moment from now on, be it earlier or later than the last.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.as_millis(), Ordering::SeqCst);
    }

    /// Moves on by `d`, in whole milliseconds, at most to [`Timestamp::MAX`].
    pub fn advance(&self, d: Duration) {
        self.update(|moment| moment.plus(d));
    }

    /// Steps back by `d`, in whole milliseconds, at most to [`Timestamp::MIN`]: what an operator or
    /// a time server does to a real clock.
    pub fn step_back(&self, d: Duration) {
        self.update(|moment| moment.minus(d));
    }

    fn update(&self, to: impl Fn(Timestamp) -> Timestamp) {
        let to = |millis| Some(to(Timestamp::from_millis(millis)).as_millis());
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, to);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn recent(&self) -> Timestamp {
        self.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_one_clock_and_the_ends_are_walls() {
        let clock = ManualClock::at(Timestamp::from_millis(5));
        let same = clock.clone();
        same.step_back(Duration::from_secs(1));
        assert_eq!(clock.now(), Timestamp::MIN);
        same.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
        same.set(Timestamp::from_millis(7));
        assert_eq!(clock.recent(), Timestamp::from_millis(7));
    }
}
