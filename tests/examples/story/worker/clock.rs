//! The clock of the story, whose hand is moved from minute to minute.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dogpile_cache::{Clock, Timestamp};

#[derive(Debug)]
pub(crate) struct MinuteHand {
    begins: Timestamp,
    minute: AtomicU64,
}

impl MinuteHand {
    pub(crate) fn new(begins: Timestamp) -> Self {
        Self { begins, minute: AtomicU64::new(0) }
    }

    pub(crate) fn set(&self, minute: u64) {
        self.minute.store(minute, Relaxed);
    }
}

impl Clock for MinuteHand {
    fn now(&self) -> Timestamp {
        self.begins.plus(Duration::from_secs(60 * self.minute.load(Relaxed)))
    }

    fn recent(&self) -> Timestamp {
        self.now()
    }
}
