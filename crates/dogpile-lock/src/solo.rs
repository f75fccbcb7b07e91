//! A backend that leases to whoever asks.

use std::task::Poll;
use std::time::Duration;

use dogpile_core::{
    Age, Answer, Ask, Backend, Entry, Held, Key, Lease, LeaseBackend, Result, SetOptions,
};

use crate::damaged::{present, present_many};

/// A [`Backend`] of one process: what [`Dogpile::local`](crate::Dogpile::local) stands on.
///
/// It grants every lease, because the [`Dogpile`](crate::Dogpile) in front of it lets only one caller
/// ask. That is why only a `Dogpile` can make one.
#[derive(Clone, Debug)]
pub struct Solo<B>(pub(crate) B);

const ALWAYS: Lease = Lease::new(0);

impl<B> Solo<B> {
    /// The backend.
    pub const fn backend(&self) -> &B {
        &self.0
    }
}

impl<B: Backend> Solo<B> {
    fn answer(ask: &Ask<'_>, entry: Option<Entry<B::Value>>) -> Answer<B::Value> {
        match entry {
            Some(entry) => match ask.freshness.age(&entry) {
                Age::Fresh => Answer::Fresh(entry),
                Age::Stale => Answer::Create { lease: ALWAYS, stale: Some(entry) },
                Age::Dead => Answer::Create { lease: ALWAYS, stale: None },
            },
            None => Answer::Create { lease: ALWAYS, stale: None },
        }
    }
}

impl<B: Backend> Backend for Solo<B> {
    type Value = B::Value;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<B::Value>>> {
        self.0.get(key).await
    }

    #[inline]
    fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<B::Value>) -> T) -> Poll<Option<T>> {
        self.0.peek(key, look)
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<B::Value>>>> {
        self.0.get_many(keys).await
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<()> {
        self.0.set_many(items, options).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.0.delete_many(keys).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.0.delete_group(group).await
    }
}

impl<B: Backend> LeaseBackend for Solo<B> {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<B::Value>> {
        Ok(Self::answer(ask, present(self.0.get(ask.key).await)?))
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<B::Value>>> {
        let keys: Vec<_> = asks.iter().map(|ask| ask.key).collect();
        let entries = present_many(&self.0, &keys).await?;
        Ok(asks.iter().zip(entries).map(|(ask, entry)| Self::answer(ask, entry)).collect())
    }

    async fn fill(
        &self,
        key: Key<'_>,
        _: Lease,
        entry: Entry<B::Value>,
        options: &SetOptions,
    ) -> Result<Held> {
        self.0.set_many(&[(key, entry)], options).await.map(|()| Held::Kept)
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<B::Value>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let items: Vec<_> = fills.iter().map(|(key, _, entry)| (*key, entry.clone())).collect();
        self.0.set_many(&items, options).await?;
        Ok(vec![Held::Kept; items.len()])
    }

    async fn extend(&self, _: Key<'_>, _: Lease, _: Duration) -> Result<Held> {
        Ok(Held::Kept)
    }

    async fn release(&self, _: Key<'_>, _: Lease) -> Result<Held> {
        Ok(Held::Kept)
    }

    fn abandon(&self, _: Key<'_>, _: Lease) {}

    async fn wait(&self, _: Key<'_>, _: Duration) {}

    async fn is_leased(&self, _: Key<'_>) -> Result<bool> {
        Ok(false)
    }
}
