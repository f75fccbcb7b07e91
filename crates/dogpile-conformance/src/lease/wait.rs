//! Waiting for the creator.

use std::time::Duration;

use dogpile_core::{BackendExt, Key, Lease, LeaseBackend};
use tokio::task::JoinSet;

use super::{AFTER, LONG, SHORT, expect_free, fresh, options, take};
use crate::suite::Must;
use crate::{Sample, Subject, poll_then_drop};

/// How long after the end of a lease a waiter may still sleep: more than any poll, less than a lease.
const SOON: Duration = Duration::from_secs(2);

/// Waiting for a key that nobody creates is soon over.
pub async fn waiting_for_no_lease_is_no_wait<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("no lease");
    let waited = tokio::time::timeout(SOON, subject.wait(Key::name(&name), LONG)).await;
    assert!(waited.is_ok(), "waiting for a key that nobody creates took more than {SOON:?}");
}

/// A waiter returns soon after the value was filled in.
pub async fn fill_ends_a_wait<B: LeaseBackend<Value: Sample> + 'static>(subject: &Subject<B>) {
    ends_a_wait(subject, "fill", 1, async |key, lease| {
        let _ = subject.fill(key, lease, fresh(subject, 1), &options()).await.must("filling");
    })
    .await;
}

/// A waiter returns soon after the lease was released.
pub async fn release_ends_a_wait<B: LeaseBackend<Value: Sample> + 'static>(subject: &Subject<B>) {
    ends_a_wait(subject, "release", 1, async |key, lease| {
        let _ = subject.release(key, lease).await.must("releasing");
    })
    .await;
}

/// A waiter returns soon after a delete took the lease away.
pub async fn delete_ends_a_wait<B: LeaseBackend<Value: Sample> + 'static>(subject: &Subject<B>) {
    ends_a_wait(subject, "delete", 1, async |key, _| subject.delete(key).await.must("deleting"))
        .await;
}

/// A waiter returns soon after the lease ran out, though nobody ended it.
pub async fn a_wait_ends_with_the_lease<B: LeaseBackend<Value: Sample> + 'static>(
    subject: &Subject<B>,
) {
    let name = subject.name("wait for the end");
    take(subject, Key::name(&name), SHORT, "a missing key is to be created").await;
    let waiters = waiting(subject, &name, 1).await;
    subject.pass_lease(AFTER).await;
    expect_woken(waiters, "a waiter slept past the end of the lease it waited for").await;
}

/// A waiter returns at the latest after the time it allowed, though the lease is still held.
pub async fn a_wait_has_an_end<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("at most");
    let key = Key::name(&name);
    take(subject, key, LONG, "a missing key is to be created").await;
    for at_most in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(100)] {
        let ended = tokio::time::timeout(SOON, subject.wait(key, at_most)).await;
        assert!(ended.is_ok(), "a wait of at most {at_most:?} did not return within {SOON:?}");
    }
}

/// 100 waiters are all woken by one fill.
pub async fn many_waiters_are_all_woken<B>(subject: &Subject<B>)
where
    B: LeaseBackend<Value: Sample> + 'static,
{
    ends_a_wait(subject, "fill for many", 100, async |key, lease| {
        let _ = subject.fill(key, lease, fresh(subject, 1), &options()).await.must("filling");
    })
    .await;
}

/// After 10,000 waits that were given up, the lease works and wakes as before.
pub async fn cancelled_waits_leak_nothing<B>(subject: &Subject<B>)
where
    B: LeaseBackend<Value: Sample> + 'static,
{
    let name = subject.name("cancelled");
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    for _ in 0..10_000 {
        poll_then_drop(subject.wait(key, LONG), 1).await;
    }
    let waiters = waiting(subject, &name, 1).await;
    let _ = subject.release(key, lease).await.must("releasing");
    expect_woken(waiters, "after 10,000 cancelled waits, a release wakes nobody").await;
    expect_free(subject, key, "after 10,000 cancelled waits, a free lease was refused").await;
}

async fn ends_a_wait<B: LeaseBackend<Value: Sample> + 'static>(
    subject: &Subject<B>,
    what: &str,
    count: usize,
    end: impl AsyncFnOnce(Key<'_>, Lease),
) {
    let name = subject.name(&format!("wait for a {what}"));
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    let waiters = waiting(subject, &name, count).await;
    end(key, lease).await;
    expect_woken(waiters, &format!("of {count} waiters, one slept on after a {what}")).await;
}

/// Tasks that wait for the lease, given time to begin.
async fn waiting<B>(subject: &Subject<B>, name: &str, count: usize) -> JoinSet<()>
where
    B: LeaseBackend<Value: Sample> + 'static,
{
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (subject, name) = (subject.clone(), name.to_owned());
        tasks.spawn(async move { subject.wait(Key::name(&name), LONG).await });
    }
    tokio::time::sleep(Duration::from_millis(30)).await;
    tasks
}

async fn expect_woken(waiters: JoinSet<()>, broken: &str) {
    let woken = tokio::time::timeout(SOON, waiters.join_all()).await;
    assert!(woken.is_ok(), "{broken} for more than {SOON:?}");
}
