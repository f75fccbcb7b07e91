//! `moka` under torture.

use std::sync::Arc;
use std::time::Duration;

use dogpile_conformance::torture::{Cache, Create, Value};
use dogpile_core::BoxFuture;

use super::failing;

struct Moka(moka::future::Cache<String, Value>);

pub(super) fn build(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    let mut builder = moka::future::Cache::builder().max_capacity(super::ROOM as u64);
    if let Some(d) = expires_after {
        builder = builder.time_to_live(d);
    }
    Some(Arc::new(Moka(builder.build())))
}

impl Moka {
    async fn ask<const N: usize>(&self, key: String, create: Create) -> Result<Value, String> {
        let answer = self.0.try_get_with(key, failing::<N>(create)).await;
        answer.map_err(|error| error.to_string())
    }
}

impl Cache for Moka {
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
