//! One wrapper for every layer that maps keys and values.

mod lease;
mod lock;

use std::fmt;

use dogpile_core::{Backend, Entry, Error, ErrorKind, Key, KeyBuf, Result, SetOptions};

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
/// `Inner` is the form in which the backend below keeps values. The [module](crate::layer) has a complete
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
