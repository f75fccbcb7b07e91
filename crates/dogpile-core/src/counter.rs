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
    /// - Never less than what an earlier call, by anyone, was told.
    fn read(&self, key: Key<'_>) -> impl Future<Output = Result<u64>> + Send;

    /// Raises the number and answers what it is now.
    ///
    /// # Behavior
    /// - The new number is one more than the old, or `at_least` if that is greater: zero counts
    ///   generations, and a moment in milliseconds makes a barrier that all processes share.
    /// - Of many concurrent calls each answers another number.
    /// - A counter at `u64::MAX` is [`ErrorKind::Refused`](crate::ErrorKind::Refused).
    fn bump(&self, key: Key<'_>, at_least: u64) -> impl Future<Output = Result<u64>> + Send;
}
