//! A backend whose plain names are fields of one group, so that a suite runs over a hash.

use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Entry, Held, Key, Lease, LeaseBackend, Result, SetOptions,
};
use dogpile_redis::Redis;

#[derive(Clone, Debug)]
pub(crate) struct Fields(pub(crate) Redis);

fn to_field(key: Key<'_>) -> Key<'_> {
    match key.group() {
        Some(_) => key,
        None => Key::field("all the names", key.as_bytes()),
    }
}

fn ask<'a>(ask: &Ask<'a>) -> Ask<'a> {
    Ask::new(to_field(ask.key), ask.freshness, ask.lease_for)
}

impl Backend for Fields {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        self.0.get(to_field(key)).await
    }
    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        let keys: Vec<_> = keys.iter().copied().map(to_field).collect();
        self.0.get_many(&keys).await
    }
    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        let items: Vec<_> =
            items.iter().map(|(key, entry)| (to_field(*key), entry.clone())).collect();
        self.0.set_many(&items, options).await
    }
    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let keys: Vec<_> = keys.iter().copied().map(to_field).collect();
        self.0.delete_many(&keys).await
    }
    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.0.delete_group(group).await
    }
}

impl LeaseBackend for Fields {
    async fn get_or_lease(&self, question: &Ask<'_>) -> Result<Answer<Bytes>> {
        self.0.get_or_lease(&ask(question)).await
    }
    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<Bytes>>> {
        let asks: Vec<_> = asks.iter().map(ask).collect();
        self.0.get_or_lease_many(&asks).await
    }
    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<Bytes>,
        options: &SetOptions,
    ) -> Result<Held> {
        self.0.fill(to_field(key), lease, entry, options).await
    }
    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let fills: Vec<_> = fills
            .iter()
            .map(|(key, lease, entry)| (to_field(*key), *lease, entry.clone()))
            .collect();
        self.0.fill_many(&fills, options).await
    }
    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        self.0.extend(to_field(key), lease, lease_for).await
    }
    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        self.0.release(to_field(key), lease).await
    }
    fn abandon(&self, key: Key<'_>, lease: Lease) {
        self.0.abandon(to_field(key), lease);
    }
    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        self.0.wait(to_field(key), at_most).await;
    }
    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        self.0.is_leased(to_field(key)).await
    }
}
