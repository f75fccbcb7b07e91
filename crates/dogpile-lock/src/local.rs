//! A lock for the tasks and threads of one process.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use dogpile_core::{Held, Key, KeyBuf, Lease, Lock, Result};

use crate::primitive::{Arc, Mutex, MutexGuard, lock};
use crate::timer;

/// A lock per key, for the tasks and threads of one process.
///
/// A key takes room only while somebody holds it, so memory does not grow with the keys ever seen.
/// Different keys never wait for each other. Clones are the same lock.
///
/// [`Dogpile::local`](crate::Dogpile::local) needs none: it coordinates its callers by itself. This
/// one is for those who want the lock alone.
///
/// ```
/// use dogpile_core::{Held, Key, Lock};
/// use dogpile_lock::LocalLock;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// let lock = LocalLock::new();
/// let key = Key::name("report");
///
/// let lease = lock.try_lock(key, Duration::from_secs(5)).await?.expect("nobody has it");
/// assert!(lock.try_lock(key, Duration::from_secs(5)).await?.is_none());
/// assert_eq!(lock.unlock(key, lease).await?, Held::Kept);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LocalLock(Arc<Table>);

struct Table {
    shards: Box<[Mutex<HashMap<KeyBuf, Hold>>]>,
    hasher: RandomState,
    next: AtomicU64,
}

struct Hold {
    lease: Lease,
    ends: Option<Instant>,
    waiters: HashMap<u64, Waker>,
}

impl Hold {
    fn has_ended(&self) -> bool {
        self.ends.is_some_and(|ends| ends <= Instant::now())
    }

    fn wake_all(self) {
        self.waiters.into_values().for_each(Waker::wake);
    }
}

impl Default for LocalLock {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalLock {
    /// A lock that nobody holds.
    #[must_use]
    pub fn new() -> Self {
        Self::with_shards(32)
    }

    pub(crate) fn with_shards(shards: usize) -> Self {
        let shards = (0..shards).map(|_| Mutex::new(HashMap::new())).collect();
        Self(Arc::new(Table { shards, hasher: RandomState::new(), next: AtomicU64::new(1) }))
    }

    /// How many keys take room now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether nobody holds anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: Key<'_>) -> MutexGuard<'_, HashMap<KeyBuf, Hold>> {
        let shards = &self.0.shards;
        let number = self.0.hasher.hash_one(key) % shards.len() as u64;
        lock(&shards[usize::try_from(number).unwrap_or_default()])
    }

    fn number(&self) -> u64 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes the hold out of the table if `lease` is the holder's.
    fn give_back(&self, key: Key<'_>, lease: Lease) -> Held {
        let mut shard = self.shard(key);
        let key = KeyBuf::from(key);
        if shard.get(&key).is_none_or(|hold| hold.lease != lease) {
            return Held::Lost;
        }
        let hold = shard.remove(&key);
        if shard.is_empty() && shard.capacity() > 64 {
            shard.shrink_to_fit();
        }
        drop(shard);
        let ended = hold.as_ref().is_some_and(Hold::has_ended);
        hold.into_iter().for_each(Hold::wake_all);
        if ended { Held::Lost } else { Held::Kept }
    }
}

impl Lock for LocalLock {
    async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        let lease = Lease::new(self.number().into());
        let hold =
            Hold { lease, ends: Instant::now().checked_add(lease_for), waiters: HashMap::new() };
        let mut shard = self.shard(key);
        let key = KeyBuf::from(key);
        if shard.get(&key).is_some_and(|present| !present.has_ended()) {
            return Ok(None);
        }
        if shard.len() == shard.capacity() {
            // Holders that were forgotten leave holds behind that nobody gives back.
            shard.retain(|_, hold| !hold.has_ended());
        }
        let ended = shard.insert(key, hold);
        drop(shard);
        ended.into_iter().for_each(Hold::wake_all);
        Ok(Some(lease))
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        let mut shard = self.shard(key);
        match shard.get_mut(&KeyBuf::from(key)) {
            Some(hold) if hold.lease == lease && !hold.has_ended() => {
                hold.ends = Instant::now().checked_add(lease_for);
                Ok(Held::Kept)
            }
            _ => Ok(Held::Lost),
        }
    }

    async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        Ok(self.give_back(key, lease))
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        for key in keys {
            let hold = self.shard(*key).remove(&KeyBuf::from(*key));
            hold.into_iter().for_each(Hold::wake_all);
        }
        Ok(())
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        for shard in &self.0.shards {
            let revoked: Vec<_> = lock(shard)
                .extract_if(|key, _| key.as_key().group() == Some(group))
                .map(|(_, hold)| hold)
                .collect();
            revoked.into_iter().for_each(Hold::wake_all);
        }
        Ok(())
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        let _ = self.give_back(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let mut free = Free { lock: self, key, waiter: None };
        let ends = self.shard(key).get(&KeyBuf::from(key)).and_then(|hold| hold.ends);
        let lease_end = ends.map_or(at_most, |ends| ends.saturating_duration_since(Instant::now()));
        let mut sleep = timer::sleep(at_most.min(lease_end));
        std::future::poll_fn(|cx| match pin!(&mut free).poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => Pin::new(&mut sleep).poll(cx),
        })
        .await;
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        Ok(self.shard(key).get(&KeyBuf::from(key)).is_some_and(|hold| !hold.has_ended()))
    }
}

/// Waits until a key is given back.
struct Free<'a> {
    lock: &'a LocalLock,
    key: Key<'a>,
    /// The hold that is waited for, and the number under which.
    waiter: Option<(Lease, u64)>,
}

impl Future for Free<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut shard = this.lock.shard(this.key);
        let Some(hold) = shard.get_mut(&KeyBuf::from(this.key)).filter(|hold| !hold.has_ended())
        else {
            return Poll::Ready(());
        };
        let (lease, waiter) = *this.waiter.get_or_insert_with(|| (hold.lease, this.lock.number()));
        if lease != hold.lease {
            return Poll::Ready(());
        }
        hold.waiters.insert(waiter, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Free<'_> {
    fn drop(&mut self) {
        if let Some((lease, waiter)) = self.waiter
            && let Some(hold) = self.lock.shard(self.key).get_mut(&KeyBuf::from(self.key))
            && hold.lease == lease
        {
            hold.waiters.remove(&waiter);
        }
    }
}

impl fmt::Debug for LocalLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLock").field("held", &self.len()).finish()
    }
}
