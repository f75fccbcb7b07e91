//! Reading a value or becoming its creator, in one round trip.

use std::future::Future;
use std::time::Duration;

use crate::{Backend, Entry, Freshness, Held, Key, Lease, Result, SetOptions};

/// A [`Backend`] that also says whose turn it is to create.
///
/// Any backend and any [`Lock`](crate::Lock) make one (`dogpile-lock` pairs them). A server that can
/// do both at once implements it natively and saves round trips.
pub trait LeaseBackend: Backend {
    /// The entry, or the turn to create it.
    ///
    /// # Behavior
    /// - [`Answer::Fresh`] for a fresh entry; no lease is held afterwards.
    /// - [`Answer::Create`] for one of all that ask while the entry is not fresh. The entry was read
    ///   under the lease, so a value that has just been created is not created again.
    /// - The lease ends [`Ask::lease_for`] after it was granted or last extended, by the store's own
    ///   clock: never earlier, and later by as much as that clock is coarse (memcached: under 2 s).
    /// - [`Answer::Busy`] for the others, at once: asking never waits.
    /// - Bytes that are no entry are a missing one, and no error: somebody has to replace them.
    /// - `stale` carries the entry that is there, if it is [stale](crate::Age::Stale) and not dead.
    /// - One round trip, or as few as the server allows.
    fn get_or_lease(
        &self,
        ask: &Ask<'_>,
    ) -> impl Future<Output = Result<Answer<Self::Value>>> + Send;

    /// The same for many keys.
    ///
    /// # Behavior
    /// - As many answers as questions, in their order. Keys are distinct.
    /// - Leases are taken in the order of the keys given. Each key is decided by itself; the whole is
    ///   not one step.
    /// - A caller fills or releases what it was granted before it waits for the rest; then callers
    ///   of overlapping sets cannot block each other.
    /// - As many round trips as for one key, where the server allows.
    /// - On an error no lease stays taken longer than its time.
    fn get_or_lease_many(
        &self,
        asks: &[Ask<'_>],
    ) -> impl Future<Output = Result<Vec<Answer<Self::Value>>>> + Send;

    /// Stores the created entry and ends the lease, in one step.
    ///
    /// # Behavior
    /// - [`Held::Lost`], and nothing is stored, if the lease ended and went to somebody else, or if
    ///   the key was written or deleted since the lease was granted. A barrier that rose meanwhile
    ///   is not the store's to know: the caller compares it with the start of its creation.
    /// - A lease that ran out and went to nobody may still be filled, or be lost: the store decides.
    /// - Who waits is woken.
    /// - A value that is too large is an error, and the lease is ended.
    fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<Self::Value>,
        options: &SetOptions,
    ) -> impl Future<Output = Result<Held>> + Send;

    /// The same for many keys, in as few round trips as for one.
    ///
    /// # Behavior
    /// - One answer for each, in their order. Each is one step, the whole is not.
    fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<Self::Value>)],
        options: &SetOptions,
    ) -> impl Future<Output = Result<Vec<Held>>> + Send;

    /// Lets a lease last another `lease_for` from now: the heartbeat of a long creation.
    ///
    /// # Behavior
    /// - [`Held::Lost`] if the lease is not the present holder's, who is unharmed.
    /// - A lease that ran out and went to nobody may be extended, or be lost: the store decides.
    fn extend(
        &self,
        key: Key<'_>,
        lease: Lease,
        lease_for: Duration,
    ) -> impl Future<Output = Result<Held>> + Send;

    /// Ends a lease without a value: the creation failed, or its result is not to be stored.
    ///
    /// # Behavior
    /// - The next that asks may create at once, and who waits is woken.
    /// - A stale entry stays.
    /// - [`Held::Lost`] if the lease is not the present holder's.
    fn release(&self, key: Key<'_>, lease: Lease) -> impl Future<Output = Result<Held>> + Send;

    /// Ends a lease from a place that cannot await, such as `Drop`.
    ///
    /// # Behavior
    /// - It returns at once, and never panics. A remote store sends the release if it can and
    ///   otherwise leaves it to the end of the lease.
    fn abandon(&self, key: Key<'_>, lease: Lease);

    /// Waits until asking again is worth a round trip.
    ///
    /// # Behavior
    /// - It returns soon after the lease ended, at the latest after `at_most`, and may return early.
    /// - Any number may wait, each dropping out whenever it likes.
    fn wait(&self, key: Key<'_>, at_most: Duration) -> impl Future<Output = ()> + Send;

    /// Whether somebody holds the lease of this key now.
    fn is_leased(&self, key: Key<'_>) -> impl Future<Output = Result<bool>> + Send;
}

/// One question to a [`LeaseBackend`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ask<'a> {
    /// The key asked for.
    pub key: Key<'a>,
    /// Which entries count as fresh, stale or dead.
    pub freshness: Freshness,
    /// How long the lease lasts if it is granted and not extended.
    pub lease_for: Duration,
}

impl<'a> Ask<'a> {
    /// A question.
    #[must_use]
    pub const fn new(key: Key<'a>, freshness: Freshness, lease_for: Duration) -> Self {
        Self { key, freshness, lease_for }
    }
}

/// The answer of a [`LeaseBackend`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the dogpile protocol knows these three and no other")]
pub enum Answer<V> {
    /// A fresh entry.
    Fresh(Entry<V>),
    /// The asker is to create the next value.
    Create {
        /// Proof of its turn.
        lease: Lease,
        /// The previous value, if there is one to serve.
        stale: Option<Entry<V>>,
    },
    /// Somebody else is creating the next value.
    Busy {
        /// The previous value, if there is one to serve.
        stale: Option<Entry<V>>,
    },
}
