//! What happened on the way to each server.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::connect::Protocol;

/// What is known of one server, and counts since it was named, shared by all clones of a
/// [`Memcached`](crate::Memcached).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Its name: what it was called, or its address.
    pub name: String,
    /// What it says its version is; none before it was reached.
    pub version: Option<String>,
    /// The protocol spoken with it; none before it was reached.
    pub protocol: Option<Protocol>,
    /// The most bytes that it keeps in one item; none if it did not say.
    pub item_limit: Option<usize>,
    /// Whether it cannot be reached at present, and is left alone for a while.
    pub is_down: bool,
    /// Connections that are open.
    pub connections: usize,
    /// Callers that wait for an answer.
    pub waiting: usize,
    /// Round trips: packets of commands that were sent and waited for.
    pub round_trips: u64,
    /// Connections that were made.
    pub connects: u64,
    /// Attempts to connect that failed.
    pub failed_connects: u64,
    /// Calls that failed because the server was away, was late, or spoke nonsense.
    pub failures: u64,
    /// Leases that turned out to be lost when their value was to be stored.
    pub lost_leases: u64,
    /// Leases that were taken away from holders that had stopped extending them.
    pub expired_leases: u64,
    /// Values that were stored in parts.
    pub split_values: u64,
    /// Values that could not be read as a whole, because a part of them was evicted.
    pub torn_values: u64,
    /// Items that were written by another program, or are damaged.
    pub foreign_items: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) round_trips: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) lost_leases: AtomicU64,
    pub(crate) expired_leases: AtomicU64,
    pub(crate) split_values: AtomicU64,
    pub(crate) torn_values: AtomicU64,
    pub(crate) foreign_items: AtomicU64,
}

pub(crate) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Relaxed);
}

pub(crate) fn read(count: &AtomicU64) -> u64 {
    count.load(Relaxed)
}
