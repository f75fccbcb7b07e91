//! A store that fails when a test says so.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dogpile_core::{
    Answer, Ask, Backend, Counter, Entry, Error, ErrorKind, Held, Key, Lease, LeaseBackend, Lock,
    Result, SetOptions,
};

/// Wraps a backend, a lock, a lease backend or a counter, and fails, delays or drops on demand what
/// goes through it.
///
/// Cheap to clone; clones share the inner store and the demands.
///
/// ```
/// use dogpile_conformance::Faulty;
/// use dogpile_core::{Counter, ErrorKind, Key};
/// # use dogpile_core::Result;
/// # #[derive(Debug)]
/// # struct Zero;
/// # impl Counter for Zero {
/// #     async fn read(&self, _: Key<'_>) -> Result<u64> { Ok(0) }
/// #     async fn bump(&self, _: Key<'_>, _: u64) -> Result<u64> { Ok(1) }
/// # }
///
/// # dogpile_conformance::run(async {
/// let counter = Faulty::new(Zero);
/// counter.fail_next(1, ErrorKind::Unavailable);
/// assert_eq!(counter.read(Key::name("a")).await.unwrap_err().kind(), ErrorKind::Unavailable);
/// assert_eq!(counter.read(Key::name("a")).await.unwrap(), 0);
/// assert_eq!(counter.calls("read"), 2);
/// # });
/// ```
pub struct Faulty<T> {
    inner: Arc<T>,
    demands: Arc<Mutex<Demands>>,
}

#[derive(Debug, Default)]
struct Demands {
    fail_next: Option<(usize, ErrorKind)>,
    fail_all: Option<ErrorKind>,
    fail_method: BTreeMap<&'static str, ErrorKind>,
    delay: Duration,
    drop_writes: bool,
    calls: BTreeMap<&'static str, usize>,
}

impl<T> Faulty<T> {
    /// A wrapper that does nothing yet but count.
    pub fn new(inner: T) -> Self {
        Self { inner: Arc::new(inner), demands: Arc::default() }
    }

    /// What it wraps: to look behind the faults.
    #[must_use]
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Lets the next `count` calls fail with this kind, whichever they are.
    pub fn fail_next(&self, count: usize, kind: ErrorKind) {
        self.demands().fail_next = Some((count, kind));
    }

    /// Lets every call fail with [`ErrorKind::Unavailable`], or no longer: the server is down, or up
    /// again.
    pub fn fail_all(&self, down: bool) {
        self.demands().fail_all = down.then_some(ErrorKind::Unavailable);
    }

    /// Lets one method fail with this kind until told otherwise, by its name in the trait.
    pub fn fail_method(&self, method: &'static str, kind: Option<ErrorKind>) {
        match kind {
            Some(kind) => _ = self.demands().fail_method.insert(method, kind),
            None => _ = self.demands().fail_method.remove(method),
        }
    }

    /// Lets every call take this much longer. Faults come after the delay.
    pub fn delay(&self, d: Duration) {
        self.demands().delay = d;
    }

    /// Says `Ok` to writes, deletes and fills and does not carry them out, or does so again.
    pub fn drop_writes(&self, yes: bool) {
        self.demands().drop_writes = yes;
    }

    /// How often a method was called, by its name in the trait; failed calls count.
    #[must_use]
    pub fn calls(&self, method: &str) -> usize {
        self.demands().calls.get(method).copied().unwrap_or(0)
    }

    /// How often anything was called.
    #[must_use]
    pub fn all_calls(&self) -> usize {
        self.demands().calls.values().sum()
    }

    fn demands(&self) -> MutexGuard<'_, Demands> {
        self.demands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, delays it, and fails it if it is to fail.
    async fn pass(&self, method: &'static str) -> Result<()> {
        let delay = self.count(method);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match self.fault(method) {
            Some(kind) => Err(Error::new(kind, format!("{method} was made to fail"))),
            None => Ok(()),
        }
    }

    /// The same for a call that changes something: whether it is to be carried out.
    async fn pass_write(&self, method: &'static str) -> Result<bool> {
        self.pass(method).await?;
        Ok(!self.demands().drop_writes)
    }

    fn count(&self, method: &'static str) -> Duration {
        let mut demands = self.demands();
        *demands.calls.entry(method).or_default() += 1;
        demands.delay
    }

    fn fault(&self, method: &str) -> Option<ErrorKind> {
        let mut demands = self.demands();
        if let Some((count, kind)) = &mut demands.fail_next
            && *count > 0
        {
            *count -= 1;
            return Some(*kind);
        }
        demands.fail_all.or_else(|| demands.fail_method.get(method).copied())
    }
}

impl<T> Clone for Faulty<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), demands: Arc::clone(&self.demands) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Faulty<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faulty").field(&self.inner).finish()
    }
}

/// `peek` shows nothing, so that every reading is a call that can fail.
impl<B: Backend> Backend for Faulty<B> {
    type Value = B::Value;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<B::Value>>> {
        self.pass("get").await?;
        self.inner.get(key).await
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<B::Value>>>> {
        self.pass("get_many").await?;
        self.inner.get_many(keys).await
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<()> {
        match self.pass_write("set_many").await? {
            true => self.inner.set_many(items, options).await,
            false => Ok(()),
        }
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        match self.pass_write("delete_many").await? {
            true => self.inner.delete_many(keys).await,
            false => Ok(()),
        }
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        match self.pass_write("delete_group").await? {
            true => self.inner.delete_group(group).await,
            false => Ok(()),
        }
    }
}

/// `abandon` and `wait` cannot fail; they are counted, and `wait` is delayed.
impl<L: Lock> Lock for Faulty<L> {
    async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        self.pass("try_lock").await?;
        self.inner.try_lock(key, lease_for).await
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.pass("extend").await?;
        self.inner.extend(key, lease, lease_for).await
    }

    async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.pass("unlock").await?;
        self.inner.unlock(key, lease).await
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        self.pass("revoke").await?;
        self.inner.revoke(keys).await
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        self.pass("revoke_group").await?;
        self.inner.revoke_group(group).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.count("abandon");
        self.inner.abandon(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let delay = self.count("wait");
        tokio::time::sleep(delay).await;
        self.inner.wait(key, at_most).await;
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        self.pass("is_locked").await?;
        self.inner.is_locked(key).await
    }
}

/// `abandon` and `wait` cannot fail; they are counted, and `wait` is delayed. A fill that is dropped
/// is told to be [`Held::Kept`].
impl<B: LeaseBackend> LeaseBackend for Faulty<B> {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<B::Value>> {
        self.pass("get_or_lease").await?;
        self.inner.get_or_lease(ask).await
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<B::Value>>> {
        self.pass("get_or_lease_many").await?;
        self.inner.get_or_lease_many(asks).await
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<B::Value>,
        options: &SetOptions,
    ) -> Result<Held> {
        match self.pass_write("fill").await? {
            true => self.inner.fill(key, lease, entry, options).await,
            false => Ok(Held::Kept),
        }
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        match self.pass_write("fill_many").await? {
            true => self.inner.fill_many(fills, options).await,
            false => Ok(vec![Held::Kept; fills.len()]),
        }
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.pass("extend").await?;
        self.inner.extend(key, lease, lease_for).await
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.pass("release").await?;
        self.inner.release(key, lease).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.count("abandon");
        self.inner.abandon(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let delay = self.count("wait");
        tokio::time::sleep(delay).await;
        self.inner.wait(key, at_most).await;
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        self.pass("is_leased").await?;
        self.inner.is_leased(key).await
    }
}

/// A bump that is dropped answers the number as it is.
impl<C: Counter> Counter for Faulty<C> {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        self.pass("read").await?;
        self.inner.read(key).await
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        match self.pass_write("bump").await? {
            true => self.inner.bump(key, at_least).await,
            false => self.inner.read(key).await,
        }
    }
}
