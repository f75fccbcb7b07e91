//! Reading a value that is created if it has to be.

#![expect(
    clippy::manual_async_fn,
    reason = "the compiler cannot see that an `async fn` with a borrowing creator is Send; it is told"
)]

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};

use dogpile_core::{Age, BoxFuture, Codec, Entry, Key, RECENT_LAG, ReadThrough, Result, ToKey};

use super::barrier::Barrier;
use super::options::Call;
use super::turn::{Begin, Creation, Verdict, taken};
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
    /// [`Creation`](crate::ErrorKind::Creation) around the error of `create`, for the caller that ran
    /// it and for those who waited; [`TimedOut`](crate::ErrorKind::TimedOut) after
    /// [`wait_for`](Region::with_wait_for); [`Encode`](crate::ErrorKind::Encode) or
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for a value that cannot be stored; and what the
    /// backend fails with, unless the region [carries on](crate::WhenDown::Miss).
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
            if let Poll::Ready(Some(value)) = self.at_hand_of(&key, Some(&options)) {
                return Ok(value);
            }
            let built = key.to_key();
            let placed = self.place(&built);
            let key = placed.as_key();
            // The creator may be wanted back after the store dropped it unused.
            let shared = Arc::new(Mutex::new(Creation::new(create)));
            let mut attempt = match Box::pin(self.begin(key, Some(&options))).await {
                Begin::Value(value) => return Ok(value),
                Begin::Attempt(attempt) => attempt,
                Begin::Alone => return Box::pin(self.alone(key, &mut taken(&shared))).await,
                Begin::Failed(error) => return Err(error),
            };
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
                Poll::Ready(Some(value)) => Ok(value),
                _ => self.obtain_elsewhere(&key, call, create).await,
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
        Box::pin(self.obtain_from_store(key, call, create))
    }

    pub(crate) fn obtain_from_store<T, F, Fut, E>(
        &self,
        key: &(impl ToKey + Sync),
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
            let built = key.to_key();
            let placed = self.place(&built);
            let key = placed.as_key();
            let mut creation = Creation::new(create);
            let mut attempt = match self.begin(key, call).await {
                Begin::Value(value) => return Ok(value),
                Begin::Attempt(attempt) => attempt,
                Begin::Alone => return self.alone(key, &mut creation).await,
                Begin::Failed(error) => return Err(error),
            };
            loop {
                let barrier = attempt.barrier;
                let request = self.request(key, call, barrier);
                let creating = &mut creation;
                let served = self
                    .store
                    .backend
                    .read_through(&request, || self.create(key, call, barrier, creating))
                    .await;
                match self.judge(&request, served, &mut attempt, &mut creation) {
                    Verdict::Value(value) => return Ok(value),
                    Verdict::Again => {}
                    Verdict::Forget => Box::pin(self.forget(&[key])).await?,
                    Verdict::Alone => return self.alone(key, &mut creation).await,
                    Verdict::Failed(error) => return Err(error),
                }
            }
        }
    }

    /// The same by the caller's key, which is built here: a future that kept it would be slower.
    #[inline]
    pub(super) fn at_hand_of<T>(&self, key: &impl ToKey, call: Call<'_, T>) -> Poll<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        match self.settings.space.is_bare() {
            true => self.at_hand(key.to_key().as_key(), call),
            false => self.at_hand_of_placed(key, call),
        }
    }

    #[inline(never)]
    fn at_hand_of_placed<T>(&self, key: &impl ToKey, call: Call<'_, T>) -> Poll<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        self.at_hand(self.place(&key.to_key()).as_key(), call)
    }

    /// The value, if it lies fresh in this process, or that none does: nothing is waited for, or copied
    /// but the value.
    ///
    /// The key is handed on in parts, here and to the observer. As a whole it would be handed on in
    /// memory, written in two halves and read in one, and the processor finishes all it has begun
    /// before it reads that: a third of a hit.
    #[inline(always)]
    pub(super) fn at_hand<T>(&self, key: Key<'_>, call: Call<'_, T>) -> Poll<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        self.look_at_hand(key.group(), key.as_bytes(), call)
    }

    #[inline(never)]
    fn look_at_hand<T>(
        &self,
        group: Option<&[u8]>,
        name: &[u8],
        call: Call<'_, T>,
    ) -> Poll<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let key = key_of(group, name);
        let settings = &*self.settings;
        let Some(barrier) = self.known(key, call) else { return Poll::Pending };
        let policy = settings.policy(key, call.and_then(|call| call.expiry), barrier);
        // The cheap clock lags: what is fresh even that much later is fresh now.
        let fresh = |entry: &Entry<R::Value>| {
            let soon = policy.at(settings.clock.recent().plus(RECENT_LAG));
            match soon.age(entry) {
                Age::Fresh => self.store.codec.decode(&entry.value).ok(),
                Age::Stale | Age::Dead => None,
            }
        };
        let value = match ready!(self.store.backend.peek(key, fresh)) {
            Some(Some(value)) => value,
            Some(None) => return Poll::Pending,
            None => return Poll::Ready(None),
        };
        if settings.observer.is_some() {
            self.tell_hit(group, name);
        }
        Poll::Ready(Some(value))
    }

    #[inline(never)]
    fn tell_hit(&self, group: Option<&[u8]>, name: &[u8]) {
        self.settings.tell(key_of(group, name), Event::Hit);
    }

    /// What there is to go by, where nobody has to be asked for it.
    #[inline]
    fn known<T>(&self, key: Key<'_>, call: Call<'_, T>) -> Option<Barrier> {
        let settings = &*self.settings;
        if call.is_some_and(|call| call.ignore_expiry) {
            return None;
        }
        settings.barriers.known(key.group(), &*settings.clock)
    }
}

#[inline(always)]
fn key_of<'a>(group: Option<&'a [u8]>, name: &'a [u8]) -> Key<'a> {
    match group {
        None => Key::name(name),
        Some(group) => Key::field(group, name),
    }
}
