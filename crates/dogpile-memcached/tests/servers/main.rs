//! What a server holds: keys, values, sizes, times and leases, looked at from both sides.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::unwrap_in_result, clippy::print_stdout, reason = "this is for tests")]
#![allow(clippy::cast_possible_truncation, reason = "these numbers are small")]

mod content;
mod expiry;
mod format;
mod inspect;
mod leases;
#[cfg(feature = "classic")]
mod old;
mod sizes;
#[path = "../support/mod.rs"]
mod support;
mod trips;

use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::Region;
use dogpile_cache::codec::Json;
use dogpile_core::{Backend, Clock, Entry, Key, Result, SetOptions, SystemClock};
use dogpile_lock::Dogpile;
use dogpile_memcached::{Connect, Memcached};

use crate::support::Server;

type Cache = Region<Dogpile<Memcached>, Json>;

fn region(memcached: &Memcached) -> Cache {
    Region::new(Dogpile::leased(memcached.clone()), Json)
}

async fn made(value: u32) -> Result<u32, String> {
    Ok(value)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn open() -> (Server, Memcached) {
    let server = Server::start();
    let memcached = Memcached::connect(&server.url()).await.unwrap();
    (server, memcached)
}

/// One connection, so that what is counted on the wire is the same each time.
fn single() -> Connect {
    Connect::new().with_connections(1)
}

async fn put(memcached: &Memcached, key: Key<'_>, value: impl Into<Bytes>) -> Result<()> {
    let entry = Entry::new(SystemClock.now(), value.into());
    memcached.set_many(&[(key, entry)], &SetOptions::new()).await
}

async fn value(memcached: &Memcached, key: Key<'_>) -> Option<Bytes> {
    memcached.get(key).await.unwrap().map(|entry| entry.value)
}
