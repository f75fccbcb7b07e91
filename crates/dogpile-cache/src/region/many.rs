//! Reading many values of which some are created.

#![expect(
    clippy::manual_async_fn,
    reason = "the compiler cannot see that an `async fn` with a borrowing creator is Send; it is told"
)]

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Mutex, PoisonError};

use dogpile_core::{Codec, Error, ErrorKind, Key, Made, ReadThrough, Result, Served, ToKey};
use foldhash::fast::RandomState;

use super::barrier::Barrier;
use super::{CallOptions, Event, Region, part};
use crate::key::Placed;

impl<R: ReadThrough, C> Region<R, C> {
    /// The values of many keys, in their order. `create` is called with those that are missing and
    /// that nobody else is creating, and answers their values in the same order.
    ///
    /// Each missing key is created once, however many callers ask for overlapping sets. `create` is
    /// called again only for keys that another caller gave up.
    ///
    /// ```
    /// # use dogpile_cache::{Region, ReadThrough, codec::Shared, codec::Object};
    /// # async fn example(region: Region<impl ReadThrough<Value = Object>, Shared>) -> Result<(), dogpile_cache::Error> {
    /// let lengths: Vec<usize> = region
    ///     .get_or_create_many(&["one", "three"], |missing| async move {
    ///         Ok::<_, std::io::Error>(missing.iter().map(|word| word.len()).collect())
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create); a creator that answers too few or too many values
    /// is [`ErrorKind::Creation`] too.
    pub fn get_or_create_many<'k, T, K, F, Fut, E>(
        &self,
        keys: &'k [K],
        create: F,
    ) -> impl Future<Output = Result<Vec<T>>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        K: ToKey + Sync,
        F: FnMut(Vec<&'k K>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<T>, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move { self.get_or_create_many_with(keys, CallOptions::new(), create).await }
    }

    /// The same, with options of this call.
    ///
    /// # Errors
    /// As [`get_or_create_many`](Self::get_or_create_many).
    pub fn get_or_create_many_with<'k, T, K, F, Fut, E>(
        &self,
        keys: &'k [K],
        options: CallOptions<'_, T>,
        mut create: F,
    ) -> impl Future<Output = Result<Vec<T>>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        K: ToKey + Sync,
        F: FnMut(Vec<&'k K>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<T>, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move {
            let built: Vec<_> = keys.iter().map(ToKey::to_key).collect();
            let placed: Vec<_> = built.iter().map(|key| self.place(key)).collect();
            let mut wanted = Wanted::new(keys, &placed);
            let by_key = options.ignore_expiry || self.settings.options.jitter > 0.0;
            let mut alone = by_key && self.take_what_is_there(&mut wanted, &options).await?;
            for last in [false, false, true] {
                let missing = wanted.missing();
                if missing.is_empty() {
                    break;
                }
                if !alone {
                    alone = self
                        .read_missing(&mut wanted, &missing, &options, &mut create, last)
                        .await?;
                }
                if alone {
                    self.create_alone(&mut wanted, &mut create).await?;
                }
            }
            self.in_order(wanted)
        }
    }

    /// Takes what a plain read finds; for rules that differ from key to key. Answers whether the
    /// backend is down and the region carries on.
    async fn take_what_is_there<K, T>(
        &self,
        wanted: &mut Wanted<'_, '_, K, T>,
        call: &CallOptions<'_, T>,
    ) -> Result<bool>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let keys: Vec<_> = wanted.items.iter().map(|item| item.key).collect();
        let found = self.find_many(&keys, call.expiry, call.ignore_expiry).await;
        for (item, found) in wanted.items.iter_mut().zip(found) {
            match found {
                Ok(Some(value)) => {
                    self.settings.tell(item.key, Event::Hit);
                    item.value = Some(value);
                }
                Ok(None) => {}
                // Met again, and dealt with, by what creates.
                Err(error) if error.kind() == ErrorKind::Corrupt => {}
                Err(error) if self.settings.carries_on(item.key, &error) => return Ok(true),
                Err(error) => return Err(self.failed(item.key, error)),
            }
        }
        Ok(false)
    }

    /// Asks the store for these items, which creates what it has to. Damaged entries are deleted and
    /// stay missing. Answers whether the backend is down and the region carries on.
    async fn read_missing<'k, K, T, F, Fut, E>(
        &self,
        wanted: &mut Wanted<'k, '_, K, T>,
        missing: &[usize],
        call: &CallOptions<'_, T>,
        create: &mut F,
        last: bool,
    ) -> Result<bool>
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        K: Sync,
        F: FnMut(Vec<&'k K>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<T>, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let first = wanted.items[missing[0]].key;
        let mut batches: Vec<(Barrier, Vec<usize>)> = Vec::new();
        for &at in missing {
            let barrier = match self.barrier(wanted.items[at].key.group()).await {
                Ok(barrier) => barrier,
                Err(error) if self.settings.carries_on(first, &error) => return Ok(true),
                Err(error) => return Err(self.failed(first, error)),
            };
            match batches.iter_mut().find(|(known, _)| *known == barrier) {
                Some((_, batch)) => batch.push(at),
                None => batches.push((barrier, vec![at])),
            }
        }
        let mut damaged = Vec::new();
        let began = self.settings.clock.now();
        for (barrier, batch) in batches {
            match self.read_batch(wanted, &batch, barrier, call, create).await {
                Ok(served) => {
                    for (at, served) in batch.into_iter().zip(served) {
                        let item = &mut wanted.items[at];
                        if item.value.is_some() {
                            continue;
                        }
                        match self.store.codec.decode(&served.entry.value) {
                            Ok(value) => {
                                self.settings.tell_served(item.key, served.by, began);
                                item.value = Some(value);
                            }
                            Err(error) if self.is_corrupt(item.key, &error) && !last => {
                                damaged.push(item.key);
                            }
                            Err(error) => return Err(self.failed(item.key, error)),
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::Corrupt && !last => {
                    let keys: Vec<_> = batch.iter().map(|at| wanted.items[*at].key).collect();
                    let found = self.find_many::<T>(&keys, None, true).await;
                    for (key, found) in keys.into_iter().zip(found) {
                        if let Err(error) = found
                            && self.is_corrupt(key, &error)
                        {
                            damaged.push(key);
                        }
                    }
                }
                Err(error) if self.settings.carries_on(first, &error) => return Ok(true),
                Err(error) => return Err(self.failed(first, error)),
            }
        }
        self.forget(&damaged).await?;
        Ok(false)
    }

    /// One question to the store, for keys that share a barrier. Created values are put aside.
    async fn read_batch<'k, K, T, F, Fut, E>(
        &self,
        wanted: &mut Wanted<'k, '_, K, T>,
        batch: &[usize],
        barrier: Barrier,
        call: &CallOptions<'_, T>,
        create: &mut F,
    ) -> Result<Vec<Served<R::Value>>>
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        K: Sync,
        F: FnMut(Vec<&'k K>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<T>, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let keys: Vec<Key<'_>> = batch.iter().map(|at| wanted.items[*at].key).collect();
        let sources: Vec<&'k K> = batch.iter().map(|at| wanted.items[*at].source).collect();
        let options = &self.settings.options;
        // Jitter differs from key to key; the shortest is right for keys already found too old.
        let expiry = call.expiry.unwrap_or(options.expiry);
        let fresh_for = expiry.duration().map(|d| part(d, 1.0 - options.jitter));
        let policy = self.settings.policy_for(fresh_for, barrier);
        let request = self.request_by(keys[0], Some(call), policy);
        let made = Mutex::new(Vec::new());
        let (keys, aside) = (&keys, &made);
        let served = self.store.backend.read_through_many(keys, &request, |turn| {
            let started = self.settings.clock.now();
            let before: Vec<Barrier> = turn
                .iter()
                .map(|&at| self.settings.barriers.present(keys[at].group()).max(barrier))
                .collect();
            let creating = create(turn.iter().map(|&at| sources[at]).collect());
            async move {
                let values = creating.await.map_err(Error::from_creator)?;
                let finished = self.settings.clock.now();
                let values = counted(values, turn.len())?;
                let mut all = Vec::with_capacity(values.len());
                for ((at, value), before) in turn.into_iter().zip(values).zip(before) {
                    let key = keys[at];
                    self.settings.tell(key, Event::Created { took: finished.since(started) });
                    let settings = &*self.settings;
                    let after = settings.barriers.read(key.group(), &*settings.clock).await;
                    let stamp = self.stamp(key, before, after, finished);
                    all.push(self.pack(key, Some(call), &value, &stamp)?);
                    aside.lock().unwrap_or_else(PoisonError::into_inner).push((at, value));
                }
                Ok::<Vec<Made<R::Value>>, Error>(all)
            }
        });
        let served = served.await;
        for (at, value) in made.into_inner().unwrap_or_else(PoisonError::into_inner) {
            wanted.items[batch[at]].value = Some(value);
        }
        served
    }

    /// Creates what is missing without the store, which is down.
    async fn create_alone<'k, K, T, F, Fut, E>(
        &self,
        wanted: &mut Wanted<'k, '_, K, T>,
        create: &mut F,
    ) -> Result<()>
    where
        F: FnMut(Vec<&'k K>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<T>, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let missing = wanted.missing();
        let Some(&first) = missing.first() else { return Ok(()) };
        let sources: Vec<&'k K> = missing.iter().map(|at| wanted.items[*at].source).collect();
        let started = self.settings.clock.now();
        let values = create(sources).await.map_err(Error::from_creator);
        let values = values
            .and_then(|values| counted(values, missing.len()))
            .map_err(|error| self.failed(wanted.items[first].key, error))?;
        let took = self.settings.clock.now().since(started);
        for (at, value) in missing.into_iter().zip(values) {
            self.settings.tell(wanted.items[at].key, Event::Created { took });
            wanted.items[at].value = Some(value);
        }
        Ok(())
    }

    /// The values in the order of the keys; a key asked for twice is answered twice.
    fn in_order<K, T>(&self, wanted: Wanted<'_, '_, K, T>) -> Result<Vec<T>>
    where
        C: Codec<T, Stored = R::Value>,
    {
        let mut answers: Vec<Option<T>> = Vec::new();
        answers.resize_with(wanted.count, || None);
        for item in wanted.items {
            let value = item.value.ok_or_else(|| {
                Error::new(ErrorKind::Unavailable, "the store answered none of three readings")
            })?;
            for place in item.repeated {
                let stored = self.store.codec.encode(&value)?;
                answers[place] = Some(self.store.codec.decode(&stored)?);
            }
            answers[item.place] = Some(value);
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

/// The distinct keys of a call, and what is known of each.
struct Wanted<'k, 'p, K, T> {
    items: Vec<Item<'k, 'p, K, T>>,
    count: usize,
}

struct Item<'k, 'p, K, T> {
    key: Key<'p>,
    source: &'k K,
    /// Where it was asked for, and where else, if it was asked for more than once.
    place: usize,
    repeated: Vec<usize>,
    value: Option<T>,
}

impl<'k, 'p, K, T> Wanted<'k, 'p, K, T> {
    fn new(keys: &'k [K], placed: &'p [Placed<'_>]) -> Self {
        let mut items: Vec<Item<'k, 'p, K, T>> = Vec::with_capacity(keys.len());
        let mut known = HashMap::with_capacity_and_hasher(keys.len(), RandomState::default());
        for (place, (source, placed)) in keys.iter().zip(placed).enumerate() {
            let key = placed.as_key();
            let at = *known.entry(key).or_insert(items.len());
            match items.get_mut(at) {
                Some(item) => item.repeated.push(place),
                None => items.push(Item { key, source, place, repeated: Vec::new(), value: None }),
            }
        }
        Self { items, count: keys.len() }
    }

    fn missing(&self) -> Vec<usize> {
        (0..self.items.len()).filter(|at| self.items[*at].value.is_none()).collect()
    }
}

fn counted<T>(values: Vec<T>, wanted: usize) -> Result<Vec<T>> {
    match values.len() {
        made if made == wanted => Ok(values),
        made => Err(Error::new(
            ErrorKind::Creation,
            format!(
                "the creator was asked for {wanted} values and answered {made}; it has to answer one for each key, in their order"
            ),
        )),
    }
}
