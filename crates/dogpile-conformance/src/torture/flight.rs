//! Many callers, and creators that do their work.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::ledger::{Call, Ledger, call, outcome};
use super::{Cache, Outcome, Settings};

/// `tasks` callers ask at once for one missing key. Due: one creation, and the last caller served
/// hardly later than the creator takes.
pub async fn one_missing_key(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let ledger = Ledger::new();
    let mut tasks = JoinSet::new();
    for _ in 0..settings.tasks {
        let (cache, create) = (Arc::clone(&cache), ledger.creator(settings.creator));
        tasks.spawn(async move { call(&*cache, "missing", create).await });
    }
    outcome("one_missing_key", &ledger, tasks, settings.hung_after).await.0
}

/// `keys` callers ask at once for as many keys. Due: no key waits for another.
pub async fn distinct_keys(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let ledger = Ledger::new();
    let mut tasks = JoinSet::new();
    for key in 0..settings.keys {
        let (cache, create) = (Arc::clone(&cache), ledger.creator(settings.creator));
        tasks.spawn(async move { call(&*cache, &format!("key {key}"), create).await });
    }
    outcome("distinct_keys", &ledger, tasks, settings.hung_after).await.0
}

/// Three callers with different error types ask at once for one missing key. Due: one creation. `None`
/// where the cache has one error type.
pub async fn different_error_types(cache: Arc<dyn Cache>, settings: &Settings) -> Option<Outcome> {
    let ledger = Ledger::new();
    let expressible =
        cache.get_or_create_as(0, "unused".into(), ledger.creator(settings.creator)).is_some();
    if !expressible {
        return None;
    }
    let mut tasks = JoinSet::new();
    for error_type in 0..3 {
        let (cache, create) = (Arc::clone(&cache), ledger.creator(settings.creator));
        tasks.spawn(async move {
            let began = std::time::Instant::now();
            let answer = match cache.get_or_create_as(error_type, "typed".into(), create) {
                Some(answer) => answer.await,
                None => Err("the cache has no such error type".into()),
            };
            Call { began, took: began.elapsed(), answer: Some(answer) }
        });
    }
    Some(outcome("different_error_types", &ledger, tasks, settings.hung_after).await.0)
}
