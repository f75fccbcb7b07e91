//! Getting a value that somebody creates if it has to be created.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::{Ask, Backend, Clock, Entry, Freshness, Key, Policy, Result, SetOptions};

/// A [`Backend`] that also creates what is missing, one caller at a time.
///
/// This is what a cache region asks of the dogpile lock: the whole protocol (who creates, who waits,
/// who is served the previous value) stands behind it. `dogpile-lock` implements it over any
/// backend; a test may implement it in ten lines without any lock.
///
/// Writing through it (`set_many`, `delete_many`) makes a creation that is running in this process
/// store nothing.
pub trait ReadThrough: Backend {
    /// The entry of a key, created by `create` if this caller's turn comes.
    ///
    /// # Behavior
    /// - A fresh entry is served, and `create` is dropped unused.
    /// - Of all callers that find none, one runs `create`. The others are served the stale entry at
    ///   once where there is one, or wait, at most [`Request::wait_for`].
    /// - If `create` fails, so does every caller that waited for it, with the same error.
    /// - If this future is dropped while it creates, the turn goes to somebody else.
    /// - An entry with [`Made::unstored`] is served to this caller and to those that wait, and not
    ///   stored.
    fn read_through<F, Fut>(
        &self,
        request: &Request<'_>,
        create: F,
    ) -> impl Future<Output = Result<Served<Self::Value>>> + Send
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<Made<Self::Value>>> + Send;

    /// The same with a creation that may outlive its caller.
    ///
    /// # Behavior
    /// - If this future is dropped while it creates, the creation goes on, and later callers find
    ///   its value.
    /// - An implementation that creates in the background serves the stale entry at once, to the
    ///   creator too.
    fn read_through_detached<F, Fut>(
        &self,
        request: &Request<'_>,
        create: F,
    ) -> impl Future<Output = Result<Served<Self::Value>>> + Send
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Made<Self::Value>>> + Send + 'static;

    /// The entries of many keys; those that are this caller's turn are created by one call of
    /// `create` with their positions in `keys`, which answers one [`Made`] for each, in that order.
    ///
    /// # Behavior
    /// - As many answers as keys, in their order. `request.key` is not looked at.
    /// - Each missing key is created once, however many callers ask for overlapping sets.
    /// - `create` is not called when nothing is this caller's turn. It is called again only for keys
    ///   whose creator elsewhere gave up while this caller waited.
    /// - Too few or too many results are [`ErrorKind::Creation`](crate::ErrorKind::Creation).
    fn read_through_many<F, Fut>(
        &self,
        keys: &[Key<'_>],
        request: &Request<'_>,
        create: F,
    ) -> impl Future<Output = Result<Vec<Served<Self::Value>>>> + Send
    where
        F: FnMut(Vec<usize>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<Made<Self::Value>>>> + Send;

    /// Whether somebody is creating the value of this key now.
    fn is_creating(&self, key: Key<'_>) -> impl Future<Output = Result<bool>> + Send;
}

/// What a caller of [`ReadThrough`] wants.
///
/// ```
/// use dogpile_core::{Clock, Key, Policy, Request, SystemClock};
/// use std::{sync::Arc, time::Duration};
///
/// let clock: Arc<dyn Clock> = Arc::new(SystemClock);
/// let policy = Policy::new().with_fresh_for(Some(Duration::from_secs(60)));
/// let request = Request::new(Key::name("front page"), policy, &clock).with_wait_for(Duration::from_secs(2));
/// assert_eq!(request.wait_for, Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The key asked for.
    pub key: Key<'a>,
    /// What counts as fresh, stale or dead.
    pub policy: Policy,
    /// The time it is judged by, now and after each wait.
    pub clock: &'a Arc<dyn Clock>,
    /// How long a lease of another machine or process may go without a heartbeat. 5 s by default.
    pub lease_for: Duration,
    /// How long to wait for somebody else's creation before
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut). 30 s by default.
    pub wait_for: Duration,
    /// Whether a stale entry is served while somebody else creates. If not, the caller waits as if
    /// there were none. True by default.
    pub serve_stale: bool,
}

impl<'a> Request<'a> {
    /// A request with the default times.
    #[must_use]
    pub const fn new(key: Key<'a>, policy: Policy, clock: &'a Arc<dyn Clock>) -> Self {
        let (lease_for, wait_for) = (Duration::from_secs(5), Duration::from_secs(30));
        Self { key, policy, clock, lease_for, wait_for, serve_stale: true }
    }

    /// The same request for another key.
    #[must_use]
    pub fn with_key(mut self, key: Key<'a>) -> Self {
        self.key = key;
        self
    }

    /// How long a lease may go without a heartbeat; the holder extends it three times in that time.
    #[must_use]
    pub fn with_lease_for(mut self, d: Duration) -> Self {
        self.lease_for = d;
        self
    }

    /// How long to wait for somebody else's creation.
    #[must_use]
    pub fn with_wait_for(mut self, d: Duration) -> Self {
        self.wait_for = d;
        self
    }

    /// Whether a stale entry is served while somebody else creates.
    #[must_use]
    pub fn with_serve_stale(mut self, yes: bool) -> Self {
        self.serve_stale = yes;
        self
    }

    /// What is asked of an entry at this moment.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.policy.at(self.clock.now())
    }

    /// The question to put to a [`LeaseBackend`](crate::LeaseBackend) at this moment.
    #[must_use]
    pub fn ask(&self) -> Ask<'a> {
        Ask::new(self.key, self.freshness(), self.lease_for)
    }
}

/// What a creator made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Made<V> {
    /// The new entry.
    pub entry: Entry<V>,
    /// How to store it; `None` does not store it at all.
    pub store: Option<SetOptions>,
}

impl<V> Made<V> {
    /// An entry to be stored.
    pub const fn new(entry: Entry<V>, options: SetOptions) -> Self {
        Self { entry, store: Some(options) }
    }

    /// An entry for those who are waiting, and nobody after them.
    pub const fn unstored(entry: Entry<V>) -> Self {
        Self { entry, store: None }
    }
}

/// An entry, and how its caller came by it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "implementers of the contract build it")]
pub struct Served<V> {
    /// The entry.
    pub entry: Entry<V>,
    /// Where it came from.
    pub by: ServedBy,
}

/// How a caller came by an entry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the dogpile protocol knows these four and no other")]
pub enum ServedBy {
    /// It was there, and fresh.
    Hit,
    /// It was there, and somebody is creating the next one.
    Stale,
    /// This caller created it.
    Created,
    /// Somebody else created it while this caller waited.
    Waited,
}
