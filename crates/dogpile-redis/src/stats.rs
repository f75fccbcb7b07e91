//! What happened on the wire.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since the connection was made, shared by all clones of a [`Redis`](crate::Redis).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Round trips, as callers wait for them: commands and pipelines. What goes to several servers at
    /// once counts once for each. Callers that call at the same time count each for itself, although
    /// they share packets, and what is sent again after a lost connection is not counted again.
    pub round_trips: u64,
    /// Connections that were made after the first.
    pub reconnects: u64,
    /// Scripts that the server had forgotten and that were sent again, at one more round trip.
    pub script_reloads: u64,
    /// Leases that turned out to be lost when their value was to be stored.
    pub lost_leases: u64,
    /// Values of groups that were stored out of line, because they are larger than the
    /// [limit](crate::Redis::with_inline_limit).
    pub large_values: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) round_trips: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) script_reloads: AtomicU64,
    pub(crate) lost_leases: AtomicU64,
    pub(crate) large_values: AtomicU64,
}

impl Counts {
    pub(crate) fn snapshot(&self) -> Stats {
        Stats {
            round_trips: self.round_trips.load(Relaxed),
            reconnects: self.reconnects.load(Relaxed),
            script_reloads: self.script_reloads.load(Relaxed),
            lost_leases: self.lost_leases.load(Relaxed),
            large_values: self.large_values.load(Relaxed),
        }
    }
}

pub(crate) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Relaxed);
}
