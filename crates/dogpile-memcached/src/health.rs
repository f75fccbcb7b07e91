//! Whether a server can be reached, and when it is tried again.

use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dogpile_core::{Error, Result};

use crate::random::random;
use crate::stats::add;

/// How the attempts to connect to a server went.
pub(crate) struct Health {
    server: Arc<str>,
    /// The first pause after a failure, and the longest.
    retry_after: (Duration, Duration),
    state: Mutex<State>,
    pub(crate) connects: AtomicU64,
    pub(crate) failed_connects: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Attempts that failed, one after the other.
    failures: u32,
    /// Why the last one did, and until when nobody tries again.
    resting: Option<(Instant, Error)>,
}

impl Health {
    pub(crate) fn new(server: Arc<str>, retry_after: (Duration, Duration)) -> Self {
        Self {
            server,
            retry_after,
            state: Mutex::default(),
            connects: AtomicU64::default(),
            failed_connects: AtomicU64::default(),
        }
    }

    /// An attempt to connect, unless the server is left alone.
    pub(crate) async fn attempt<T>(&self, connect: impl Future<Output = Result<T>>) -> Result<T> {
        self.rested()?;
        match connect.await {
            Ok(connected) => {
                *self.lock() = State::default();
                add(&self.connects, 1);
                Ok(connected)
            }
            Err(error) => {
                add(&self.failed_connects, 1);
                self.failed(&error);
                Err(error)
            }
        }
    }

    /// Fails while the server is left alone.
    pub(crate) fn rested(&self) -> Result<()> {
        match &self.lock().resting {
            Some((until, error)) if Instant::now() < *until => Err(error.clone()),
            _ => Ok(()),
        }
    }

    pub(crate) fn is_well(&self) -> bool {
        self.lock().failures == 0
    }

    pub(crate) fn last_error(&self) -> Option<Error> {
        self.lock().resting.as_ref().map(|(_, error)| error.clone())
    }

    fn failed(&self, error: &Error) {
        let mut state = self.lock();
        let (least, most) = self.retry_after;
        let pause = least.saturating_mul(1 << state.failures.min(16)).min(most);
        state.failures = state.failures.saturating_add(1);
        tracing::debug!(server = &*self.server, %error, ?pause, "memcached cannot be reached");
        state.resting = Some((Instant::now() + jittered(pause), error.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fifth more or less, so that not all come back at once.
pub(crate) fn jittered(d: Duration) -> Duration {
    let [a, b, ..] = random().to_be_bytes();
    d.mul_f64(0.8 + 0.4 * f64::from(u16::from_be_bytes([a, b])) / f64::from(u16::MAX))
}
