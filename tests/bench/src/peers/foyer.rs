//! `foyer-memory` under torture.

use std::sync::Arc;
use std::time::Duration;

use dogpile_conformance::torture::{Cache, Create, Value};
use dogpile_core::BoxFuture;
use foyer_memory::CacheBuilder;

use super::failing;

struct Foyer(foyer_memory::Cache<String, Value>);

/// It knows no expiry.
pub(super) fn build(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    let cache = || Foyer(CacheBuilder::new(super::ROOM).build());
    expires_after.is_none().then(|| Arc::new(cache()) as Arc<dyn Cache>)
}

impl Cache for Foyer {
    fn get_or_create(&self, key: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            let answer = self.0.get_or_fetch(&key, move || failing::<0>(create)).await;
            answer.map(|entry| Arc::clone(entry.value())).map_err(|error| error.to_string())
        })
    }
}
