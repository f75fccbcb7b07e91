//! One caller's turn: asking the store, creating, and what to make of the answers.

use std::error::Error as StdError;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dogpile_core::{
    Codec, Error, ErrorKind, Key, Made, Policy, ReadThrough, Request, Result, Served, ServedBy,
    Timestamp,
};

use super::barrier::{Barrier, Stamp};
use super::options::Call;
use super::{Event, Region};

impl<R: ReadThrough, C> Region<R, C> {
    /// What can be said before the store is asked to create.
    pub(super) async fn begin<T>(&self, key: Key<'_>, call: Call<'_, T>) -> Begin<T>
    where
        C: Codec<T, Stored = R::Value>,
    {
        // Whatever else it finds, the store will say again.
        if call.is_some_and(|call| call.ignore_expiry)
            && let Ok(Some(value)) = Box::pin(self.find_value(key, None, true)).await
        {
            self.settings.tell(key, Event::Hit);
            return Begin::Value(value);
        }
        match self.barrier(key.group()).await {
            Ok(barrier) => {
                // Only an observer is told how long the caller waited.
                let observed = self.settings.observer.is_some();
                let began = if observed { self.settings.clock.now() } else { Timestamp::MIN };
                Begin::Attempt(Attempt { barrier, left: 2, began })
            }
            Err(error) if self.settings.carries_on(key, &error) => Begin::Alone,
            Err(error) => Begin::Failed(self.failed(key, error)),
        }
    }

    #[inline]
    pub(super) fn request<'a, T>(
        &'a self,
        key: Key<'a>,
        call: Call<'_, T>,
        barrier: Barrier,
    ) -> Request<'a> {
        let policy = self.settings.policy(key, call.and_then(|call| call.expiry), barrier);
        self.request_by(key, call, policy)
    }

    #[inline]
    pub(super) fn request_by<'a, T>(
        &'a self,
        key: Key<'a>,
        call: Call<'_, T>,
        policy: Policy,
    ) -> Request<'a> {
        let options = &self.settings.options;
        Request::new(key, policy, &self.settings.clock)
            .with_lease_for(options.lease_for)
            .with_wait_for(call.and_then(|call| call.wait_for).unwrap_or(options.wait_for))
            .with_serve_stale(call.and_then(|call| call.serve_stale).unwrap_or(options.serve_stale))
    }

    /// Runs the creator, and keeps its value aside so that this caller need not decode it.
    pub(super) async fn create<T, F, Fut, E>(
        &self,
        key: Key<'_>,
        call: Call<'_, T>,
        barrier: Barrier,
        creation: &mut Creation<F, T>,
    ) -> Result<Made<R::Value>>
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let Some(create) = creation.create.take() else { return Err(nothing_made()) };
        let clock = &self.settings.clock;
        let before = self.settings.barriers.present(key.group()).max(barrier);
        // The precise clock is read only for those who want to know.
        let started = self.settings.observer.is_some().then(|| clock.now());
        let value = create().await.map_err(Error::from_creator)?;
        let finished = clock.now();
        if let Some(started) = started {
            self.settings.tell(key, Event::Created { took: finished.since(started) });
        }
        let after = self.settings.barriers.read(key.group(), &*self.settings.clock).await;
        let stamp = self.stamp(key, before, after, finished);
        let made = self.pack(key, call, &value, &stamp);
        creation.made = Some(value);
        made
    }

    /// The stamp of a value whose creation has ended now, when the barrier was `after`.
    pub(super) fn stamp(
        &self,
        key: Key<'_>,
        before: Barrier,
        after: Result<Barrier>,
        now: Timestamp,
    ) -> Stamp {
        match after {
            Ok(after) => before.stamp(after.max(before), now),
            // Nobody can say whether it was invalidated meanwhile, so nobody after us gets it.
            Err(error) => {
                self.settings.tell(key, Event::Down(&error));
                Stamp { store: false, ..before.stamp(before, now) }
            }
        }
    }

    /// What to make of the store's answer.
    pub(super) fn judge<T, F>(
        &self,
        request: &Request<'_>,
        served: Result<Served<R::Value>>,
        attempt: &mut Attempt,
        creation: &mut Creation<F, T>,
    ) -> Verdict<T>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let key = request.key;
        let again = attempt.left > 0 && creation.create.is_some();
        attempt.left = attempt.left.saturating_sub(1);
        let served = match served {
            Ok(served) => served,
            Err(error) => return self.judge_error(key, error, again, creation),
        };
        if let Some(value) = creation.made.take() {
            return Verdict::Value(value);
        }
        match self.store.codec.decode(&served.entry.value) {
            Ok(value) => {
                self.settings.tell_served(key, served.by, attempt.began);
                Verdict::Value(value)
            }
            // A store whose entries have no stamp hands out the same bytes again, as new as ever.
            Err(error) if self.is_corrupt(key, &error) && again && attempt.left == 0 => {
                Verdict::Forget
            }
            Err(error) if error.kind() == ErrorKind::Corrupt && again => {
                let next = served.entry.created.plus(Duration::from_millis(1));
                attempt.barrier.dead = attempt.barrier.dead.max(next);
                Verdict::Again
            }
            Err(error) => Verdict::Failed(self.failed(key, error)),
        }
    }

    #[cold]
    fn judge_error<T, F>(
        &self,
        key: Key<'_>,
        error: Error,
        again: bool,
        creation: &mut Creation<F, T>,
    ) -> Verdict<T> {
        if again && self.is_corrupt(key, &error) {
            return Verdict::Forget;
        }
        if self.settings.carries_on(key, &error) {
            if let Some(value) = creation.made.take() {
                return Verdict::Value(value);
            }
            if creation.create.is_some() {
                return Verdict::Alone;
            }
        }
        Verdict::Failed(self.failed(key, error))
    }

    /// Creates without the store, which is down.
    pub(super) async fn alone<T, F, Fut, E>(
        &self,
        key: Key<'_>,
        creation: &mut Creation<F, T>,
    ) -> Result<T>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let Some(create) = creation.create.take() else { return Err(nothing_made()) };
        let started = self.settings.clock.now();
        match create().await {
            Ok(value) => {
                let took = self.settings.clock.now().since(started);
                self.settings.tell(key, Event::Created { took });
                Ok(value)
            }
            Err(error) => Err(self.failed(key, Error::from_creator(error))),
        }
    }

    #[cold]
    pub(super) fn failed(&self, key: Key<'_>, error: Error) -> Error {
        self.settings.tell(key, Event::Failed(&error));
        error
    }
}

impl super::Settings {
    #[inline]
    pub(super) fn tell_served(&self, key: Key<'_>, by: ServedBy, began: Timestamp) {
        match by {
            ServedBy::Hit => self.tell(key, Event::Hit),
            ServedBy::Stale => self.tell(key, Event::Stale),
            ServedBy::Waited => {
                self.tell(key, Event::Waited { took: self.clock.now().since(began) });
            }
            // Told when it was created.
            ServedBy::Created => {}
        }
    }
}

/// A creator until it runs, and its value afterwards.
pub(super) struct Creation<F, T> {
    create: Option<F>,
    pub(super) made: Option<T>,
}

impl<F, T> Creation<F, T> {
    pub(super) fn new(create: F) -> Self {
        Self { create: Some(create), made: None }
    }
}

pub(super) fn taken<F, T>(shared: &Mutex<Creation<F, T>>) -> Creation<F, T> {
    let mut creation = shared.lock().unwrap_or_else(PoisonError::into_inner);
    Creation { create: creation.create.take(), made: creation.made.take() }
}

/// How often, and by which barrier, the store is asked.
pub(super) struct Attempt {
    pub(super) barrier: Barrier,
    left: u8,
    began: Timestamp,
}

pub(super) enum Begin<T> {
    Value(T),
    Attempt(Attempt),
    Alone,
    Failed(Error),
}

pub(super) enum Verdict<T> {
    Value(T),
    /// Ask the store again.
    Again,
    /// Delete the entry, and ask again.
    Forget,
    /// Create without the store.
    Alone,
    Failed(Error),
}

pub(super) fn nothing_made() -> Error {
    Error::new(
        ErrorKind::Creation,
        "the store ran a creator twice, or answered that it ran one and did not",
    )
}
