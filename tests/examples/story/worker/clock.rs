//! The clock of the story, whose hand is moved from minute to minute.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dogpile_cache::{Clock, SystemClock, Timestamp};

/// It begins at the real time, because servers and files have clocks of their own.
#[derive(Debug)]
pub(crate) struct MinuteHand {
    start: Timestamp,
    minute: AtomicU64,
}

impl Default for MinuteHand {
    fn default() -> Self {
        Self { start: SystemClock.now(), minute: AtomicU64::new(0) }
    }
}

impl MinuteHand {
    pub(crate) fn set(&self, minute: u64) {
        self.minute.store(minute, Relaxed);
    }
}

impl Clock for MinuteHand {
    fn now(&self) -> Timestamp {
        self.start.plus(Duration::from_secs(60 * self.minute.load(Relaxed)))
    }

    fn recent(&self) -> Timestamp {
        self.now()
    }
}
