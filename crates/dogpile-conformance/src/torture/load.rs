//! Load that goes on.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::ledger::{Call, Ledger, call, outcome, sum_up};
use super::{Cache, Outcome, Settings};

/// One key is read over and over while `keys` others load all the time. Due: reads of a value that is
/// there do not notice.
pub async fn hot_key_while_others_load(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let (ledger, hot) = (Ledger::new(), Ledger::new());
    let _ = call(&*cache, "hot", hot.creator(std::time::Duration::ZERO)).await;
    let until = Instant::now() + settings.hot_for;
    let mut loaders = JoinSet::new();
    for loader in 0..settings.keys {
        let (cache, ledger, takes) = (Arc::clone(&cache), Arc::clone(&ledger), settings.creator);
        loaders.spawn(async move {
            for round in 0.. {
                if Instant::now() >= until {
                    break;
                }
                let _ =
                    call(&*cache, &format!("other {loader} {round}"), ledger.creator(takes)).await;
            }
        });
    }
    let (reader_cache, reader_ledger, takes) =
        (Arc::clone(&cache), Arc::clone(&hot), settings.creator);
    let reader = tokio::spawn(async move {
        let mut calls = Vec::new();
        while Instant::now() < until {
            calls.push(call(&*reader_cache, "hot", reader_ledger.creator(takes)).await);
            tokio::task::yield_now().await;
        }
        calls
    });
    let mut outcome = Outcome { scenario: "hot_key_while_others_load", ..Outcome::default() };
    match tokio::time::timeout(settings.hung_after, reader).await {
        Ok(Ok(calls)) => {
            outcome.calls = calls.len();
            sum_up(&mut outcome, &ledger, &calls);
        }
        Ok(Err(_)) => outcome.panics = 1,
        Err(_) => outcome.hung = 1,
    }
    outcome.creations = hot.creations();
    outcome
}

/// `tasks` calls, spread over `storm`, of a creator that takes longer than the callers wait: what
/// request timeouts do to a slow database. Due: one creation goes on and serves all that come after
/// it.
pub async fn storm(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let ledger = Ledger::new();
    let mut tasks = JoinSet::new();
    for task in 0..settings.tasks {
        let due = settings.storm * u32::try_from(task).unwrap_or(u32::MAX)
            / u32::try_from(settings.tasks).unwrap_or(u32::MAX);
        let (cache, create) = (Arc::clone(&cache), ledger.creator(settings.creator));
        let (due, patience) = (ledger.began + due, settings.patience);
        tasks.spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            let began = Instant::now();
            match tokio::time::timeout(patience, call(&*cache, "storm", create)).await {
                Ok(call) => call,
                Err(_) => Call { began, took: began.elapsed(), answer: None },
            }
        });
    }
    let (mut outcome, calls) = outcome("storm", &ledger, tasks, settings.hung_after).await;
    if let Some(ended) = ledger.first_ended() {
        let late: Vec<_> = calls.iter().filter(|call| call.began > ended).collect();
        outcome.late_calls = late.len();
        outcome.late_served = late.iter().filter(|call| matches!(call.answer, Some(Ok(_)))).count();
    }
    outcome
}
