//! `amalgam-cache` under torture.

use std::sync::Arc;
use std::time::Duration;

use amalgam::{EntryOptions, Timeout};
use dogpile_conformance::torture::{Cache, Create, Value};
use dogpile_core::BoxFuture;

use super::failing;

struct Amalgam(amalgam::Cache<Value>);

/// Unbounded: its insertions into a full cache take longer than the scenarios. What expires stays as a
/// stale value, which is served when a creation takes longer than a millisecond.
pub(super) fn build(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    let mut options = EntryOptions::new(expires_after.unwrap_or(Duration::from_secs(3600)));
    if expires_after.is_some() {
        let soft = Timeout::After(Duration::from_millis(1));
        options = options
            .with_fail_safe(true, Some(Duration::from_secs(3600)), None)
            .with_factory_timeouts(soft, Timeout::Infinite, true);
    }
    let cache = amalgam::Cache::builder().default_options(options).try_build().ok()?;
    Some(Arc::new(Amalgam(cache)))
}

impl Amalgam {
    async fn ask<const N: usize>(&self, key: String, create: Create) -> Result<Value, String> {
        let answer = self
            .0
            .get_or_set(key, move |_: amalgam::FactoryContext<Value>| failing::<N>(create))
            .await;
        answer.map_err(|error| error.to_string())
    }
}

impl Cache for Amalgam {
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
