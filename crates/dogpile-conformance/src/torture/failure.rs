//! Creators that are given up, panic, fail, or ask for themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::ledger::{Call, Ledger, call, outcome};
use super::{Cache, Create, Outcome, Settings};

/// The first of `tasks` callers of a missing key is cancelled while it creates. Due: at most two
/// creations, one where creators are detached, and everybody else is served.
pub async fn leader_cancelled(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let ledger = Ledger::new();
    let mut tasks = JoinSet::new();
    let leader = {
        let (cache, create) = (Arc::clone(&cache), ledger.creator(settings.creator));
        tasks.spawn(async move { call(&*cache, "cancelled", create).await })
    };
    led(&ledger, settings.hung_after).await;
    for _ in 1..settings.tasks {
        let (cache, create) = (Arc::clone(&cache), ledger.creator(settings.creator));
        tasks.spawn(async move { call(&*cache, "cancelled", create).await });
    }
    tokio::time::sleep(settings.cancel_after).await;
    leader.abort();
    outcome("leader_cancelled", &ledger, tasks, settings.hung_after).await.0
}

/// The creator of the first of `tasks` callers panics. Due: an error of a type of its own for its
/// flight, or a new creator; nobody hangs.
pub async fn leader_panics(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let ledger = Ledger::new();
    let creator = || {
        ledger.creator_of(settings.creator, |number| match number {
            // Not `panic!`, whose hook would print a message for each.
            0 => std::panic::resume_unwind(Box::new("the creator panicked")),
            _ => Ok(number),
        })
    };
    let mut tasks = JoinSet::new();
    for task in 0..settings.tasks {
        let (cache, create) = (Arc::clone(&cache), creator());
        tasks.spawn(async move { call(&*cache, "panics", create).await });
        if task == 0 {
            led(&ledger, settings.hung_after).await;
        }
    }
    outcome("leader_panics", &ledger, tasks, settings.hung_after).await.0
}

/// The creator fails for `failing_tasks` callers at once. Due: one creation, and all are told hardly
/// later than it takes.
pub async fn creator_fails(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let ledger = Ledger::new();
    let mut tasks = JoinSet::new();
    for _ in 0..settings.failing_tasks {
        let fail = |_| Err("the database is down".to_owned());
        let (cache, create) = (Arc::clone(&cache), ledger.creator_of(settings.creator, fail));
        tasks.spawn(async move { call(&*cache, "fails", create).await });
    }
    outcome("creator_fails", &ledger, tasks, settings.hung_after).await.0
}

/// A creator asks for the key that it creates. Due: an error that says so; no hang.
pub async fn recursion(cache: Arc<dyn Cache>, settings: &Settings) -> Outcome {
    let ledger = Ledger::new();
    let mut tasks = JoinSet::new();
    let (inner, inner_ledger) = (Arc::clone(&cache), Arc::clone(&ledger));
    let create: Create = Box::new(move || {
        Box::pin(async move {
            let again = inner_ledger.creator(Duration::ZERO);
            inner.get_or_create("recursion".into(), again).await
        })
    });
    tasks.spawn(async move {
        let began = Instant::now();
        let answer = cache.get_or_create("recursion".into(), create).await;
        Call { began, took: began.elapsed(), answer: Some(answer) }
    });
    outcome("recursion", &ledger, tasks, settings.hung_after).await.0
}

/// Waits until the first creator has begun.
async fn led(ledger: &Ledger, at_most: Duration) {
    while ledger.creations() == 0 && ledger.began.elapsed() < at_most {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
