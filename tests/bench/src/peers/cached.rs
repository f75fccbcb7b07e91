//! `cached` under torture.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cached::macros::cached;
use dogpile_conformance::torture::{Cache, Create, Value};
use dogpile_core::BoxFuture;

/// The macro's caches are statics, so each cache of ours is a prefix of its keys.
struct Cached {
    number: usize,
    expires: bool,
}

/// Its expiry is part of the program: 200 ms, as the scenarios have it.
pub(super) fn build(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    static BUILT: AtomicUsize = AtomicUsize::new(0);
    if expires_after.is_some_and(|d| d != Duration::from_millis(200)) {
        return None;
    }
    let number = BUILT.fetch_add(1, Ordering::Relaxed);
    Some(Arc::new(Cached { number, expires: expires_after.is_some() }))
}

#[cached(max_size = 10_000, key = "String", convert = { _key.clone() }, sync_writes = "by_key")]
async fn for_ever(_key: String, create: Create) -> Result<Value, String> {
    create().await
}

#[cached(
    max_size = 10_000,
    ttl_millis = 200,
    key = "String",
    convert = { _key.clone() },
    sync_writes = "by_key"
)]
async fn for_a_while(_key: String, create: Create) -> Result<Value, String> {
    create().await
}

impl Cache for Cached {
    fn get_or_create(&self, key: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
        let key = format!("{}:{key}", self.number);
        match self.expires {
            true => Box::pin(for_a_while(key, create)),
            false => Box::pin(for_ever(key, create)),
        }
    }
}
