//! A near backend in front of a far one.

mod epochs;
mod lease;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Age, Backend, Clock, Entry, Freshness, Key, Policy, Result, SetOptions, SystemClock, Timestamp,
};

use self::epochs::{Epochs, Write};

/// Two tiers: a near backend that answers what it can, for a short time, and a far one that
/// everybody shares.
///
/// - A read that the near tier cannot answer asks the far one, and its answer stays near for at most
///   `near_for`. Many keys ask the far tier only for those that are not near, at once.
/// - A write or a delete goes to the far tier first. When it returns, the near tier has forgotten
///   the old value, also when the near tier fails, and whoever was reading it meanwhile.
/// - A near tier that fails is as good as empty: its errors are not reported. Put an
///   `Observed` around it to see them. The far tier's errors are the caller's.
/// - It leases if the far tier does. An entry that is near and fresh is answered without the far
///   tier, and every other question goes there.
///
/// # What other processes do
///
/// The near tier does not hear of them. A value that another process wrote, deleted or replaced may
/// be answered here for `near_for` longer: that is the price, so choose it as short as is useful; a
/// few seconds take most of the load off the far tier. An invalidation of the region that is shared
/// through a `Counter` is obeyed at once, because it judges by the entry's creation time.
///
/// Whether a near entry is still fresh is known when it comes with the question, as it does in a
/// lease. So put the lock below the tiers: `Dogpile::leased(Tiered::new(near, redis, d))`, and
/// `Paired` makes a far tier that does not lease into one that does. Plain reads know no more than
/// [`with_policy`](Self::with_policy) says.
///
/// The near tier belongs to this value alone. What is in it at the beginning is not used.
///
/// ```
/// use bytes::Bytes;
/// use dogpile_cache::layer::Tiered;
/// use dogpile_core::Backend;
/// use std::time::Duration;
///
/// fn tiers<N, F>(memory: N, redis: F) -> impl Backend<Value = Bytes>
/// where
///     N: Backend<Value = Bytes>,
///     F: Backend<Value = Bytes>,
/// {
///     Tiered::new(memory, redis, Duration::from_secs(2))
/// }
/// ```
#[derive(Debug)]
pub struct Tiered<N, F> {
    near: N,
    far: F,
    near_for: Duration,
    policy: Policy,
    clock: Arc<dyn Clock>,
    epochs: Epochs,
}

impl<N, F> Tiered<N, F> {
    /// `near` in front of `far`; what is read from `far` stays near for at most `near_for`.
    #[must_use]
    pub fn new(near: N, far: F, near_for: Duration) -> Self {
        let clock = Arc::new(SystemClock);
        Self { near, far, near_for, policy: Policy::new(), clock, epochs: Epochs::new() }
    }

    /// Answers a plain read from the near tier only while the entry is fresh by this policy.
    ///
    /// Give the region's own expiry where no lease tells it. Without, a process may create a value
    /// that another has just created, for as long as the old one is near.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Tells the time by this clock. By default it is the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

/// A near value: epoch, moment of reading, and the far value.
const HEADER: usize = 16;

fn stamp(epoch: u64, read: Timestamp, value: &[u8]) -> Bytes {
    [&epoch.to_le_bytes()[..], &read.as_millis().to_le_bytes(), value].concat().into()
}

impl<N: Backend<Value = Bytes>, F> Tiered<N, F> {
    /// The far entry inside a near one, if it may still be answered.
    fn open(&self, key: Key<'_>, near: Entry<Bytes>, now: Timestamp) -> Option<Entry<Bytes>> {
        let (epoch, rest) = near.value.split_first_chunk()?;
        let (read, _) = rest.split_first_chunk()?;
        let read = Timestamp::from_millis(u64::from_le_bytes(*read));
        let valid = u64::from_le_bytes(*epoch) == self.epochs.now(key)
            && now.since(read) < self.near_for
            // The clock was set back: nobody knows how long it has been near.
            && read <= now.plus(Freshness::SKEW);
        valid.then(|| near.map(|value| value.slice(HEADER..)))
    }

    async fn near(&self, key: Key<'_>, asked: &Freshness) -> Option<Entry<Bytes>> {
        let near = self.near.get(key).await.ok().flatten()?;
        let entry = self.open(key, near, asked.now())?;
        (asked.age(&entry) == Age::Fresh).then_some(entry)
    }

    async fn near_many(
        &self,
        asks: impl ExactSizeIterator<Item = (Key<'_>, Freshness)> + Clone,
    ) -> Vec<Option<Entry<Bytes>>> {
        let keys: Vec<_> = asks.clone().map(|(key, _)| key).collect();
        let found = self.near.get_many(&keys).await.unwrap_or_default();
        let found = found.into_iter().chain(std::iter::repeat(None));
        asks.zip(found)
            .map(|((key, asked), near)| {
                let entry = self.open(key, near?, asked.now())?;
                (asked.age(&entry) == Age::Fresh).then_some(entry)
            })
            .collect()
    }

    async fn bring_near(&self, entries: Vec<(Key<'_>, u64, &Entry<Bytes>)>) {
        if entries.is_empty() || self.near_for.is_zero() {
            return;
        }
        let now = self.clock.now();
        let items: Vec<_> = entries
            .into_iter()
            .map(|(key, epoch, entry)| (key, entry.clone().map(|value| stamp(epoch, now, &value))))
            .collect();
        let options = SetOptions::new().with_keep_for(Some(self.near_for));
        let _ = self.near.set_many(&items, &options).await;
    }

    /// Ends a write, and keeps near what was written.
    async fn bring_written<'k>(
        &self,
        write: Write<'_>,
        items: impl Iterator<Item = (Key<'k>, &'k Entry<Bytes>)>,
    ) {
        let news = items.filter_map(|(key, entry)| Some((key, write.next(key)?, entry))).collect();
        drop(write);
        self.bring_near(news).await;
    }

    fn asked(&self) -> Freshness {
        self.policy.at(self.clock.now())
    }
}

impl<N, F> Backend for Tiered<N, F>
where
    N: Backend<Value = Bytes>,
    F: Backend<Value = Bytes>,
{
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        if let Some(entry) = self.near(key, &self.asked()).await {
            return Ok(Some(entry));
        }
        let epoch = self.epochs.now(key);
        let found = self.far.get(key).await?;
        if let Some(entry) = &found {
            self.bring_near(vec![(key, epoch, entry)]).await;
        }
        Ok(found)
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        let asked = self.asked();
        let mut found = self.near_many(keys.iter().map(|key| (*key, asked))).await;
        let lacking: Vec<_> = missing(&found).collect();
        if lacking.is_empty() {
            return Ok(found);
        }
        let far: Vec<_> = lacking.iter().map(|at| keys[*at]).collect();
        let epochs: Vec<_> = far.iter().map(|key| self.epochs.now(*key)).collect();
        let answers = self.far.get_many(&far).await?;
        let news = far.iter().zip(&epochs).zip(&answers);
        self.bring_near(
            news.filter_map(|((k, epoch), e)| Some((*k, *epoch, e.as_ref()?))).collect(),
        )
        .await;
        for (at, answer) in lacking.into_iter().zip(answers) {
            found[at] = answer;
        }
        Ok(found)
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        let write = self.epochs.write_keys(items.iter().map(|(key, _)| *key));
        self.far.set_many(items, options).await?;
        self.bring_written(write, items.iter().map(|(key, entry)| (*key, entry))).await;
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let write = self.epochs.write_keys(keys.iter().copied());
        self.far.delete_many(keys).await?;
        drop(write);
        let _ = self.near.delete_many(keys).await;
        Ok(())
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        let write = self.epochs.write(0..Epochs::SLOTS);
        self.far.delete_group(group).await?;
        drop(write);
        let _ = self.near.delete_group(group).await;
        Ok(())
    }
}

fn missing<T>(found: &[Option<T>]) -> impl Iterator<Item = usize> {
    found.iter().enumerate().filter(|(_, entry)| entry.is_none()).map(|(at, _)| at)
}
