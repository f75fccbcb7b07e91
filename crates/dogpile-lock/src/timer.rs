//! Sleeping in whatever drives the caller: tokio, or a thread of [`blocking`](crate::blocking).

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

// Not of the standard library: the clock of a runtime may be paused and moved by a test.
use tokio::time::Instant;

use crate::blocking;

/// The shortest time between two tries: a lease shorter than that must not keep a thread busy.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// Waits for `d`.
///
/// Outside tokio and outside a blocking call there is no timer, and it never ends: limits on waiting
/// then do not apply.
pub(crate) fn sleep(d: Duration) -> Sleep {
    sleep_until(Instant::now().checked_add(d))
}

/// Waits until `deadline`, or for ever where that is too far away to be told.
pub(crate) const fn sleep_until(deadline: Option<Instant>) -> Sleep {
    Sleep { deadline, tokio: None }
}

/// Whether [`sleep`] ends here.
pub(crate) fn is_available() -> bool {
    blocking::is_active() || tokio::runtime::Handle::try_current().is_ok()
}

/// What `future` answers, or `None` if that takes longer than until `deadline`.
pub(crate) async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    let mut sleep = sleep_until(deadline);
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| None),
    })
    .await
}

pub(crate) struct Sleep {
    deadline: Option<Instant>,
    tokio: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        blocking::wake_at(deadline);
        // A creator that blocks its thread may drive a runtime there, which has wakers of its own.
        if blocking::drives(cx.waker()) || tokio::runtime::Handle::try_current().is_err() {
            return Poll::Pending;
        }
        self.tokio
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)))
            .as_mut()
            .poll(cx)
    }
}
