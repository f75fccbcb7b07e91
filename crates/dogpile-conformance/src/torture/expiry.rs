//! Entries that expire. The cache has to be built to expire [`Settings::expires_after`] a creation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::ledger::{Call, Ledger, call, number, outcome, sum_up};
use super::{Cache, Outcome, Settings};

/// `readers` read a key that expires again and again, for `read_for`. Due: after the first creation no
/// read is slow.
pub async fn expiry_stalls(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let ledger = Ledger::new();
    let until = ledger.began + settings.read_for;
    let mut readers = JoinSet::new();
    for _ in 0..settings.readers {
        let (cache, ledger, takes) = (Arc::clone(&cache), Arc::clone(&ledger), settings.creator);
        readers.spawn(async move {
            let mut calls: Vec<Call> = Vec::new();
            while Instant::now() < until {
                calls.push(call(&*cache, "expires", ledger.creator(takes)).await);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            calls
        });
    }
    let mut outcome = Outcome { scenario: "expiry_stalls", ..Outcome::default() };
    let mut calls = Vec::new();
    let deadline = tokio::time::Instant::from_std(until + settings.hung_after);
    loop {
        match tokio::time::timeout_at(deadline, readers.join_next()).await {
            Ok(Some(Ok(mut more))) => calls.append(&mut more),
            Ok(Some(Err(_))) => outcome.panics += 1,
            Ok(None) => break,
            Err(_) => {
                outcome.hung = readers.len();
                readers.detach_all();
                break;
            }
        }
    }
    if let Some(first) = ledger.first_ended() {
        calls.retain(|call| call.began > first);
    }
    outcome.calls = calls.len();
    outcome.creations = ledger.creations();
    outcome.slow = calls.iter().filter(|call| call.took > settings.slow).count();
    sum_up(&mut outcome, &ledger, &calls);
    outcome
}

/// `tasks` callers ask at once for one key that has expired. Due: one creation, everybody else gets
/// the previous value at once.
pub async fn one_expired_key(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let first = Ledger::new();
    let _ = call(&*cache, "expired", first.creator(Duration::ZERO)).await;
    tokio::time::sleep(settings.expires_after + Duration::from_millis(50)).await;
    let ledger = Ledger::new();
    let mut tasks = JoinSet::new();
    for _ in 0..settings.tasks {
        let next = |number: usize| Ok(number + 1);
        let (cache, create) = (Arc::clone(&cache), ledger.creator_of(settings.creator, next));
        tasks.spawn(async move { call(&*cache, "expired", create).await });
    }
    let (mut outcome, calls) =
        outcome("one_expired_key", &ledger, tasks, settings.hung_after).await;
    let stale = |call: &&Call| matches!(&call.answer, Some(Ok(value)) if number(value) == 0);
    outcome.stale = calls.iter().filter(stale).count();
    outcome
}
