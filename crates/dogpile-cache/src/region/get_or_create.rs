//! Reading a value that is created if it has to be.

#![expect(
    clippy::manual_async_fn,
    reason = "the compiler cannot see that an `async fn` with a borrowing creator is Send; it is told"
)]

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dogpile_core::{
    Age, BoxFuture, Codec, Error, ErrorKind, Key, Policy, RECENT_LAG, ReadThrough, Request, Result,
    Served, ServedBy, Timestamp, ToKey,
};

use super::barrier::{Barrier, Stamp};
use super::options::Call;
use super::{CallOptions, Event, Region};

impl<R: ReadThrough, C> Region<R, C> {
    /// The value of a key, created by `create` if it is missing or stale and this caller's turn
    /// comes.
    ///
    /// Of all callers that find no fresh value, one creates it. The others are served the stale
    /// value at once, where there is one, or wait. If this future is dropped while it creates,
    /// somebody else creates; [`get_or_create_detached`](Self::get_or_create_detached) goes on.
    ///
    /// ```
    /// # use dogpile_cache::{Region, ReadThrough, codec::Shared, codec::Object};
    /// # async fn example(region: Region<impl ReadThrough<Value = Object>, Shared>) -> Result<(), dogpile_cache::Error> {
    /// let name: String = region
    ///     .get_or_create(("user", 15), || async { Ok::<_, std::io::Error>("Ada".to_owned()) })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Creation`] around the error of `create`, for the caller that ran it and for those
    /// who waited; [`ErrorKind::TimedOut`] after [`wait_for`](Region::with_wait_for);
    /// [`ErrorKind::Encode`] or [`ErrorKind::TooLarge`] for a value that cannot be stored; and what
    /// the backend fails with, unless the region [carries on](crate::WhenDown::Miss).
    pub fn get_or_create<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move { self.obtain(key, None, create).await }
    }

    /// The same, with options of this call.
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create).
    pub fn get_or_create_with<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        options: CallOptions<'_, T>,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move { self.obtain(key, Some(&options), create).await }
    }

    /// [`get_or_create`](Self::get_or_create) with a creation that may outlive its caller.
    ///
    /// If this future is dropped while it creates, because the caller gave up, the creation goes on
    /// and later callers get its value. A store that creates in the background serves the stale
    /// value at once, to this caller too.
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create).
    pub fn get_or_create_detached<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        R: 'static,
        C: Codec<T, Stored = R::Value> + 'static,
        T: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move { self.get_or_create_detached_with(key, CallOptions::new(), create).await }
    }

    /// The same, with options of this call.
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create).
    pub fn get_or_create_detached_with<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        options: CallOptions<'static, T>,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        R: 'static,
        C: Codec<T, Stored = R::Value> + 'static,
        T: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move {
            let key = key.to_key();
            let placed = self.place(&key);
            let key = placed.as_key();
            // The creator may be wanted back after the store dropped it unused.
            let shared = Arc::new(Mutex::new(Creation::new(create)));
            let barrier = match Box::pin(self.begin(key, Some(&options))).await {
                Begin::Value(value) => return Ok(value),
                Begin::Barrier(barrier) => barrier,
                Begin::Alone => return Box::pin(self.alone(key, &mut taken(&shared))).await,
                Begin::Failed(error) => return Err(error),
            };
            let mut attempt = Attempt { barrier, left: 2 };
            loop {
                let barrier = attempt.barrier;
                let request = self.request(key, Some(&options), barrier);
                let (region, creating) = (self.clone(), Arc::clone(&shared));
                let owned = placed.clone().into_owned();
                let create = move || async move {
                    let mut creation = taken(&creating);
                    let made =
                        region.create(owned.as_key(), Some(&options), barrier, &mut creation).await;
                    *creating.lock().unwrap_or_else(PoisonError::into_inner) = creation;
                    made
                };
                let served = self.store.backend.read_through_detached(&request, create).await;
                let verdict = {
                    let mut creation = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    self.judge(&request, served, &mut attempt, &mut creation)
                };
                match verdict {
                    Verdict::Value(value) => return Ok(value),
                    Verdict::Again => {}
                    Verdict::Forget => Box::pin(self.forget(&[key])).await?,
                    Verdict::Alone => return Box::pin(self.alone(key, &mut taken(&shared))).await,
                    Verdict::Failed(error) => return Err(error),
                }
            }
        }
    }

    /// Creates the value of a key anew, whatever is there, and stores it. A creation of the same key
    /// that is running stores nothing.
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create); what was stored before then stays.
    pub fn refresh<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move { self.refresh_with(key, CallOptions::new(), create).await }
    }

    /// The same, with options of this call.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub fn refresh_with<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        options: CallOptions<'_, T>,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move {
            let key = key.to_key();
            let placed = self.place(&key);
            let key = placed.as_key();
            let mut creation = Creation::new(create);
            let barrier = match self.barrier(key.group()).await {
                Ok(barrier) => barrier,
                Err(error) if self.settings.carries_on(key, &error) => {
                    return self.alone(key, &mut creation).await;
                }
                Err(error) => return Err(self.failed(key, error)),
            };
            let made = match self.create(key, Some(&options), barrier, &mut creation).await {
                Ok(made) => made,
                Err(error) => return Err(self.failed(key, error)),
            };
            if let Some(set_options) = &made.store {
                let done = self.store.backend.set_many(&[(key, made.entry)], set_options).await;
                self.written(key, done)?;
            }
            creation.made.ok_or_else(nothing_made)
        }
    }

    /// All of `get_or_create`. The usual call has no options, and does not pay for carrying them.
    pub(crate) fn obtain<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        call: Call<'_, T>,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move {
            match self.at_hand_of(&key, call) {
                Some(value) => Ok(value),
                None => self.obtain_elsewhere(&key, call, create).await,
            }
        }
    }

    /// What is left of `get_or_create` where the value is not at hand. It is boxed and out of line, so
    /// that a hit stays small enough to become part of its caller.
    #[inline(never)]
    fn obtain_elsewhere<'a, T, F, Fut, E>(
        &'a self,
        key: &'a (impl ToKey + Sync),
        call: Call<'a, T>,
        create: F,
    ) -> BoxFuture<'a, Result<T>>
    where
        C: Codec<T, Stored = R::Value>,
        T: Send + 'a,
        F: FnOnce() -> Fut + Send + 'a,
        Fut: Future<Output = Result<T, E>> + Send + 'a,
        E: Into<Box<dyn StdError + Send + Sync>> + 'a,
    {
        Box::pin(async move {
            let built = key.to_key();
            let placed = self.place(&built);
            let key = placed.as_key();
            let mut creation = Creation::new(create);
            let barrier = match self.known(key, call) {
                Some(barrier) => barrier,
                None => match self.begin(key, call).await {
                    Begin::Value(value) => return Ok(value),
                    Begin::Barrier(barrier) => barrier,
                    Begin::Alone => return self.alone(key, &mut creation).await,
                    Begin::Failed(error) => return Err(error),
                },
            };
            let request = self.request(key, call, barrier);
            let creating = &mut creation;
            let served = self
                .store
                .backend
                .read_through(&request, || self.create(key, call, barrier, creating))
                .await;
            if let Some(value) = self.hit(key, &served) {
                return Ok(value);
            }
            let mut attempt = Attempt { barrier, left: 2 };
            match self.judge(&request, served, &mut attempt, &mut creation) {
                Verdict::Value(value) => Ok(value),
                Verdict::Failed(error) => Err(error),
                next => self.settle(key, call, next, attempt, creation).await,
            }
        })
    }

    /// The same by the caller's key, which is built here: a future that kept it would be slower.
    #[inline]
    fn at_hand_of<T>(&self, key: &impl ToKey, call: Call<'_, T>) -> Option<T>
    where
        C: Codec<T, Stored = R::Value>,
    {
        match self.settings.space.is_bare() {
            true => self.at_hand(key.to_key().as_key(), call),
            false => self.at_hand_of_placed(key, call),
        }
    }

    #[inline(never)]
    fn at_hand_of_placed<T>(&self, key: &impl ToKey, call: Call<'_, T>) -> Option<T>
    where
        C: Codec<T, Stored = R::Value>,
    {
        self.at_hand(self.place(&key.to_key()).as_key(), call)
    }

    /// The value, if it lies fresh in this process: nothing is waited for, or copied but the value.
    #[inline]
    pub(super) fn at_hand<T>(&self, key: Key<'_>, call: Call<'_, T>) -> Option<T>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let settings = &*self.settings;
        let barrier = self.known(key, call)?;
        let policy = settings.policy(key, call.and_then(|call| call.expiry), barrier);
        // The cheap clock lags: what is fresh even that much later is fresh now.
        let soon = policy.at(settings.clock.recent().plus(RECENT_LAG));
        let mut value = None;
        self.store.backend.peek(key, &mut |entry| {
            if soon.age(entry) == Age::Fresh {
                value = self.store.codec.decode(&entry.value).ok();
            }
        });
        if value.is_some() {
            settings.tell(key, Event::Hit);
        }
        value
    }

    /// What there is to go by, where nobody has to be asked for it.
    #[inline]
    fn known<T>(&self, key: Key<'_>, call: Call<'_, T>) -> Option<Barrier> {
        let settings = &*self.settings;
        if ignores(call) { None } else { settings.barriers.known(key.group(), &*settings.clock) }
    }

    /// The value, if it was there and is as it should be.
    #[inline]
    fn hit<T>(&self, key: Key<'_>, served: &Result<Served<R::Value>>) -> Option<T>
    where
        C: Codec<T, Stored = R::Value>,
    {
        match served {
            Ok(Served { entry, by: ServedBy::Hit }) => {
                let value = self.store.codec.decode(&entry.value).ok()?;
                self.settings.tell(key, Event::Hit);
                Some(value)
            }
            _ => None,
        }
    }

    /// What can be said before the store is asked to create.
    async fn begin<T>(&self, key: Key<'_>, call: Call<'_, T>) -> Begin<T>
    where
        C: Codec<T, Stored = R::Value>,
    {
        // Whatever else it finds, the store will say again.
        if ignores(call)
            && let Ok(Some(value)) = self.find_value(key, None, true).await
        {
            self.settings.tell(key, Event::Hit);
            return Begin::Value(value);
        }
        match self.barrier(key.group()).await {
            Ok(barrier) => Begin::Barrier(barrier),
            Err(error) if self.settings.carries_on(key, &error) => Begin::Alone,
            Err(error) => Begin::Failed(self.failed(key, error)),
        }
    }

    /// Asks the store again, as often as its answers demand.
    async fn settle<T, F, Fut, E>(
        &self,
        key: Key<'_>,
        call: Call<'_, T>,
        mut next: Verdict<T>,
        mut attempt: Attempt,
        mut creation: Creation<F, T>,
    ) -> Result<T>
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        loop {
            match next {
                Verdict::Value(value) => return Ok(value),
                Verdict::Again => {}
                Verdict::Forget => self.forget(&[key]).await?,
                Verdict::Alone => return self.alone(key, &mut creation).await,
                Verdict::Failed(error) => return Err(error),
            }
            let barrier = attempt.barrier;
            let request = self.request(key, call, barrier);
            let creating = &mut creation;
            let served = self
                .store
                .backend
                .read_through(&request, || self.create(key, call, barrier, creating))
                .await;
            next = self.judge(&request, served, &mut attempt, &mut creation);
        }
    }

    #[inline]
    fn request<'a, T>(&'a self, key: Key<'a>, call: Call<'_, T>, barrier: Barrier) -> Request<'a> {
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
    async fn create<T, F, Fut, E>(
        &self,
        key: Key<'_>,
        call: Call<'_, T>,
        barrier: Barrier,
        creation: &mut Creation<F, T>,
    ) -> Result<dogpile_core::Made<R::Value>>
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
        let started = clock.now();
        let value = create().await.map_err(Error::from_creator)?;
        let finished = clock.now();
        self.settings.tell(key, Event::Created { took: finished.since(started) });
        let stamp = self.stamp(key, before, finished).await;
        let made = self.pack(key, call, &value, &stamp);
        creation.made = Some(value);
        made
    }

    /// The stamp of a value whose creation has ended now.
    pub(super) async fn stamp(&self, key: Key<'_>, before: Barrier, now: Timestamp) -> Stamp {
        match self.settings.barriers.read(key.group(), &*self.settings.clock).await {
            Ok(after) => before.stamp(after.max(before), now),
            // Nobody can say whether it was invalidated meanwhile, so nobody after us gets it.
            Err(error) => {
                self.settings.tell(key, Event::Down(&error));
                Stamp { store: false, ..before.stamp(before, now) }
            }
        }
    }

    /// What to make of the store's answer.
    fn judge<T, F>(
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
                self.settings.tell_served(key, served.by);
                Verdict::Value(value)
            }
            Err(error) if self.is_corrupt(key, &error) && again => {
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
    async fn alone<T, F, Fut, E>(&self, key: Key<'_>, creation: &mut Creation<F, T>) -> Result<T>
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
    pub(super) fn tell_served(&self, key: Key<'_>, by: ServedBy) {
        match by {
            ServedBy::Hit => self.tell(key, Event::Hit),
            ServedBy::Stale => self.tell(key, Event::Stale),
            ServedBy::Waited => self.tell(key, Event::Waited),
            // Told when it was created.
            ServedBy::Created => {}
        }
    }
}

fn ignores<T>(call: Call<'_, T>) -> bool {
    call.is_some_and(|call| call.ignore_expiry)
}

/// A creator until it runs, and its value afterwards.
struct Creation<F, T> {
    create: Option<F>,
    made: Option<T>,
}

impl<F, T> Creation<F, T> {
    fn new(create: F) -> Self {
        Self { create: Some(create), made: None }
    }
}

fn taken<F, T>(shared: &Mutex<Creation<F, T>>) -> Creation<F, T> {
    let mut creation = shared.lock().unwrap_or_else(PoisonError::into_inner);
    Creation { create: creation.create.take(), made: creation.made.take() }
}

/// How often, and by which barrier, the store is asked.
struct Attempt {
    barrier: Barrier,
    left: u8,
}

enum Begin<T> {
    Value(T),
    Barrier(Barrier),
    Alone,
    Failed(Error),
}

enum Verdict<T> {
    Value(T),
    /// Ask the store again.
    Again,
    /// Delete the entry, and ask again.
    Forget,
    /// Create without the store.
    Alone,
    Failed(Error),
}

fn nothing_made() -> Error {
    Error::new(
        ErrorKind::Creation,
        "the store ran a creator twice, or answered that it ran one and did not",
    )
}
