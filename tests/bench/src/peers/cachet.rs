//! `cachet` under torture.

use std::sync::Arc;
use std::time::Duration;

use dogpile_conformance::torture::{Cache, Create, Value};
use dogpile_core::BoxFuture;

use super::failing;

struct Cachet(cachet::Cache<String, Value>);

pub(super) fn build(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    let mut builder = cachet::Cache::builder::<String, Value>(tick::Clock::new_tokio())
        .memory_with(|memory| memory.max_capacity(super::ROOM as u64))
        .stampede_protection();
    if let Some(d) = expires_after {
        builder = builder.ttl(d);
    }
    Some(Arc::new(Cachet(builder.build())))
}

impl Cachet {
    async fn ask<const N: usize>(&self, key: String, create: Create) -> Result<Value, String> {
        let answer = self.0.try_get_or_insert(&key, move || failing::<N>(create)).await;
        answer.map(|entry| Arc::clone(entry.value())).map_err(|error| error.to_string())
    }
}

impl Cache for Cachet {
    fn get_or_create(&self, key: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(self.ask::<0>(key, create))
    }

    fn get_or_create_as(
        &self,
        error_type: usize,
        key: String,
        create: Create,
    ) -> Option<BoxFuture<'_, Result<Value, String>>> {
        Some(match error_type {
            0 => Box::pin(self.ask::<0>(key, create)),
            1 => Box::pin(self.ask::<1>(key, create)),
            _ => Box::pin(self.ask::<2>(key, create)),
        })
    }
}
