//! Two tiers that lease.

use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Entry, Held, Key, Lease, LeaseBackend, Result, SetOptions,
};

use super::{Tiered, missing};

impl<N, F> LeaseBackend for Tiered<N, F>
where
    N: Backend<Value = Bytes>,
    F: LeaseBackend<Value = Bytes>,
{
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<Bytes>> {
        if let Some(entry) = self.near(ask.key, &ask.freshness).await {
            return Ok(Answer::Fresh(entry));
        }
        let epoch = self.epochs.now(ask.key);
        let answer = self.far.get_or_lease(ask).await?;
        if let Answer::Fresh(entry) = &answer {
            self.bring_near(vec![(ask.key, epoch, entry)]).await;
        }
        Ok(answer)
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<Bytes>>> {
        let near = self.near_many(asks.iter().map(|ask| (ask.key, ask.freshness))).await;
        let far: Vec<_> = missing(&near).map(|at| asks[at]).collect();
        let epochs: Vec<_> = far.iter().map(|ask| self.epochs.now(ask.key)).collect();
        let answers = match far.is_empty() {
            true => Vec::new(),
            false => self.far.get_or_lease_many(&far).await?,
        };
        let news = far.iter().zip(&epochs).zip(&answers);
        let fresh = news.filter_map(|((ask, epoch), answer)| match answer {
            Answer::Fresh(entry) => Some((ask.key, *epoch, entry)),
            Answer::Create { .. } | Answer::Busy { .. } => None,
        });
        self.bring_near(fresh.collect()).await;
        let mut answers = answers.into_iter();
        Ok(near
            .into_iter()
            .filter_map(|e| e.map(Answer::Fresh).or_else(|| answers.next()))
            .collect())
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<Bytes>,
        options: &SetOptions,
    ) -> Result<Held> {
        let write = self.epochs.write_keys(std::iter::once(key));
        let held = self.far.fill(key, lease, entry.clone(), options).await?;
        if held == Held::Kept {
            self.bring_written(write, std::iter::once((key, &entry))).await;
        }
        Ok(held)
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let write = self.epochs.write_keys(fills.iter().map(|(key, ..)| *key));
        let held = self.far.fill_many(fills, options).await?;
        let kept = fills.iter().zip(&held).filter(|(_, held)| **held == Held::Kept);
        self.bring_written(write, kept.map(|((key, _, entry), _)| (*key, entry))).await;
        Ok(held)
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.far.extend(key, lease, lease_for).await
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.far.release(key, lease).await
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.far.abandon(key, lease);
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        self.far.wait(key, at_most).await;
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        self.far.is_leased(key).await
    }
}
