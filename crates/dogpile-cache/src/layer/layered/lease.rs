//! A layer around what leases.

use std::time::Duration;

use dogpile_core::{
    Answer, Ask, Entry, ErrorKind, Held, Key, Lease, LeaseBackend, Result, SetOptions,
};

use super::{Layered, Mapped, Transform, below};

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
