//! Waiting for the lock.

use std::time::Duration;

use dogpile_core::{Key, Lease, Lock};
use tokio::task::JoinSet;

use super::{LONG, take};
use crate::Subject;
use crate::suite::Must;

/// How long after the lock is free a waiter may still sleep: more than any poll, less than a lease.
const SOON: Duration = Duration::from_secs(2);

/// Waiting for a lock that is free returns at once.
pub async fn waiting_for_a_free_lock_is_no_wait<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("wait for nothing");
    let key = Key::name(&name);
    let waited = tokio::time::timeout(SOON, subject.wait(key, LONG)).await;
    assert!(waited.is_ok(), "waiting for a lock that nobody ever held took more than {SOON:?}");
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    let _ = subject.unlock(key, lease).await.must("unlocking");
    let waited = tokio::time::timeout(SOON, subject.wait(key, LONG)).await;
    assert!(waited.is_ok(), "waiting for a lock that had been given back took more than {SOON:?}");
}

/// A waiter returns soon after the lock is given back.
pub async fn unlock_ends_a_wait<L: Lock + 'static>(subject: &Subject<L>) {
    ends_a_wait(subject, "unlock", async |key, lease| {
        let _ = subject.unlock(key, lease).await.must("unlocking");
    })
    .await;
}

/// A waiter returns soon after the lock is abandoned. Decline it where abandoning leaves the lock to
/// the end of its lease.
pub async fn abandon_ends_a_wait<L: Lock + 'static>(subject: &Subject<L>) {
    ends_a_wait(subject, "abandon", async |key, lease| subject.abandon(key, lease)).await;
}

/// A waiter returns soon after the lock is taken away.
pub async fn revoke_ends_a_wait<L: Lock + 'static>(subject: &Subject<L>) {
    ends_a_wait(subject, "revoke", async |key, _| subject.revoke(&[key]).await.must("revoking"))
        .await;
}

async fn ends_a_wait<L: Lock + 'static>(
    subject: &Subject<L>,
    what: &str,
    end: impl AsyncFnOnce(Key<'_>, Lease),
) {
    let name = subject.name(what);
    let key = Key::name(&name);
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    let waiters = waiting(subject, &name, 1).await;
    end(key, lease).await;
    expect_woken(waiters, &format!("a waiter slept on after {what}")).await;
}

/// A waiter returns at the latest after the time it allowed, though the lock is still held.
pub async fn a_wait_has_an_end<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("at most");
    let key = Key::name(&name);
    take(&**subject, key, LONG, "a free lock was refused").await;
    for at_most in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(100)] {
        let ended = tokio::time::timeout(SOON, subject.wait(key, at_most)).await;
        assert!(ended.is_ok(), "a wait of at most {at_most:?} did not return within {SOON:?}");
    }
}

/// 100 waiters are all woken: none of them is told in turn, by the one before.
pub async fn many_waiters_are_all_woken<L: Lock + 'static>(subject: &Subject<L>) {
    let name = subject.name("many waiters");
    let key = Key::name(&name);
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    let waiters = waiting(subject, &name, 100).await;
    let _ = subject.unlock(key, lease).await.must("unlocking");
    expect_woken(waiters, "of 100 waiters, one slept on after an unlock").await;
}

/// After 10,000 waits that were given up, the lock works and wakes as before.
pub async fn cancelled_waits_leak_nothing<L: Lock + 'static>(subject: &Subject<L>) {
    let name = subject.name("cancelled");
    let key = Key::name(&name);
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    for _ in 0..10_000 {
        crate::poll_then_drop(subject.wait(key, LONG), 1).await;
    }
    let waiters = waiting(subject, &name, 1).await;
    let _ = subject.unlock(key, lease).await.must("unlocking");
    expect_woken(waiters, "after 10,000 cancelled waits, a waiter slept on after an unlock").await;
    take(&**subject, key, LONG, "after 10,000 cancelled waits, a free lock was refused").await;
}

/// Tasks that wait for the lock, given time to begin.
async fn waiting<L: Lock + 'static>(subject: &Subject<L>, name: &str, count: usize) -> JoinSet<()> {
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
