//! Reading what is there.

use dogpile_core::{
    Age, Codec, Entry, Error, ErrorKind, Freshness, Key, Policy, RECENT_LAG, ReadThrough, Result,
    Timestamp, ToKey,
};

use super::{CallOptions, Event, Region};

impl<R: ReadThrough, C> Region<R, C> {
    /// The value of a key, if there is a fresh one.
    ///
    /// # Errors
    /// What the backend fails with, unless the region [carries on](crate::WhenDown::Miss).
    pub async fn get<T>(&self, key: impl ToKey) -> Result<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        self.get_with(key, CallOptions::new()).await
    }

    /// The same, with options of this call.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_with<T>(
        &self,
        key: impl ToKey,
        options: CallOptions<'_, T>,
    ) -> Result<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        Ok(self.get_with_metadata(key, options).await?.map(|entry| entry.value))
    }

    /// The value of a key, if there is a fresh one, with the time of its creation, its own expiry
    /// and its version.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_with_metadata<T>(
        &self,
        key: impl ToKey,
        options: CallOptions<'_, T>,
    ) -> Result<Option<Entry<T>>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let key = key.to_key();
        let placed = self.settings.space.place(key.as_key());
        let key = placed.as_key();
        let found = self.find(key, &options).await;
        self.answer(key, found)
    }

    /// The fresh values of many keys, in their order, in one round trip.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_many<T, K: ToKey>(&self, keys: &[K]) -> Result<Vec<Option<T>>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        self.get_many_with(keys, CallOptions::new()).await
    }

    /// The same, with options of this call.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_many_with<T, K: ToKey>(
        &self,
        keys: &[K],
        options: CallOptions<'_, T>,
    ) -> Result<Vec<Option<T>>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let built: Vec<_> = keys.iter().map(ToKey::to_key).collect();
        let placed: Vec<_> =
            built.iter().map(|key| self.settings.space.place(key.as_key())).collect();
        let keys: Vec<_> = placed.iter().map(|key| key.as_key()).collect();
        let found = self.find_many(&keys, &options).await;
        let found = keys.iter().zip(found).map(|(key, found)| {
            self.answer(*key, found).map(|entry| entry.map(|entry| entry.value))
        });
        found.collect()
    }

    /// The fresh entry under a key of the store.
    pub(super) async fn find<T>(
        &self,
        key: Key<'_>,
        call: &CallOptions<'_, T>,
    ) -> Result<Option<Entry<T>>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let barrier = self.barrier(key.group()).await?;
        let policy = self.settings.policy(key, call, barrier);
        let Some(entry) = self.store.backend.get(key).await? else { return Ok(None) };
        if !self.accepts(&policy, call, &entry) {
            return Ok(None);
        }
        self.decode(entry).map(Some)
    }

    /// The same for many; one that fails does not fail the others.
    pub(super) async fn find_many<T>(
        &self,
        keys: &[Key<'_>],
        call: &CallOptions<'_, T>,
    ) -> Vec<Result<Option<Entry<T>>>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        if keys.is_empty() {
            return Vec::new();
        }
        let mut barriers = Vec::with_capacity(keys.len());
        for key in keys {
            match self.barrier(key.group()).await {
                Ok(barrier) => barriers.push(barrier),
                Err(error) => return keys.iter().map(|_| Err(error.clone())).collect(),
            }
        }
        let entries = match self.store.backend.get_many(keys).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let mut found = Vec::with_capacity(keys.len());
                for key in keys {
                    found.push(self.find(*key, call).await);
                }
                return found;
            }
            Err(error) => return keys.iter().map(|_| Err(error.clone())).collect(),
        };
        let found = keys.iter().zip(barriers).zip(entries).map(|((key, barrier), entry)| {
            let policy = self.settings.policy(*key, call, barrier);
            match entry.filter(|entry| self.accepts(&policy, call, entry)) {
                Some(entry) => self.decode(entry).map(Some),
                None => Ok(None),
            }
        });
        found.collect()
    }

    /// Whether a reader takes this entry.
    fn accepts<T>(
        &self,
        policy: &Policy,
        call: &CallOptions<'_, T>,
        entry: &Entry<R::Value>,
    ) -> bool {
        if call.ignore_expiry {
            return entry.version == self.settings.options.version;
        }
        self.freshness(policy, entry) == Age::Fresh
    }

    /// The age of an entry; the exact time is asked for only if the cheap one leaves a doubt.
    #[inline]
    pub(super) fn freshness(&self, policy: &Policy, entry: &Entry<R::Value>) -> Age {
        let clock = &self.settings.clock;
        let at = |now: Timestamp| -> Freshness { policy.at(now) };
        match at(clock.recent().plus(RECENT_LAG)).age(entry) {
            Age::Fresh => Age::Fresh,
            Age::Stale | Age::Dead => at(clock.now()).age(entry),
        }
    }

    #[inline]
    pub(super) fn decode<T>(&self, entry: Entry<R::Value>) -> Result<Entry<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let value = self.store.codec.decode(&entry.value)?;
        Ok(entry.map(|_| value))
    }

    /// What a reader is told of what was found.
    fn answer<T>(&self, key: Key<'_>, found: Result<Option<T>>) -> Result<Option<T>> {
        match found {
            Ok(Some(found)) => {
                self.settings.tell(key, Event::Hit);
                return Ok(Some(found));
            }
            Ok(None) => {}
            Err(error) if self.is_corrupt(key, &error) => {}
            Err(error) if self.settings.carries_on(key, &error) => {}
            Err(error) => {
                self.settings.tell(key, Event::Failed(&error));
                return Err(error);
            }
        }
        self.settings.tell(key, Event::Miss);
        Ok(None)
    }

    /// Whether the error means damaged bytes, which are told and then taken for missing.
    pub(super) fn is_corrupt(&self, key: Key<'_>, error: &Error) -> bool {
        let corrupt = error.kind() == ErrorKind::Corrupt;
        if corrupt {
            self.settings.tell(key, Event::Corrupt(error));
        }
        corrupt
    }
}
