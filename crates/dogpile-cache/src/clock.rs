//! Time, as cheap as it gets.

use dogpile_core::{Clock, SystemClock, Timestamp};

/// The clock of the operating system, with a reading for the hot path that costs next to nothing:
/// the default clock of a region.
///
/// [`recent`](Clock::recent) reads `CLOCK_REALTIME_COARSE` on Linux and Android, the wall clock as
/// of the kernel's last tick (1 to 10 ms ago). Elsewhere it is [`now`](Clock::now).
///
/// ```
/// use dogpile_cache::CoarseClock;
/// use dogpile_core::Clock;
///
/// let recent = CoarseClock.recent();
/// assert!(recent <= CoarseClock.now());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to configure, and is written as a value"
)]
pub struct CoarseClock;

impl Clock for CoarseClock {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[inline]
    fn recent(&self) -> Timestamp {
        use rustix::time::{ClockId, clock_gettime};

        let time = clock_gettime(ClockId::RealtimeCoarse);
        let millis = time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000);
        // Before 1970 is 1970, as for `now`.
        Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn recent(&self) -> Timestamp {
        self.now()
    }
}
