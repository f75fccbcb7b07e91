//! A lock with an end, per key.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::{Key, Result};

/// Proof of a turn: whoever holds it may create, until it ends or is taken away.
///
/// The token is the fence: a store accepts a result only from the lease it granted last. What is in
/// it is the granting lock's affair: a random number, a version, a counter.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Lease(u128);

impl Lease {
    /// A lease with this token.
    #[must_use]
    pub const fn new(token: u128) -> Self {
        Self(token)
    }

    /// The token it was made from.
    #[must_use]
    pub const fn token(self) -> u128 {
        self.0
    }
}

/// Whether a lease was still its holder's.
///
/// Losing one is an answer and not an error: the value that was created is good, it is only not the
/// one to be stored.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[must_use = "a lost lease is worth a log line"]
#[expect(clippy::exhaustive_enums, reason = "held or lost, there is no third")]
pub enum Held {
    /// The lease was held, and the operation took place.
    Kept,
    /// The lease had ended, or somebody took it away; nothing was changed.
    Lost,
}

/// A mutual exclusion per key, in which every hold has an end.
///
/// Write the methods as `async fn`. None of them may sleep or block, except [`wait`](Lock::wait).
pub trait Lock: fmt::Debug + Send + Sync {
    /// Takes the lock if it is free.
    ///
    /// # Behavior
    /// - `None` while somebody else holds it. Of any number of callers, one gets it.
    /// - A hold that has not been extended for its `lease_for` is free for the next caller, at the
    ///   latest `lease_for` after it was taken or last extended.
    /// - Each grant has a token of its own, never one that was granted before for this key.
    /// - A holder that died gives the lock back at once where that can be seen, and at the end of
    ///   its lease everywhere.
    fn try_lock(
        &self,
        key: Key<'_>,
        lease_for: Duration,
    ) -> impl Future<Output = Result<Option<Lease>>> + Send;

    /// Lets a hold last another `lease_for` from now.
    ///
    /// # Behavior
    /// - [`Held::Lost`] if the lease is not the present holder's; the present holder is unharmed.
    fn extend(
        &self,
        key: Key<'_>,
        lease: Lease,
        lease_for: Duration,
    ) -> impl Future<Output = Result<Held>> + Send;

    /// Gives the lock back, and wakes who waits for it.
    ///
    /// # Behavior
    /// - [`Held::Lost`] if the lease is not the present holder's; the present holder is unharmed.
    fn unlock(&self, key: Key<'_>, lease: Lease) -> impl Future<Output = Result<Held>> + Send;

    /// Takes the locks of these keys away from whoever holds them, and wakes who waits.
    ///
    /// # Behavior
    /// - Afterwards the former holders find [`Held::Lost`], and the locks are free.
    /// - A key that nobody holds is no error.
    fn revoke(&self, keys: &[Key<'_>]) -> impl Future<Output = Result<()>> + Send;

    /// The same for every key of a group.
    fn revoke_group(&self, group: &[u8]) -> impl Future<Output = Result<()>> + Send;

    /// Gives the lock back from a place that cannot await, such as `Drop`.
    ///
    /// # Behavior
    /// - It returns at once, and never panics. A remote lock sends the release if it can and
    ///   otherwise leaves it to the end of the lease.
    fn abandon(&self, key: Key<'_>, lease: Lease);

    /// Waits until it is worth trying again.
    ///
    /// # Behavior
    /// - It returns soon after the lock is given back, at the latest after `at_most`, and may return
    ///   early. It returns at once if the lock is free.
    /// - Any number may wait, each dropping out whenever it likes.
    fn wait(&self, key: Key<'_>, at_most: Duration) -> impl Future<Output = ()> + Send;

    /// Whether somebody holds the lock now.
    fn is_locked(&self, key: Key<'_>) -> impl Future<Output = Result<bool>> + Send;
}
