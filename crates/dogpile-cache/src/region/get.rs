//! Reading what is there.

use std::task::Poll;

use dogpile_core::{
    Age, Codec, Entry, Error, ErrorKind, Key, Policy, RECENT_LAG, ReadThrough, Result, ToKey,
};

use super::{CallOptions, Event, Expiry, Region};
use crate::all::all;

impl<R: ReadThrough, C> Region<R, C> {
    /// The value of a key, if there is a fresh one.
    ///
    /// # Errors
    /// What the backend fails with, unless the region [carries on](crate::WhenDown::Miss).
    pub async fn get<T>(&self, key: impl ToKey) -> Result<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        match self.at_hand_of(&key, None) {
            Poll::Ready(Some(value)) => Ok(Some(value)),
            Poll::Ready(None) => {
                self.tell_miss(&key);
                Ok(None)
            }
            // Boxed, so that a hit moves no future that is only there for the others.
            Poll::Pending => Box::pin(self.get_with(key, CallOptions::new())).await,
        }
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
        let built = key.to_key();
        let placed = self.place(&built);
        let key = placed.as_key();
        let found = self.find(key, options.expiry, options.ignore_expiry).await;
        self.answer(key, found.and_then(|entry| entry.map(|entry| self.decode(entry)).transpose()))
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
        let placed: Vec<_> = built.iter().map(|key| self.place(key)).collect();
        let keys: Vec<_> = placed.iter().map(|key| key.as_key()).collect();
        let found = self.find_many(&keys, options.expiry, options.ignore_expiry).await;
        let answers = keys.iter().zip(found).map(|(key, found)| self.answer(*key, found));
        answers.collect()
    }

    /// The entry under a key of the store, if it is to be served.
    #[inline]
    async fn find(
        &self,
        key: Key<'_>,
        expiry: Option<Expiry>,
        ignore_expiry: bool,
    ) -> Result<Option<Entry<R::Value>>> {
        let settings = &*self.settings;
        let barrier = match settings.barriers.known(key.group(), &*settings.clock) {
            Some(barrier) => barrier,
            None => Box::pin(settings.barriers.read(key.group(), &*settings.clock)).await?,
        };
        let policy = settings.policy(key, expiry, barrier);
        let found = self.store.backend.get(key).await?;
        Ok(found.filter(|entry| self.accepts(&policy, ignore_expiry, entry)))
    }

    /// The value under a key of the store, if it is to be served.
    pub(super) async fn find_value<T>(
        &self,
        key: Key<'_>,
        expiry: Option<Expiry>,
        ignore_expiry: bool,
    ) -> Result<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let found = self.find(key, expiry, ignore_expiry).await?;
        self.decode_some(found.map(|entry| entry.value))
    }

    /// The same for many; one that fails does not fail the others.
    pub(super) async fn find_many<T>(
        &self,
        keys: &[Key<'_>],
        expiry: Option<Expiry>,
        ignore_expiry: bool,
    ) -> Vec<Result<Option<T>>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        if keys.is_empty() {
            return Vec::new();
        }
        let all_fail = |error: Error| keys.iter().map(|_| Err(error.clone())).collect();
        let mut policies = Vec::with_capacity(keys.len());
        for key in keys {
            match self.barrier(key.group()).await {
                Ok(barrier) => policies.push(self.settings.policy(*key, expiry, barrier)),
                Err(error) => return all_fail(error),
            }
        }
        let entries = match self.store.backend.get_many(keys).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                // One that is damaged hides the others: each by itself, all at once.
                let each = keys.iter().map(|key| self.find_value(*key, expiry, ignore_expiry));
                return all(each).await;
            }
            Err(error) => return all_fail(error),
        };
        let found = policies.iter().zip(entries).map(|(policy, entry)| {
            let entry = entry.filter(|entry| self.accepts(policy, ignore_expiry, entry));
            self.decode_some(entry.map(|entry| entry.value))
        });
        found.collect()
    }

    /// Whether a reader takes this entry. The exact time is asked for only if the cheap one leaves a
    /// doubt.
    #[inline]
    fn accepts(&self, policy: &Policy, ignore_expiry: bool, entry: &Entry<R::Value>) -> bool {
        if ignore_expiry {
            return policy.version() == Some(entry.version);
        }
        let clock = &self.settings.clock;
        policy.at(clock.recent().plus(RECENT_LAG)).age(entry) == Age::Fresh
            || policy.at(clock.now()).age(entry) == Age::Fresh
    }

    fn decode<T>(&self, entry: Entry<R::Value>) -> Result<Entry<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let value = self.store.codec.decode(&entry.value)?;
        Ok(entry.map(|_| value))
    }

    #[inline]
    fn decode_some<T>(&self, stored: Option<R::Value>) -> Result<Option<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        stored.map(|stored| self.store.codec.decode(&stored)).transpose()
    }

    /// The value of a key, if it lies fresh in this process: the whole of a hit, without a future.
    #[cfg(feature = "macros")]
    #[inline]
    pub(crate) fn hit_at_hand<T>(
        &self,
        key: Key<'_>,
        call: Option<&CallOptions<'_, T>>,
    ) -> Option<T>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let at_hand = match self.settings.space.is_bare() {
            true => self.at_hand(key, call),
            false => self.at_hand(self.settings.space.place(key).as_key(), call),
        };
        match at_hand {
            Poll::Ready(value) => value,
            Poll::Pending => None,
        }
    }

    fn tell_miss(&self, key: &impl ToKey) {
        if self.settings.observer.is_some() {
            self.settings.tell(self.place(&key.to_key()).as_key(), Event::Miss);
        }
    }

    /// What a reader is told of what was found.
    #[inline]
    fn answer<T>(&self, key: Key<'_>, found: Result<Option<T>>) -> Result<Option<T>> {
        if let Ok(Some(found)) = found {
            self.settings.tell(key, Event::Hit);
            return Ok(Some(found));
        }
        self.answer_nothing(key, found.err())
    }

    fn answer_nothing<T>(&self, key: Key<'_>, error: Option<Error>) -> Result<Option<T>> {
        match error {
            None => {}
            Some(error) if self.is_corrupt(key, &error) => {}
            Some(error) if self.settings.carries_on(key, &error) => {}
            Some(error) => return Err(self.failed(key, error)),
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
