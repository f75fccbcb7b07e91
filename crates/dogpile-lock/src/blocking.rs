//! The dogpile lock for threads, without a runtime.

use std::cell::Cell;
use std::error::Error as StdError;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use dogpile_core::{
    Clock, Error, LeaseBackend, Made, Policy, ReadThrough, Request, Result, Served, SystemClock,
    ToKey,
};
use tokio::time::Instant;

use crate::dogpile::{self, Dogpile};
use crate::reentrant;

/// The face of a [`Dogpile`] for threads: every call blocks its thread until it has an answer.
///
/// Threads and tasks that use clones of one `Dogpile` are coordinated with each other. No runtime is
/// needed and no thread is started; a backend that needs a runtime for its own I/O has to find one
/// entered (`Handle::enter`).
///
/// A creator runs on its caller's thread, so nothing else can run there meanwhile: a lease of another
/// process is not extended while it runs, unless [`with_heartbeat`](Blocking::with_heartbeat) allows
/// a thread for that.
///
/// ```
/// use dogpile_core::Entry;
/// use dogpile_lock::{Dogpile, read_fn};
/// use std::time::Duration;
///
/// let dogpile = Dogpile::local(read_fn(|_| async { Ok(None::<Entry<u32>>) })).blocking();
/// let answer = dogpile.get_or_create("answer", Duration::from_secs(60), || Ok::<_, std::io::Error>(42))?;
/// assert_eq!(answer, 42);
/// # Ok::<(), dogpile_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Blocking<L: LeaseBackend> {
    dogpile: Dogpile<L>,
    heartbeat: bool,
}

impl<L: LeaseBackend> Dogpile<L> {
    /// The same lock for threads.
    #[must_use]
    pub fn blocking(&self) -> Blocking<L> {
        Blocking { dogpile: self.clone(), heartbeat: false }
    }
}

impl<L: LeaseBackend> Clone for Blocking<L> {
    fn clone(&self) -> Self {
        Self { dogpile: self.dogpile.clone(), heartbeat: self.heartbeat }
    }
}

impl<L: LeaseBackend + 'static> Blocking<L> {
    /// Whether a creator runs on a second thread, which ends with it, so that this one can extend the
    /// lease meanwhile. False by default; never done where there is no lease to extend
    /// ([`Dogpile::local`]).
    #[must_use]
    pub fn with_heartbeat(mut self, yes: bool) -> Self {
        self.heartbeat = yes;
        self
    }

    /// The value of a key, created if there is none younger than `expires_after`.
    ///
    /// # Errors
    /// What the backend answers, and [`ErrorKind::Creation`](dogpile_core::ErrorKind::Creation)
    /// around what `create` answers.
    pub fn get_or_create<E>(
        &self,
        key: impl ToKey,
        expires_after: Duration,
        create: impl FnOnce() -> Result<L::Value, E> + Send,
    ) -> Result<L::Value>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let key = key.to_key();
        let policy = Policy::new().with_fresh_for(Some(expires_after));
        let request = Request::new(key.as_key(), policy, &clock);
        Ok(self.read_through(&request, || dogpile::now(&clock, create()))?.entry.value)
    }

    /// See [`ReadThrough::read_through`].
    ///
    /// # Errors
    /// What the backend or `create` answers.
    pub fn read_through(
        &self,
        request: &Request<'_>,
        create: impl FnOnce() -> Result<Made<L::Value>> + Send,
    ) -> Result<Served<L::Value>> {
        if !self.heartbeat || self.dogpile.options.in_process {
            return block_on(self.dogpile.read_through(request, || async { create() }));
        }
        std::thread::scope(|scope| {
            block_on(self.dogpile.read_through(request, || {
                let (send, receive) = tokio::sync::oneshot::channel();
                let create = reentrant::carried(create);
                scope.spawn(move || send.send(catch_unwind(AssertUnwindSafe(create))));
                async {
                    match receive.await {
                        Ok(Ok(made)) => made,
                        Ok(Err(payload)) => resume_unwind(payload),
                        Err(closed) => Err(Error::from_creator(closed)),
                    }
                }
            }))
        })
    }
}

/// Runs a future on this thread, which sleeps while there is nothing to do.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let unpark = Arc::new(Unpark { thread: std::thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let here = Driven { waker: waker.data().addr(), wake_at: None };
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    let _restore = Restore(DRIVEN.get());
    loop {
        DRIVEN.set(Some(here));
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // What was polled may have parked this thread too, and taken the wake that was meant for us.
        if !unpark.woken.swap(false, Ordering::Acquire) {
            match DRIVEN.get().and_then(|driven| driven.wake_at) {
                Some(deadline) => {
                    std::thread::park_timeout(deadline.saturating_duration_since(Instant::now()))
                }
                None => std::thread::park(),
            }
        }
    }
}

/// What [`block_on`] drives on a thread.
#[derive(Clone, Copy)]
struct Driven {
    /// Tells its waker from others.
    waker: usize,
    /// The earliest moment something there sleeps until.
    wake_at: Option<Instant>,
}

thread_local! {
    static DRIVEN: Cell<Option<Driven>> = const { Cell::new(None) };
}

struct Restore(Option<Driven>);

impl Drop for Restore {
    fn drop(&mut self) {
        DRIVEN.set(self.0);
    }
}

/// Whether this thread is in [`block_on`].
pub(crate) fn is_active() -> bool {
    DRIVEN.get().is_some()
}

/// Whether this is the waker of the innermost [`block_on`] of this thread.
pub(crate) fn drives(waker: &Waker) -> bool {
    DRIVEN.get().is_some_and(|driven| driven.waker == waker.data().addr())
}

/// Has the thread polled again at `deadline`, if it is in [`block_on`].
pub(crate) fn wake_at(deadline: Instant) {
    if let Some(driven) = DRIVEN.get() {
        let wake_at = driven.wake_at.map_or(deadline, |earliest| earliest.min(deadline));
        DRIVEN.set(Some(Driven { wake_at: Some(wake_at), ..driven }));
    }
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wakes itself, and is ready when polled again.
    #[test]
    fn a_wake_survives_a_nested_call_that_parks() {
        let (mut polled, started) = (false, Instant::now());
        block_on(std::future::poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            wake_at(started + Duration::from_secs(10));
            cx.waker().wake_by_ref();
            block_on(crate::timer::sleep(Duration::from_millis(1)));
            Poll::Pending
        }));
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
