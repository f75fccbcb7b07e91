//! Who called, who created, and how long it took.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Cache, Create, Outcome, Value};

/// What the creators of a scenario write down.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) began: Instant,
    creations: AtomicUsize,
    first_ended: OnceLock<Instant>,
}

impl Ledger {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            creations: AtomicUsize::new(0),
            first_ended: OnceLock::new(),
        })
    }

    pub(super) fn creations(&self) -> usize {
        self.creations.load(Ordering::SeqCst)
    }

    /// When the first creation ended with a value.
    pub(super) fn first_ended(&self) -> Option<Instant> {
        self.first_ended.get().copied()
    }

    /// A creator that takes this long, and makes the number of its creation: 0 is the first.
    pub(super) fn creator(self: &Arc<Self>, takes: Duration) -> Create {
        self.creator_of(takes, Ok)
    }

    /// The same, with another end: it is told the number of its creation.
    pub(super) fn creator_of(
        self: &Arc<Self>,
        takes: Duration,
        end: impl FnOnce(usize) -> Result<usize, String> + Send + 'static,
    ) -> Create {
        let ledger = Arc::clone(self);
        Box::new(move || {
            Box::pin(async move {
                let number = ledger.creations.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(takes).await;
                let made = end(number)?;
                ledger.first_ended.get_or_init(Instant::now);
                Ok(made.to_le_bytes().into())
            })
        })
    }
}

/// The number of the creation that made a value.
pub(super) fn number(value: &Value) -> usize {
    value[..].try_into().map_or(usize::MAX, usize::from_le_bytes)
}

/// One call and its answer; `None` is a caller that gave up.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) began: Instant,
    pub(super) took: Duration,
    pub(super) answer: Option<Result<Value, String>>,
}

/// Calls a cache once.
pub(super) async fn call(cache: &dyn Cache, key: &str, create: Create) -> Call {
    let began = Instant::now();
    let answer = cache.get_or_create(key.to_owned(), create).await;
    Call { began, took: began.elapsed(), answer: Some(answer) }
}

/// Waits for calls, at most until `hung_after`, and counts them up.
pub(super) async fn outcome(
    scenario: &'static str,
    ledger: &Ledger,
    mut tasks: JoinSet<Call>,
    hung_after: Duration,
) -> (Outcome, Vec<Call>) {
    let mut outcome = Outcome { scenario, calls: tasks.len(), ..Outcome::default() };
    let deadline = tokio::time::Instant::from_std(ledger.began + hung_after);
    let mut calls = Vec::with_capacity(tasks.len());
    loop {
        match tokio::time::timeout_at(deadline, tasks.join_next()).await {
            Ok(Some(Ok(call))) => calls.push(call),
            Ok(Some(Err(error))) if error.is_cancelled() => outcome.gave_up += 1,
            Ok(Some(Err(_))) => outcome.panics += 1,
            Ok(None) => break,
            Err(_) => {
                outcome.hung = tasks.len();
                tasks.detach_all();
                break;
            }
        }
    }
    outcome.creations = ledger.creations();
    sum_up(&mut outcome, ledger, &calls);
    (outcome, calls)
}

/// Counts answers and sorts times.
pub(super) fn sum_up(outcome: &mut Outcome, ledger: &Ledger, calls: &[Call]) {
    for call in calls {
        match &call.answer {
            Some(Ok(_)) => outcome.served += 1,
            Some(Err(_)) => outcome.errors += 1,
            None => outcome.gave_up += 1,
        }
    }
    let end = calls.iter().map(|call| call.began + call.took).max().unwrap_or(ledger.began);
    outcome.last = end.saturating_duration_since(ledger.began);
    let mut times: Vec<_> = calls.iter().map(|call| call.took).collect();
    times.sort_unstable();
    let at =
        |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    let of = |share| at(share).copied().unwrap_or_default();
    (outcome.p50, outcome.p99, outcome.max) = (of(50), of(99), of(100));
}
