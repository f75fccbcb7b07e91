//! The coarse clock, against the precise one.

use std::sync::Arc;

use dogpile_cache::CoarseClock;
use dogpile_core::{Clock, RECENT_LAG};

#[test]
fn recent_is_never_ahead_of_now() {
    let clock: Arc<dyn Clock> = Arc::new(CoarseClock);
    for _ in 0..100_000 {
        let recent = clock.recent();
        let now = clock.now();
        assert!(recent <= now, "{recent} is after {now}");
    }
}

/// The precise clock is read first, so that a pause between the readings cannot fail the test. A
/// virtual machine that is itself paused can make the kernel late with a tick, hence the few that
/// may lag.
#[test]
fn recent_lags_no_more_than_allowed() {
    let late = (0..100_000).filter(|_| {
        let now = CoarseClock.now();
        now.since(CoarseClock.recent()) > RECENT_LAG
    });
    let late = late.count();
    assert!(late < 1_000, "{late} of 100000 readings lagged more than {RECENT_LAG:?}");
}

#[test]
fn recent_moves_on() {
    let start = CoarseClock.recent();
    while CoarseClock.now().since(start) < 2 * RECENT_LAG {
        std::hint::spin_loop();
    }
    assert!(CoarseClock.recent() > start);
}
