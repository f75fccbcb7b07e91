//! Values as they are, in this process.

mod kept;

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use dogpile_core::{Backend, Entry, Error, ErrorKind, Key, Result, SetOptions};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use self::kept::{Kept, Look, Named};
use crate::codec::Object;

/// Keeps values in this process as they are: a hit is one `clone` of the value.
///
/// It is bounded by a number of entries, or by a weight of your own. When it is full it evicts what
/// is least likely to be asked for again: one pass over many keys that are never read twice does not
/// drive out those that are. Clones share their entries.
///
/// An entry stays until it is overwritten, deleted or evicted. Stale entries are wanted, and those
/// past [`SetOptions::keep_for`] wait for eviction like any other that nobody reads: the bound is
/// what limits memory.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// use dogpile_cache::backend::Memory;
/// use dogpile_core::{Backend, BackendExt, Entry, Key, Timestamp};
/// use std::sync::Arc;
///
/// let memory: Memory<Arc<str>> = Memory::new(10_000);
/// memory.set(Key::name("a"), Entry::new(Timestamp::MIN, "value".into())).await?;
/// assert_eq!(&*memory.get(Key::name("a")).await?.unwrap().value, "value");
/// # Ok(())
/// # }
/// ```
pub struct Memory<V = Object>(Arc<Inner<V>>);

struct Inner<V> {
    cache: Cache<Kept<V>, (), StoredWeight>,
    /// `None` where every entry weighs one.
    weigh: Option<Box<Weigh<V>>>,
    heaviest: u64,
}

type Weigh<V> = dyn Fn(Key<'_>, &V) -> u64 + Send + Sync;

impl<V: Clone + Send + Sync + 'static> Memory<V> {
    /// Room for this many entries, at least one. The bound is split between a few independent parts
    /// and rounded up to a multiple of their number.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        let entries = entries.max(1);
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        let cache = Cache::with(entries, entries as u64, StoredWeight, hasher, lifecycle);
        Self(Arc::new(Inner { cache, weigh: None, heaviest: 1 }))
    }

    /// Room for entries that weigh `capacity` in all, in a unit of your own: `weigh` is told the key
    /// and the value and answers their weight, zero counting as one.
    ///
    /// An entry that weighs more than a tenth of `capacity`, or more than `u32::MAX`, is refused with
    /// [`ErrorKind::TooLarge`].
    ///
    /// ```
    /// use dogpile_cache::backend::Memory;
    /// use std::sync::Arc;
    ///
    /// let megabyte = Memory::weighted(1_000_000, |_, page: &Arc<str>| page.len() as u64);
    /// assert_eq!(megabyte.weight(), 0);
    /// ```
    #[must_use]
    pub fn weighted(
        capacity: u64,
        weigh: impl Fn(Key<'_>, &V) -> u64 + Send + Sync + 'static,
    ) -> Self {
        let capacity = capacity.max(1);
        // Few enough parts that the share of each has room for the heaviest entry.
        let parts = if capacity < 8 * 1024 { 1 } else { 8 };
        // How many entries that makes is a guess, which may be wrong by far before it costs hits.
        let guess = usize::try_from(capacity / 1024).unwrap_or(usize::MAX).clamp(4096, 1 << 20);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(guess)
            .weight_capacity(capacity)
            .shards(parts)
            .build();
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        let cache = match options {
            Ok(options) => Cache::with_options(options, StoredWeight, hasher, lifecycle),
            // Options lack nothing once both capacities are set; the library's own number of parts
            // would do as well.
            Err(_) => Cache::with(guess, capacity, StoredWeight, hasher, lifecycle),
        };
        Self(Arc::new(Inner {
            cache,
            weigh: Some(Box::new(weigh)),
            heaviest: (capacity / 10).clamp(1, u64::from(u32::MAX)),
        }))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.cache.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.cache.is_empty()
    }

    /// What the entries weigh: their number, where they are not weighed.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.0.cache.weight()
    }

    /// The most that the entries may weigh.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.0.cache.capacity()
    }

    /// Shows `look` the entry under a key where it lies, and answers what it answers: no value is
    /// copied but what it copies. `None` where nothing is kept there, and `look` is dropped unused.
    ///
    /// A part of the cache is locked against writes meanwhile: `look` should be short, and must not
    /// use this backend.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> dogpile_core::Result<()> {
    /// use dogpile_cache::backend::Memory;
    /// use dogpile_core::{BackendExt, Entry, Key, Timestamp};
    ///
    /// let memory = Memory::new(10_000);
    /// memory.set(Key::name("a"), Entry::new(Timestamp::MIN, vec![1, 2, 3])).await?;
    /// assert_eq!(memory.peek(Key::name("a"), |entry| entry.value.len()), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<V>) -> T) -> Option<T> {
        let mut seen = None;
        self.0.cache.get(&Look::new(key, |entry: &Entry<V>| {
            // Nothing was seen before: forgetting that spares every hit the code to drop it.
            std::mem::forget(seen.replace(look(entry)));
        }));
        seen
    }

    fn weigh(&self, key: Key<'_>, value: &V) -> Result<u32> {
        let Some(weigh) = &self.0.weigh else { return Ok(1) };
        let (weight, limit) = (weigh(key, value).max(1), self.0.heaviest);
        match u32::try_from(weight) {
            Ok(accepted) if weight <= limit => Ok(accepted),
            _ => Err(too_large(key, weight, limit)),
        }
    }
}

#[cold]
pub(super) fn too_large(key: Key<'_>, size: u64, limit: u64) -> Error {
    let message = format!("the value of {key} is too large: {size}, and the limit is {limit}");
    Error::new(ErrorKind::TooLarge, message)
}

/// Entries are weighed once, when they are stored: a weight that changed in between would upset the
/// sums of the cache.
#[derive(Clone)]
struct StoredWeight;

impl<V> Weighter<Kept<V>, ()> for StoredWeight {
    #[inline]
    fn weight(&self, kept: &Kept<V>, (): &()) -> u64 {
        u64::from(kept.weight())
    }
}

impl<V: Clone + Send + Sync + 'static> Backend for Memory<V> {
    type Value = V;

    #[inline]
    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<V>>> {
        Ok(Self::peek(self, key, Entry::clone))
    }

    #[inline]
    fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<V>) -> T) -> Poll<Option<T>> {
        Poll::Ready(Self::peek(self, key, look))
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<V>>>> {
        Ok(keys.iter().map(|key| Self::peek(self, *key, Entry::clone)).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, Entry<V>)], _: &SetOptions) -> Result<()> {
        for (key, entry) in items {
            let weight = self.weigh(*key, &entry.value)?;
            self.0.cache.insert(Kept::new(*key, entry.clone(), weight)?, ());
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        for key in keys {
            self.0.cache.remove(&Named(*key));
        }
        Ok(())
    }

    /// Looks at every entry: meant for now and then, not for every request.
    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.0.cache.retain(|kept, ()| kept.key().group() != Some(group));
        Ok(())
    }
}

impl<V> Clone for Memory<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: Clone + Send + Sync + 'static> fmt::Debug for Memory<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("len", &self.len())
            .field("weight", &self.weight())
            .field("capacity", &self.capacity())
            .finish()
    }
}
