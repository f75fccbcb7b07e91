//! Numbers that only grow.

use std::fmt;
use std::future::Future;

use crate::{Key, Result};

/// A monotone `u64` per key: what generations and shared invalidation stand on.
pub trait Counter: fmt::Debug + Send + Sync {
    /// The present number.
    ///
    /// # Behavior
    /// - Zero for a key that was never bumped.
    /// - Never less than what an earlier call, by anyone, was told, as long as the store keeps it: one
    ///   that evicts or restarts empty (memcached) begins again at zero.
    fn read(&self, key: Key<'_>) -> impl Future<Output = Result<u64>> + Send;

    /// Raises the number and answers what it is now.
    ///
    /// # Behavior
    /// - The new number is one more than the old, or `at_least` if that is greater: zero counts
    ///   generations, and a moment in milliseconds makes a barrier that all processes share.
    /// - Of many concurrent calls each answers another number.
    /// - A counter that can grow no further is [`ErrorKind::Refused`](crate::ErrorKind::Refused): at
    ///   `u64::MAX`, or where the numbers of the store end (Redis: `i64::MAX`). It never wraps.
    fn bump(&self, key: Key<'_>, at_least: u64) -> impl Future<Output = Result<u64>> + Send;
}
