//! `quick_cache` under torture.

use std::sync::Arc;
use std::time::Duration;

use dogpile_conformance::torture::{Cache, Create, Value};
use dogpile_core::BoxFuture;

struct QuickCache(quick_cache::sync::Cache<String, Value>);

/// It knows no expiry.
pub(super) fn build(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    let cache = QuickCache(quick_cache::sync::Cache::new(super::ROOM));
    expires_after.is_none().then(|| Arc::new(cache) as Arc<dyn Cache>)
}

impl Cache for QuickCache {
    fn get_or_create(&self, key: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(
            async move { self.0.get_or_insert_async(&key, async move { create().await }).await },
        )
    }
}
