//! What keeps generations.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use dogpile_core::{BoxFuture, Key, Result, Timestamp};

/// A generation, as a store keeps it.
///
/// ```
/// use cookie_session::generation::Generation;
///
/// let begun = Generation::begun(1_767_225_600_000);
/// assert!(begun.acknowledged);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "stores build it from a row")]
pub struct Generation {
    /// The number that a current token carries.
    pub number: u64,
    /// Until when the number before this one is read, too, though this one is known to have arrived.
    pub previous_until: Timestamp,
    /// Whether a request came with this number, so that it is known to have arrived. As long as none
    /// came, the number before is read, too.
    pub acknowledged: bool,
}

impl Generation {
    /// A generation that nothing came before: what is true of a row after
    /// [`start`](GenerationStore::start) and [`raise`](GenerationStore::raise).
    #[must_use]
    pub const fn begun(number: u64) -> Self {
        Self { number, previous_until: Timestamp::MIN, acknowledged: true }
    }
}

/// A durable store of [generations](Generation), for revocation: of one session, of all sessions of a
/// user, of all there are.
///
/// A row that is missing counts as revoked: sessions end when a store loses what it kept. So a store
/// that evicts, or forgets on a restart, logs users out when it does. One that goes back to an earlier
/// state (a backup, a replica that was behind) has the sessions back that ended since: after that,
/// call [`end_all`](crate::Sessions::end_all).
///
/// Every key is a [field](Key::field) of a group that names the scope and the application, so that
/// applications can share a store. Keys hold no secret.
///
/// Any [`Counter`](dogpile_core::Counter) is one in an [`OverCounter`](super::OverCounter). The contract is tested by
/// `generation_suite!` of `dogpile-conformance`.
pub trait GenerationStore: fmt::Debug + Send + Sync {
    /// The generations under some keys.
    ///
    /// # Behavior
    /// - As many answers as keys, in their order.
    /// - `None` for a key that was never started or raised. Past its `keep_until` a row may be there or
    ///   not, as the store likes; no token of it lives as long.
    /// - One round trip, where the store can.
    fn read(
        &self,
        keys: &[Key<'_>],
    ) -> impl Future<Output = Result<Vec<Option<Generation>>>> + Send;

    /// Begins a generation where there is none, and answers the present number.
    ///
    /// # Behavior
    /// - Where there is none it is [begun](Generation::begun) at `number`.
    /// - Where there is one it stays as it is. Of many calls at once all answer the same.
    /// - After `keep_until` the store may forget it, before it may not. [`Timestamp::MAX`] is for
    ///   ever.
    fn start(
        &self,
        key: Key<'_>,
        number: u64,
        keep_until: Timestamp,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Voids every token of the present generation and those before, and answers the new number.
    ///
    /// # Behavior
    /// - The new number is one more than the old, or `at_least` if that is greater.
    /// - It is [begun](Generation::begun): the one before is not read any more.
    /// - Of many calls at once each answers another number.
    /// - At `u64::MAX`, or where the numbers of the store end, it is
    ///   [`ErrorKind::Refused`](dogpile_core::ErrorKind::Refused), and never wraps.
    /// - It is kept until the later of `keep_until` and what was said before.
    fn raise(
        &self,
        key: Key<'_>,
        at_least: u64,
        keep_until: Timestamp,
    ) -> impl Future<Output = Result<u64>> + Send;
}

/// A [`GenerationStore`] that can compare and set in one step: what it takes to give every save of a
/// session a generation of its own.
pub trait MonotonicStore: GenerationStore {
    /// Goes from `expected` to `expected + 1`, if `expected` is the present number.
    ///
    /// # Behavior
    /// - Then it is not acknowledged, and `expected` is read until it is, and until `previous_until`.
    /// - Otherwise nothing changes, and [`Advance::Conflict`] says what there is.
    /// - Of many calls at once with one `expected`, one is [`Advance::Done`].
    /// - It is kept until the later of `keep_until` and what was said before.
    fn advance(
        &self,
        key: Key<'_>,
        expected: u64,
        previous_until: Timestamp,
        keep_until: Timestamp,
    ) -> impl Future<Output = Result<Advance>> + Send;

    /// Notes that a request came with this number.
    ///
    /// # Behavior
    /// - If it is the present number, it is acknowledged from now on. Otherwise nothing changes, and
    ///   it is no error.
    fn acknowledge(&self, key: Key<'_>, number: u64) -> impl Future<Output = Result<()>> + Send;
}

/// The outcome of [`MonotonicStore::advance`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "compare-and-set has two outcomes, and stores answer them"
)]
pub enum Advance {
    /// The number is now the next one.
    Done,
    /// The number was not the expected one; this is what there is.
    Conflict(Option<Generation>),
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: GenerationStore + ?Sized> GenerationStore for $pointer {
            fn read(&self, keys: &[Key<'_>]) -> impl Future<Output = Result<Vec<Option<Generation>>>> + Send {
                (**self).read(keys)
            }

            fn start(&self, key: Key<'_>, number: u64, keep_until: Timestamp) -> impl Future<Output = Result<u64>> + Send {
                (**self).start(key, number, keep_until)
            }

            fn raise(&self, key: Key<'_>, at_least: u64, keep_until: Timestamp) -> impl Future<Output = Result<u64>> + Send {
                (**self).raise(key, at_least, keep_until)
            }
        }

        impl<T: MonotonicStore + ?Sized> MonotonicStore for $pointer {
            fn advance(
                &self,
                key: Key<'_>,
                expected: u64,
                previous_until: Timestamp,
                keep_until: Timestamp,
            ) -> impl Future<Output = Result<Advance>> + Send {
                (**self).advance(key, expected, previous_until, keep_until)
            }

            fn acknowledge(&self, key: Key<'_>, number: u64) -> impl Future<Output = Result<()>> + Send {
                (**self).acknowledge(key, number)
            }
        }
    )*};
}
forward!(&T, Box<T>, Arc<T>);

/// [`GenerationStore`] as a trait object.
pub(crate) trait DynGenerationStore: fmt::Debug + Send + Sync {
    fn read<'a>(&'a self, keys: &'a [Key<'a>]) -> BoxFuture<'a, Result<Vec<Option<Generation>>>>;
    fn start<'a>(
        &'a self,
        key: Key<'a>,
        number: u64,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<u64>>;
    fn raise<'a>(
        &'a self,
        key: Key<'a>,
        at_least: u64,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<u64>>;
}

impl<T: GenerationStore> DynGenerationStore for T {
    fn read<'a>(&'a self, keys: &'a [Key<'a>]) -> BoxFuture<'a, Result<Vec<Option<Generation>>>> {
        Box::pin(GenerationStore::read(self, keys))
    }

    fn start<'a>(
        &'a self,
        key: Key<'a>,
        number: u64,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<u64>> {
        Box::pin(GenerationStore::start(self, key, number, keep_until))
    }

    fn raise<'a>(
        &'a self,
        key: Key<'a>,
        at_least: u64,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<u64>> {
        Box::pin(GenerationStore::raise(self, key, at_least, keep_until))
    }
}

/// [`MonotonicStore`] as a trait object.
pub(crate) trait DynMonotonicStore: DynGenerationStore {
    fn advance<'a>(
        &'a self,
        key: Key<'a>,
        expected: u64,
        previous_until: Timestamp,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<Advance>>;
    fn acknowledge<'a>(&'a self, key: Key<'a>, number: u64) -> BoxFuture<'a, Result<()>>;
}

impl<T: MonotonicStore> DynMonotonicStore for T {
    fn advance<'a>(
        &'a self,
        key: Key<'a>,
        expected: u64,
        previous_until: Timestamp,
        keep_until: Timestamp,
    ) -> BoxFuture<'a, Result<Advance>> {
        Box::pin(MonotonicStore::advance(self, key, expected, previous_until, keep_until))
    }

    fn acknowledge<'a>(&'a self, key: Key<'a>, number: u64) -> BoxFuture<'a, Result<()>> {
        Box::pin(MonotonicStore::acknowledge(self, key, number))
    }
}
