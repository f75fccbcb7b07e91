//! A heartbeat keeps its pace while the lock does not answer it.
#![allow(clippy::unwrap_in_result, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile_core::{Backend, Held, Key, Lease, Lock, ReadThrough, Result, ServedBy};
use dogpile_lock::Dogpile;
use support::{Map, clock, made, request};
use tokio::time::{Instant, sleep};

const LEASE: Duration = Duration::from_secs(6);

/// The lock of one key, by the clock of the runtime. Some of the calls to extend it get no answer.
#[derive(Clone, Debug)]
struct Unanswering {
    ends: Arc<Mutex<Option<Instant>>>,
    extended: Arc<AtomicUsize>,
    unanswered: HashSet<usize>,
}

impl Unanswering {
    fn new(unanswered: impl IntoIterator<Item = usize>) -> Self {
        let unanswered = unanswered.into_iter().collect();
        Self { ends: Arc::default(), extended: Arc::default(), unanswered }
    }

    fn is_held(&self) -> bool {
        self.ends.lock().unwrap().is_some_and(|ends| Instant::now() < ends)
    }

    fn end_at(&self, ends: Option<Instant>) -> Held {
        let held = if self.is_held() { Held::Kept } else { Held::Lost };
        if held == Held::Kept {
            *self.ends.lock().unwrap() = ends;
        }
        held
    }
}

impl Lock for Unanswering {
    async fn try_lock(&self, _: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        if self.is_held() {
            return Ok(None);
        }
        *self.ends.lock().unwrap() = Some(Instant::now() + lease_for);
        Ok(Some(Lease::new(1)))
    }

    async fn extend(&self, _: Key<'_>, _: Lease, lease_for: Duration) -> Result<Held> {
        if self.unanswered.contains(&self.extended.fetch_add(1, Ordering::SeqCst)) {
            std::future::pending::<()>().await;
        }
        Ok(self.end_at(Some(Instant::now() + lease_for)))
    }

    async fn unlock(&self, _: Key<'_>, _: Lease) -> Result<Held> {
        Ok(self.end_at(None))
    }

    async fn revoke(&self, _: &[Key<'_>]) -> Result<()> {
        let _ = self.end_at(None);
        Ok(())
    }

    async fn revoke_group(&self, _: &[u8]) -> Result<()> {
        self.revoke(&[]).await
    }

    fn abandon(&self, _: Key<'_>, _: Lease) {
        let _ = self.end_at(None);
    }

    async fn wait(&self, _: Key<'_>, at_most: Duration) {
        sleep(at_most).await;
    }

    async fn is_locked(&self, _: Key<'_>) -> Result<bool> {
        Ok(self.is_held())
    }
}

/// Creates for so long. Whether the value was stored, and how often the lease was said to be lost.
async fn create_for(took: Duration, lock: Unanswering) -> (bool, usize) {
    let (map, lost) = (Map::default(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&lost);
    let dogpile = Dogpile::with_lock(map.clone(), lock)
        .with_on_lost_lease(move |_| _ = counted.fetch_add(1, Ordering::SeqCst));
    let (clock, began) = (clock(), Instant::now());
    let request = request("k", &clock).with_lease_for(LEASE);
    let create = || async {
        sleep(took).await;
        Ok(made(1))
    };
    let served = dogpile.read_through(&request, create).await.unwrap();
    assert_eq!((served.entry.value, served.by), (1, ServedBy::Created));
    assert!(began.elapsed() < took + LEASE / 3, "{:?} for {took:?}", began.elapsed());
    (map.get(Key::name("k")).await.unwrap().is_some(), lost.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn a_beat_without_an_answer_does_not_cost_the_lease() {
    // Every other one is unanswered.
    let lock = Unanswering::new((0..100).step_by(2));
    let extended = Arc::clone(&lock.extended);
    assert_eq!(create_for(LEASE * 5 + LEASE / 6, lock).await, (true, 0));
    // Three in the time of a lease, and one to store.
    assert_eq!(extended.load(Ordering::SeqCst), 16);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_for_want_of_answers_is_reported() {
    // Those of the first lease, and no more.
    assert_eq!(create_for(LEASE * 2, Unanswering::new(0..3)).await, (false, 1));
}
