//! One wrapper for every layer that maps keys and values.

use std::fmt;
use std::time::Duration;

use dogpile_core::{
    Answer, Ask, Backend, Counter, Entry, Error, ErrorKind, Held, Key, KeyBuf, Lease, LeaseBackend,
    Lock, Result, SetOptions,
};

/// How a layer changes keys on their way in.
pub trait MapKey: fmt::Debug + Send + Sync {
    /// The key to use in place of `key`; `None` leaves it as it is.
    ///
    /// # Behavior
    /// - The same key always becomes the same key, in every process.
    /// - Different keys become different keys.
    /// - A field of a group becomes a field, and all fields of one group become fields of one group.
    ///   Where it does not, the layer refuses to [delete groups](Backend::delete_group).
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for a key it cannot map.
    fn key(&self, key: Key<'_>) -> Result<Option<KeyBuf>>;
}

/// How a layer changes keys and values: write one, and [`Layered`] is your backend.
///
/// `Inner` is the form in which the backend below keeps values. The [module](super) has a complete
/// example.
pub trait Transform<Inner>: MapKey {
    /// The form of a value above this layer.
    type Value: Clone + Send + Sync + 'static;

    /// The form of a value below this layer. `key` is the key above it.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] or [`ErrorKind::TooLarge`] for a value it cannot turn into one.
    fn encode(&self, key: Key<'_>, value: &Self::Value) -> Result<Inner>;

    /// The form of a value above this layer.
    ///
    /// # Behavior
    /// - Whatever the value, it does not panic and does not allocate without a bound.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a value that [`encode`](Self::encode) did not make: it is taken
    /// for missing.
    fn decode(&self, key: Key<'_>, value: Inner) -> Result<Self::Value>;
}

/// A backend, lease backend, lock or counter behind a layer: it is what it was before, with keys and
/// values mapped by a [`Transform`].
///
/// ```
/// use dogpile_cache::layer::{LayerExt, Prefix};
/// # use dogpile_core::Backend;
///
/// fn for_billing<B: Backend>(backend: B) -> impl Backend<Value = B::Value> {
///     backend.layer(Prefix::new("billing:"))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Layered<B, T> {
    inner: B,
    transform: T,
}

impl<B, T> Layered<B, T> {
    /// `inner` behind `transform`.
    #[must_use]
    pub fn new(inner: B, transform: T) -> Self {
        Self { inner, transform }
    }

    /// What is below the layer.
    #[must_use]
    pub fn inner(&self) -> &B {
        &self.inner
    }
}

impl<B, T: MapKey> Layered<B, T> {
    /// The group below the layer.
    fn group(&self, group: &[u8]) -> Result<Vec<u8>> {
        let field = Key::field(group, "");
        let mapped = self.transform.key(field)?;
        below(field, &mapped).group().map(<[u8]>::to_vec).ok_or_else(|| {
            Error::new(
                ErrorKind::Refused,
                "a layer of this backend turns groups into plain names: they cannot be dropped as one",
            )
        })
    }
}

/// Puts layers around any backend, the first one nearest to it.
pub trait LayerExt: Backend + Sized {
    /// This backend behind a layer.
    #[must_use]
    fn layer<T: Transform<Self::Value>>(self, transform: T) -> Layered<Self, T> {
        Layered::new(self, transform)
    }
}

impl<B: Backend> LayerExt for B {}

/// Keys below the layer, for as long as the keys above it live.
struct Mapped<'k>(Vec<(Key<'k>, Option<KeyBuf>)>);

impl<'k> Mapped<'k> {
    fn new(map: &impl MapKey, keys: impl IntoIterator<Item = Key<'k>>) -> Result<Self> {
        keys.into_iter().map(|key| Ok((key, map.key(key)?))).collect::<Result<_>>().map(Self)
    }

    fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        self.0.iter().map(|(key, mapped)| below(*key, mapped))
    }
}

fn below<'k>(key: Key<'k>, mapped: &'k Option<KeyBuf>) -> Key<'k> {
    mapped.as_ref().map_or(key, KeyBuf::as_key)
}

impl<B: Backend, T: Transform<B::Value>> Layered<B, T> {
    fn encode(&self, key: Key<'_>, entry: &Entry<T::Value>) -> Result<Entry<B::Value>> {
        let Entry { created, expires, version, ref value } = *entry;
        let value = self.transform.encode(key, value)?;
        Ok(Entry { created, expires, version, value })
    }

    fn decode(&self, key: Key<'_>, entry: Entry<B::Value>) -> Result<Entry<T::Value>> {
        let Entry { created, expires, version, value } = entry;
        let value = self.transform.decode(key, value)?;
        Ok(Entry { created, expires, version, value })
    }

    /// The same, with a damaged entry taken for missing.
    fn decode_intact(
        &self,
        key: Key<'_>,
        entry: Option<Entry<B::Value>>,
    ) -> Result<Option<Entry<T::Value>>> {
        match entry.map(|entry| self.decode(key, entry)).transpose() {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            decoded => decoded,
        }
    }
}

impl<B: Backend, T: Transform<B::Value>> Backend for Layered<B, T> {
    type Value = T::Value;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<T::Value>>> {
        let mapped = self.transform.key(key)?;
        let found = self.inner.get(below(key, &mapped)).await?;
        found.map(|entry| self.decode(key, entry)).transpose()
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<T::Value>>>> {
        let mapped = Mapped::new(&self.transform, keys.iter().copied())?;
        let below: Vec<_> = mapped.keys().collect();
        let found = self.inner.get_many(&below).await?;
        keys.iter().zip(found).map(|(key, entry)| self.decode_intact(*key, entry)).collect()
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<T::Value>)],
        options: &SetOptions,
    ) -> Result<()> {
        let mapped = Mapped::new(&self.transform, items.iter().map(|(key, _)| *key))?;
        let below = mapped
            .keys()
            .zip(items)
            .map(|(below, (key, entry))| Ok((below, self.encode(*key, entry)?)))
            .collect::<Result<Vec<_>>>()?;
        self.inner.set_many(&below, options).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let mapped = Mapped::new(&self.transform, keys.iter().copied())?;
        let below: Vec<_> = mapped.keys().collect();
        self.inner.delete_many(&below).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.inner.delete_group(&self.group(group)?).await
    }
}

impl<B: LeaseBackend, T: Transform<B::Value>> Layered<B, T> {
    /// The answer above the layer. A damaged entry that the store takes for fresh is asked for again
    /// as a dead one: whoever asks gets the turn to replace it.
    async fn answer(
        &self,
        ask: &Ask<'_>,
        below: Key<'_>,
        answer: Answer<B::Value>,
    ) -> Result<Answer<T::Value>> {
        let Answer::Fresh(entry) = answer else { return self.intact(ask.key, answer) };
        let created = entry.created;
        match self.decode(ask.key, entry) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let barrier = created.plus(Duration::from_millis(1));
                let policy = ask
                    .freshness
                    .policy()
                    .with_dead_before(barrier.max(ask.freshness.dead_before()));
                let again = Ask::new(below, policy.at(ask.freshness.now()), ask.lease_for);
                self.intact(ask.key, self.inner.get_or_lease(&again).await?)
            }
            decoded => decoded.map(Answer::Fresh),
        }
    }

    fn intact(&self, key: Key<'_>, answer: Answer<B::Value>) -> Result<Answer<T::Value>> {
        Ok(match answer {
            Answer::Fresh(entry) => Answer::Fresh(self.decode(key, entry)?),
            Answer::Create { lease, stale } => {
                Answer::Create { lease, stale: self.decode_intact(key, stale)? }
            }
            Answer::Busy { stale } => Answer::Busy { stale: self.decode_intact(key, stale)? },
        })
    }
}

impl<B: LeaseBackend, T: Transform<B::Value>> LeaseBackend for Layered<B, T> {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<T::Value>> {
        let mapped = self.transform.key(ask.key)?;
        let below = below(ask.key, &mapped);
        let answer =
            self.inner.get_or_lease(&Ask::new(below, ask.freshness, ask.lease_for)).await?;
        self.answer(ask, below, answer).await
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<T::Value>>> {
        let mapped = Mapped::new(&self.transform, asks.iter().map(|ask| ask.key))?;
        let below: Vec<_> = mapped
            .keys()
            .zip(asks)
            .map(|(below, ask)| Ask::new(below, ask.freshness, ask.lease_for))
            .collect();
        let found = self.inner.get_or_lease_many(&below).await?;
        let mut answers = Vec::with_capacity(asks.len());
        for ((ask, below), answer) in asks.iter().zip(&below).zip(found) {
            answers.push(self.answer(ask, below.key, answer).await?);
        }
        Ok(answers)
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<T::Value>,
        options: &SetOptions,
    ) -> Result<Held> {
        let mapped = self.transform.key(key)?;
        let below = below(key, &mapped);
        match self.encode(key, &entry) {
            Ok(entry) => self.inner.fill(below, lease, entry, options).await,
            Err(error) => {
                self.inner.abandon(below, lease);
                Err(error)
            }
        }
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<T::Value>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let mapped = Mapped::new(&self.transform, fills.iter().map(|(key, ..)| *key))?;
        let below = mapped
            .keys()
            .zip(fills)
            .map(|(below, (key, lease, entry))| Ok((below, *lease, self.encode(*key, entry)?)))
            .collect::<Result<Vec<_>>>();
        match below {
            Ok(below) => self.inner.fill_many(&below, options).await,
            Err(error) => {
                for (below, (_, lease, _)) in mapped.keys().zip(fills) {
                    self.inner.abandon(below, *lease);
                }
                Err(error)
            }
        }
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        let mapped = self.transform.key(key)?;
        self.inner.extend(below(key, &mapped), lease, lease_for).await
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        let mapped = self.transform.key(key)?;
        self.inner.release(below(key, &mapped), lease).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        if let Ok(mapped) = self.transform.key(key) {
            self.inner.abandon(below(key, &mapped), lease);
        }
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        if let Ok(mapped) = self.transform.key(key) {
            self.inner.wait(below(key, &mapped), at_most).await;
        }
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        let mapped = self.transform.key(key)?;
        self.inner.is_leased(below(key, &mapped)).await
    }
}

impl<L: Lock, T: MapKey> Lock for Layered<L, T> {
    async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        let mapped = self.transform.key(key)?;
        self.inner.try_lock(below(key, &mapped), lease_for).await
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        let mapped = self.transform.key(key)?;
        self.inner.extend(below(key, &mapped), lease, lease_for).await
    }

    async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        let mapped = self.transform.key(key)?;
        self.inner.unlock(below(key, &mapped), lease).await
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        let mapped = Mapped::new(&self.transform, keys.iter().copied())?;
        let below: Vec<_> = mapped.keys().collect();
        self.inner.revoke(&below).await
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        self.inner.revoke_group(&self.group(group)?).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        if let Ok(mapped) = self.transform.key(key) {
            self.inner.abandon(below(key, &mapped), lease);
        }
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        if let Ok(mapped) = self.transform.key(key) {
            self.inner.wait(below(key, &mapped), at_most).await;
        }
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        let mapped = self.transform.key(key)?;
        self.inner.is_locked(below(key, &mapped)).await
    }
}

impl<C: Counter, T: MapKey> Counter for Layered<C, T> {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        let mapped = self.transform.key(key)?;
        self.inner.read(below(key, &mapped)).await
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        let mapped = self.transform.key(key)?;
        self.inner.bump(below(key, &mapped), at_least).await
    }
}
