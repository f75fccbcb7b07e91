//! `cachekit-rs` under torture.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cachekit::backend::{Backend, HealthStatus};
use cachekit::{BackendError, CacheKit};
use dogpile_conformance::torture::{Cache, Create, Value};
use dogpile_core::BoxFuture;
use serde_bytes::ByteBuf;

struct CacheKitCache(CacheKit);

/// Its shortest expiry is one second.
pub(super) fn build(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    if expires_after.is_some() {
        return None;
    }
    let builder = CacheKit::builder().backend(Arc::new(InMemory::default()));
    let cache = builder.l1_capacity(super::ROOM).build().ok()?;
    Some(Arc::new(CacheKitCache(cache)))
}

/// The miss path that its macro writes.
impl Cache for CacheKitCache {
    fn get_or_create(&self, key: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            if let Some(value) = self.read(&key).await? {
                return Ok(value);
            }
            let mut flight = self.0.single_flight(&key).await;
            while flight.wait_for_fill().await {
                if let Some(value) = self.read(&key).await? {
                    flight.release().await;
                    return Ok(value);
                }
            }
            let value = create().await?;
            let stored = self.0.set(&key, &ByteBuf::from(value.to_vec())).await;
            flight.release().await;
            stored.map(|()| value).map_err(|error| error.to_string())
        })
    }
}

impl CacheKitCache {
    async fn read(&self, key: &str) -> Result<Option<Value>, String> {
        let found = self.0.get::<ByteBuf>(key).await.map_err(|error| error.to_string())?;
        Ok(found.map(|bytes| bytes.into_vec().into()))
    }
}

/// The backend behind its first tier: it cannot do without one.
#[derive(Default)]
struct InMemory(Mutex<HashMap<String, (Vec<u8>, Option<Instant>)>>);

impl InMemory {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, (Vec<u8>, Option<Instant>)>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Backend for InMemory {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BackendError> {
        let live = |until: &Option<Instant>| until.is_none_or(|until| Instant::now() < until);
        Ok(self.with(|map| {
            map.get(key).filter(|(_, until)| live(until)).map(|(bytes, _)| bytes.clone())
        }))
    }

    async fn set(
        &self,
        key: &str,
        value: Vec<u8>,
        ttl: Option<Duration>,
    ) -> Result<(), BackendError> {
        self.with(|map| map.insert(key.to_owned(), (value, ttl.map(|d| Instant::now() + d))));
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<bool, BackendError> {
        Ok(self.with(|map| map.remove(key)).is_some())
    }

    async fn exists(&self, key: &str) -> Result<bool, BackendError> {
        Ok(self.with(|map| map.contains_key(key)))
    }

    async fn health(&self) -> Result<HealthStatus, BackendError> {
        let backend_type = "memory".into();
        Ok(HealthStatus {
            is_healthy: true,
            latency_ms: 0.0,
            backend_type,
            details: HashMap::new(),
        })
    }
}
