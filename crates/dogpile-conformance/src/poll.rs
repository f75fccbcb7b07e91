//! Futures that are given up half way.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Polls a future at most `polls` times, a millisecond apart, and drops it: what a timeout or a
/// `select!` does to a caller. Answers what the future answered, if it got that far.
///
/// ```
/// # dogpile_conformance::run(async {
/// use dogpile_conformance::poll_then_drop;
///
/// assert_eq!(poll_then_drop(async { 7 }, 1).await, Some(7));
/// assert_eq!(poll_then_drop(async { 7 }, 0).await, None);
/// assert_eq!(poll_then_drop(std::future::pending::<()>(), 3).await, None);
/// # });
/// ```
pub async fn poll_then_drop<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for poll in 0..polls {
        if poll > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ready = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = ready {
            return Some(output);
        }
    }
    None
}
