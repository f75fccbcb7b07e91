//! The dogpile lock over a backend: what programs hold in their hands.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dogpile_core::{
    Age, Backend, Clock, Entry, Key, LeaseBackend, Lock, Made, Policy, RECENT_LAG, ReadThrough,
    Request, Result, Served, ServedBy, SetOptions, SystemClock, ToKey,
};

use crate::damaged::present;
use crate::drive::{self, Settled};
use crate::flight::Flights;
use crate::many;
use crate::paired::Paired;
use crate::solo::Solo;
use crate::spawn::{Spawn, TokioSpawn};

/// The dogpile lock: one caller creates a value, all others keep getting the previous one, or wait
/// if there is none.
///
/// What coordinates the callers is a choice of constructor:
///
/// | constructor | callers that are coordinated |
/// |---|---|
/// | [`Dogpile::local`] | the tasks and threads of this process |
/// | [`Dogpile::with_lock`] | those who share the [`Lock`] too |
/// | [`Dogpile::leased`] | those who share the server, which keeps the lease itself |
///
/// Clones are cheap and are the same lock. A `Dogpile` is a [`Backend`] and a [`ReadThrough`], so a
/// cache region stands on one.
pub struct Dogpile<L: LeaseBackend> {
    pub(crate) leases: Arc<L>,
    pub(crate) flights: Arc<Flights<L::Value>>,
    pub(crate) options: Options,
}

type LostLeaseHook = Arc<dyn Fn(Key<'_>) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Options {
    /// Plain reads come first, and the leases are only asked on a miss.
    pub(crate) reads_first: bool,
    /// The flight alone coordinates: leases need no heartbeat.
    pub(crate) in_process: bool,
    pub(crate) background: bool,
    pub(crate) spawner: Arc<dyn Spawn>,
    pub(crate) on_lost_lease: Option<LostLeaseHook>,
}

impl<B: Backend> Dogpile<Solo<B>> {
    /// Coordinates the tasks and threads of this process.
    ///
    /// ```
    /// use dogpile_lock::Dogpile;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> dogpile_core::Result<()> {
    /// # let backend = dogpile_lock::read_fn(|_| async { Ok(None::<dogpile_core::Entry<u32>>) });
    /// let dogpile = Dogpile::local(backend);
    /// let answer = dogpile
    ///     .get_or_create("answer", Duration::from_secs(60), || async { Ok::<_, std::io::Error>(42) })
    ///     .await?;
    /// assert_eq!(answer, 42);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn local(backend: B) -> Self {
        Self::over(Solo(backend), true, true)
    }
}

impl<B: Backend, K: Lock> Dogpile<Paired<B, K>> {
    /// Coordinates all who share `lock`: of each process only one caller at a time asks for it.
    #[must_use]
    pub fn with_lock(backend: B, lock: K) -> Self {
        Self::over(Paired::new(backend, lock), true, false)
    }
}

impl<L: LeaseBackend> Dogpile<L> {
    /// Coordinates all who share a backend that leases by itself: of each process only one caller at
    /// a time asks it for a key.
    #[must_use]
    pub fn leased(backend: L) -> Self {
        Self::over(backend, false, false)
    }

    fn over(leases: L, reads_first: bool, in_process: bool) -> Self {
        let spawner = Arc::new(TokioSpawn);
        let options =
            Options { reads_first, in_process, background: false, spawner, on_lost_lease: None };
        Self { leases: Arc::new(leases), flights: Arc::new(Flights::new(32)), options }
    }

    /// Whether a stale value is served to its creator too, while the next one is created in the
    /// background. It concerns [detached](ReadThrough::read_through_detached) creations, which alone
    /// can outlive their caller. False by default.
    #[must_use]
    pub fn with_background(mut self, yes: bool) -> Self {
        self.options.background = yes;
        self
    }

    /// What runs detached creations. By default the tokio runtime of the caller.
    #[must_use]
    pub fn with_spawner(mut self, spawner: impl Spawn + 'static) -> Self {
        self.options.spawner = Arc::new(spawner);
        self
    }

    /// What is called when a lease was lost while its value was being created. The value is still
    /// served to those who waited; it was only not stored. A `tracing` event is sent in any case.
    #[must_use]
    pub fn with_on_lost_lease(mut self, hook: impl Fn(Key<'_>) + Send + Sync + 'static) -> Self {
        self.options.on_lost_lease = Some(Arc::new(hook));
        self
    }

    /// What keeps the values and the leases.
    #[must_use]
    pub fn backend(&self) -> &L {
        &self.leases
    }

    pub(crate) fn lost_lease(&self, key: Key<'_>) {
        tracing::warn!(target: "dogpile", "a lease was lost during a creation; the value is served and not stored");
        if let Some(hook) = &self.options.on_lost_lease {
            hook(key);
        }
    }

    /// The entry, if a plain read comes first and finds a fresh one; else what it found.
    #[inline]
    async fn look(
        &self,
        request: &Request<'_>,
    ) -> Result<Result<Entry<L::Value>, Option<Entry<L::Value>>>> {
        if !self.options.reads_first {
            return Ok(Err(None));
        }
        let Some(entry) = present(self.leases.get(request.key).await)? else {
            return Ok(Err(None));
        };
        // The cheap clock lags: what is fresh even that much later is fresh now.
        let soon = request.clock.recent().plus(RECENT_LAG);
        if request.policy.at(soon).age(&entry) == Age::Fresh {
            return Ok(Ok(entry));
        }
        Ok(match request.freshness().age(&entry) {
            Age::Fresh => Ok(entry),
            Age::Stale => Err(Some(entry)),
            Age::Dead => Err(None),
        })
    }
}

impl<L: LeaseBackend + 'static> Dogpile<L> {
    /// The value of a key, created if there is none younger than `expires_after`: the whole dogpile
    /// lock for those who need no cache region.
    ///
    /// # Errors
    /// What the backend answers, and [`ErrorKind::Creation`](dogpile_core::ErrorKind::Creation)
    /// around what `create` answers.
    pub async fn get_or_create<F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        expires_after: Duration,
        create: F,
    ) -> Result<L::Value>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<L::Value, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let key = key.to_key();
        let policy = Policy::new().with_fresh_for(Some(expires_after));
        let request = Request::new(key.as_key(), policy, &clock);
        let served = self.read_through(&request, || async { now(&clock, create().await) }).await?;
        Ok(served.entry.value)
    }
}

pub(crate) fn now<V, E>(clock: &Arc<dyn Clock>, created: Result<V, E>) -> Result<Made<V>>
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let value = created.map_err(dogpile_core::Error::from_creator)?;
    Ok(Made::new(Entry::new(clock.now(), value), SetOptions::new()))
}

impl<L: LeaseBackend> Clone for Dogpile<L> {
    fn clone(&self) -> Self {
        let Self { leases, flights, options } = self;
        Self { leases: Arc::clone(leases), flights: Arc::clone(flights), options: options.clone() }
    }
}

impl<L: LeaseBackend> fmt::Debug for Dogpile<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dogpile").field(&self.leases).finish()
    }
}

/// Reads and writes pass through. A write makes a creation of its key that is running store nothing.
impl<L: LeaseBackend> Backend for Dogpile<L> {
    type Value = L::Value;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<L::Value>>> {
        self.leases.get(key).await
    }

    #[inline]
    fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<L::Value>) -> T) -> Poll<Option<T>> {
        self.leases.peek(key, look)
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<L::Value>>>> {
        self.leases.get_many(keys).await
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<L::Value>)],
        options: &SetOptions,
    ) -> Result<()> {
        let _write = self.flights.write(items.iter().map(|(key, _)| *key));
        self.leases.set_many(items, options).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let _write = self.flights.write(keys.iter().copied());
        self.leases.delete_many(keys).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        let _write = self.flights.write_group(group);
        self.leases.delete_group(group).await
    }
}

impl<L: LeaseBackend + 'static> ReadThrough for Dogpile<L> {
    #[inline]
    async fn read_through<F, Fut>(
        &self,
        request: &Request<'_>,
        create: F,
    ) -> Result<Served<L::Value>>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<Made<L::Value>>> + Send,
    {
        match self.look(request).await? {
            Ok(entry) => Ok(Served { entry, by: ServedBy::Hit }),
            // In two boxes: who is served needs no room for a creator, who creates none for what led to it.
            Err(stale) => match Box::pin(drive::settle(self, request, stale)).await? {
                Settled::Served(served) => Ok(served),
                Settled::Turn { turn, .. } => {
                    Box::pin(drive::here(self, request.lease_for, turn, create)).await
                }
            },
        }
    }

    async fn read_through_detached<F, Fut>(
        &self,
        request: &Request<'_>,
        create: F,
    ) -> Result<Served<L::Value>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Made<L::Value>>> + Send + 'static,
    {
        match self.look(request).await? {
            Ok(entry) => Ok(Served { entry, by: ServedBy::Hit }),
            Err(stale) => Box::pin(drive::detached(self, request, stale, create)).await,
        }
    }

    async fn read_through_many<F, Fut>(
        &self,
        keys: &[Key<'_>],
        request: &Request<'_>,
        create: F,
    ) -> Result<Vec<Served<L::Value>>>
    where
        F: FnMut(Vec<usize>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<Made<L::Value>>>> + Send,
    {
        Box::pin(many::drive(self, keys, request, create)).await
    }

    async fn is_creating(&self, key: Key<'_>) -> Result<bool> {
        Ok(self.flights.contains(key) || self.leases.is_leased(key).await?)
    }
}
