//! Writing and forgetting single entries.

use std::time::Duration;

use dogpile_core::{
    BuiltKey, Codec, Entry, Key, Made, ReadThrough, Result, SetOptions, Timestamp, ToKey,
};

use super::barrier::Stamp;
use super::options::Call;
use super::{CallOptions, Event, Region};
use crate::key::Placed;

impl<R: ReadThrough, C> Region<R, C> {
    /// Stores a value. A creation of the same key that is running stores nothing.
    ///
    /// # Errors
    /// What the codec and the backend fail with. While the backend is down and the region
    /// [carries on](crate::WhenDown::Miss), the value is dropped and it is no error.
    pub async fn set<T>(&self, key: impl ToKey, value: &T) -> Result<()>
    where
        C: Codec<T, Stored = R::Value>,
    {
        self.set_with(key, value, CallOptions::new()).await
    }

    /// The same, with an expiry of this value's own. `should_cache` is not asked.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn set_with<T>(
        &self,
        key: impl ToKey,
        value: &T,
        options: CallOptions<'_, T>,
    ) -> Result<()>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let stored = self.store.codec.encode(value)?;
        let expiry = options.stored_expiry(value);
        let key = key.to_key();
        let placed = self.place(&key);
        let key = placed.as_key();
        let entry = self.stamped(key, stored, expiry).await;
        self.write(key, entry.map(|entry| [(key, entry)])).await
    }

    /// Stores many values in one round trip.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn set_many<T, K: ToKey>(&self, items: &[(K, T)]) -> Result<()>
    where
        C: Codec<T, Stored = R::Value>,
    {
        self.set_many_with(items, CallOptions::new()).await
    }

    /// The same, with an expiry of these values' own.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn set_many_with<T, K: ToKey>(
        &self,
        items: &[(K, T)],
        options: CallOptions<'_, T>,
    ) -> Result<()>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let built: Vec<_> = items.iter().map(|(key, _)| key.to_key()).collect();
        let placed: Vec<_> = built.iter().map(|key| self.place(key)).collect();
        let Some(first) = placed.first() else { return Ok(()) };
        let mut stored = Vec::with_capacity(items.len());
        for (_, value) in items {
            stored.push((self.store.codec.encode(value)?, options.stored_expiry(value)));
        }
        let mut entries = Vec::with_capacity(items.len());
        for (placed, (stored, expiry)) in placed.iter().zip(stored) {
            let key = placed.as_key();
            match self.stamped(key, stored, expiry).await {
                Ok(entry) => entries.push((key, entry)),
                Err(error) => return self.written(key, Err(error)),
            }
        }
        self.write(first.as_key(), Ok(entries)).await
    }

    /// Forgets a key. A creation of it that is running stores nothing.
    ///
    /// # Errors
    /// What the backend fails with. While the backend is down and the region
    /// [carries on](crate::WhenDown::Miss), it is no error, and the value may come back with the
    /// backend.
    pub async fn delete(&self, key: impl ToKey) -> Result<()> {
        let key = key.to_key();
        let placed = self.place(&key);
        self.forget(&[placed.as_key()]).await
    }

    /// Forgets many keys in one round trip.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    pub async fn delete_many<K: ToKey>(&self, keys: &[K]) -> Result<()> {
        let built: Vec<_> = keys.iter().map(ToKey::to_key).collect();
        let placed: Vec<_> = built.iter().map(|key| self.place(key)).collect();
        let keys: Vec<_> = placed.iter().map(Placed::as_key).collect();
        self.forget(&keys).await
    }

    /// Removes every [field](crate::Field) of a group from the store.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) from a store that cannot enumerate a group:
    /// [`invalidate_group`](Self::invalidate_group) works on every store. Otherwise as
    /// [`delete`](Self::delete).
    pub async fn delete_group(&self, group: &str) -> Result<()> {
        let group = self.settings.space.place_group(group.as_bytes());
        let done = self.store.backend.delete_group(&group).await;
        self.written(Key::name(&group), done)
    }

    /// Whether somebody is creating the value of this key now.
    ///
    /// # Errors
    /// What the backend fails with.
    pub async fn is_locked(&self, key: impl ToKey) -> Result<bool> {
        let key = key.to_key();
        let placed = self.place(&key);
        self.store.backend.is_creating(placed.as_key()).await
    }

    #[inline]
    pub(super) fn place<'a>(&self, key: &'a BuiltKey<'_>) -> Placed<'a> {
        self.settings.space.place(key.as_key())
    }

    pub(super) async fn forget(&self, keys: &[Key<'_>]) -> Result<()> {
        let Some(first) = keys.first() else { return Ok(()) };
        let done = self.store.backend.delete_many(keys).await;
        self.written(*first, done)
    }

    /// The entry of a value that is not created but given.
    async fn stamped(
        &self,
        key: Key<'_>,
        stored: R::Value,
        expiry: Option<Duration>,
    ) -> Result<Entry<R::Value>> {
        let barrier = self.barrier(key.group()).await?;
        let created = barrier.stamp(barrier, self.settings.clock.now()).created;
        Ok(self.entry(created, stored, expiry))
    }

    /// Stores entries, of which `first` is the first key, or takes note of why there are none.
    async fn write<'k>(
        &self,
        first: Key<'_>,
        entries: Result<impl AsRef<[(Key<'k>, Entry<R::Value>)]>>,
    ) -> Result<()> {
        let done = match entries {
            Ok(entries) => self.store.backend.set_many(entries.as_ref(), &self.set_options()).await,
            Err(error) => Err(error),
        };
        self.written(first, done)
    }

    /// What becomes of a value that was just created.
    pub(super) fn pack<T>(
        &self,
        key: Key<'_>,
        call: Call<'_, T>,
        value: &T,
        stamp: &Stamp,
    ) -> Result<Made<R::Value>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        if stamp.overtaken {
            self.settings.tell(key, Event::Overtaken);
        }
        let stored = self.store.codec.encode(value)?;
        let entry =
            self.entry(stamp.created, stored, call.and_then(|call| call.stored_expiry(value)));
        Ok(match stamp.store && call.is_none_or(|call| call.caches(key, value)) {
            true => Made::new(entry, self.set_options()),
            false => Made::unstored(entry),
        })
    }

    fn entry(
        &self,
        created: Timestamp,
        stored: R::Value,
        expiry: Option<Duration>,
    ) -> Entry<R::Value> {
        self.settings.barriers.stamped(created);
        let entry = Entry::new(created, stored).with_version(self.settings.options.version);
        match expiry {
            // An age of exactly the expiry is still fresh, here as in a policy.
            Some(d) => entry.with_expires(created.plus(d).plus(Duration::from_millis(1))),
            None => entry,
        }
    }

    fn set_options(&self) -> SetOptions {
        SetOptions::new().with_keep_for(self.settings.options.hard_deadline)
    }

    pub(super) fn written(&self, key: Key<'_>, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if self.settings.carries_on(key, &error) => Ok(()),
            Err(error) => {
                self.settings.tell(key, Event::Failed(&error));
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }
}
