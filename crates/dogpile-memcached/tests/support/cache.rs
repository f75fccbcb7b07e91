//! What the tests do with a cache on a server.

use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::Region;
use dogpile_cache::codec::Json;
use dogpile_core::{Backend, Clock, Entry, Key, Result, SetOptions, SystemClock};
use dogpile_lock::Dogpile;
use dogpile_memcached::Memcached;

pub type Cache = Region<Dogpile<Memcached>, Json>;

pub fn region(memcached: &Memcached) -> Cache {
    Region::new(Dogpile::leased(memcached.clone()), Json)
}

pub async fn made(value: u32) -> Result<u32, String> {
    Ok(value)
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub async fn put(memcached: &Memcached, key: Key<'_>, value: impl Into<Bytes>) -> Result<()> {
    let entry = Entry::new(SystemClock.now(), value.into());
    memcached.set_many(&[(key, entry)], &SetOptions::new()).await
}

pub async fn value(memcached: &Memcached, key: Key<'_>) -> Option<Bytes> {
    memcached.get(key).await.unwrap().map(|entry| entry.value)
}
