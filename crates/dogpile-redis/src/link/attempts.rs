//! Attempts to connect, of which one serves all who wait.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dogpile_core::{Error, Result};
use tokio::time::timeout;

/// The attempts to connect to one place. They are numbered from one.
#[derive(Default)]
pub(super) struct Attempts {
    so_far: AtomicU64,
    /// Held by whoever connects; the others wait for its connection.
    going_on: tokio::sync::Mutex<()>,
    /// Why the last one failed, and when.
    failed: Mutex<Option<(Instant, Error)>>,
}

/// How long after a failed attempt everybody is told of it without another one.
const PAUSE: Duration = Duration::from_millis(50);

impl Attempts {
    pub(super) fn so_far(&self) -> u64 {
        self.so_far.load(SeqCst)
    }

    /// Begins an attempt, unless somebody has since there were so many: its number.
    pub(super) fn begin(&self, so_far: u64) -> Option<u64> {
        let began = self.so_far.compare_exchange(so_far, so_far + 1, SeqCst, SeqCst);
        began.ok().map(|before| before + 1)
    }

    fn failed(&self) -> MutexGuard<'_, Option<(Instant, Error)>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `connect` answers to whoever comes first, or what is `present` when it is one's turn.
    ///
    /// Whoever takes longer than an attempt may is slow, or on a runtime that stands still: then one of
    /// those who wait makes another.
    pub(super) async fn share<T, F: Future<Output = Result<T>>>(
        &self,
        patience: Duration,
        present: impl Fn() -> Option<T>,
        connect: impl FnOnce(u64) -> F,
    ) -> Result<T> {
        loop {
            let so_far = self.so_far();
            let _going_on = timeout(patience, self.going_on.lock()).await;
            if let Some(present) = present() {
                return Ok(present);
            }
            if let Some((when, error)) = &*self.failed()
                && when.elapsed() < PAUSE
            {
                return Err(error.clone());
            }
            if let Some(number) = self.begin(so_far) {
                return connect(number).await.inspect_err(|error| {
                    // What became of an earlier attempt is old news.
                    if self.so_far() == number {
                        *self.failed() = Some((Instant::now(), error.clone()));
                    }
                });
            }
        }
    }
}
