//! Taking, holding and giving back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dogpile_core::{ErrorKind, Held, Key, Lock};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{AFTER, LONG, SHORT, expect_held, take, try_lock};
use crate::suite::{Must, stop};
use crate::{Subject, poll_then_drop};

/// Nobody gets a lock that is held, the holder included: a lock is not reentrant.
pub async fn a_held_lock_is_refused<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("held");
    let key = Key::name(&name);
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    for _ in 0..3 {
        let second = try_lock(&**subject, key, LONG).await;
        assert!(second.is_none(), "a held lock was given to a second caller");
    }
    let held = subject.unlock(key, lease).await.must("unlocking");
    assert!(held == Held::Kept, "a holder was told that it had lost its lease, and had not");
}

/// Of 100 that ask at once, one gets the lock.
pub async fn one_of_many_gets_the_lock<L: Lock + 'static>(subject: &Subject<L>) {
    for round in 0..10 {
        let name = subject.name(&format!("one of many {round}"));
        let start = Arc::new(Barrier::new(100));
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let (subject, name, start) = (subject.clone(), name.clone(), Arc::clone(&start));
            tasks.spawn(async move {
                start.wait().await;
                try_lock(&*subject, Key::name(&name), LONG).await.is_some()
            });
        }
        let winners = tasks.join_all().await.into_iter().filter(|won| *won).count();
        assert!(winners == 1, "of 100 that asked for a free lock at once, {winners} got it");
    }
}

/// A lock that is given back is free at once, and its holder is told that all went well.
pub async fn unlock_frees<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("unlock");
    let key = Key::name(&name);
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    let held = subject.unlock(key, lease).await.must("unlocking");
    assert!(held == Held::Kept, "a holder that gave the lock back was told that it had lost it");
    take(&**subject, key, LONG, "a lock that was given back was refused").await;
}

/// A lease does not end before its time.
pub async fn a_lease_lasts_its_time<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("lasts");
    let key = Key::name(&name);
    let lease = take(&**subject, key, Duration::from_secs(2), "a free lock was refused").await;
    subject.pass(Duration::from_millis(1_100)).await;
    expect_held(&**subject, key, lease, "a lease of 2 s ended within 1.1 s").await;
}

/// A hold that is not extended is free when its lease is over: a holder may have died.
pub async fn an_ended_lease_frees<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("ended");
    let key = Key::name(&name);
    take(&**subject, key, SHORT, "a free lock was refused").await;
    subject.pass_lease(AFTER).await;
    take(&**subject, key, LONG, "a lock whose lease was over was still refused").await;
}

/// An extended hold lasts longer than it was first given for.
pub async fn extend_lengthens_the_lease<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("extend");
    let key = Key::name(&name);
    let lease = take(&**subject, key, Duration::from_secs(1), "a free lock was refused").await;
    let held = subject.extend(key, lease, LONG).await.must("extending a lease");
    assert!(held == Held::Kept, "a holder that extended its lease was told that it had lost it");
    subject.pass_lease(Duration::from_millis(1_100)).await;
    expect_held(&**subject, key, lease, "an extended lease ended when the first would have").await;
}

/// An extension counts from now, and is not added to what was left.
pub async fn extend_counts_from_now<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("from now");
    let key = Key::name(&name);
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    let held = subject.extend(key, lease, SHORT).await.must("extending a lease");
    assert!(held == Held::Kept, "a holder that extended its lease was told that it had lost it");
    subject.pass_lease(AFTER).await;
    take(&**subject, key, LONG, "a lease was still held after the time it was last extended for")
        .await;
}

/// No two grants of a lock have the same token, however the hold before ended.
pub async fn tokens_are_never_used_again<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("tokens");
    let key = Key::name(&name);
    let mut tokens = BTreeSet::new();
    for round in 0..100 {
        let lease = take(&**subject, key, LONG, "a lock that was given back was refused").await;
        assert!(tokens.insert(lease.token()), "a token was granted a second time");
        match round % 2 {
            0 => _ = subject.unlock(key, lease).await.must("unlocking"),
            _ => subject.revoke(&[key]).await.must("revoking"),
        }
    }
}

/// A lease of no time and one for ever are taken or [`ErrorKind::Refused`], without a panic; and
/// none of no time stays.
pub async fn any_lease_time_is_accepted<L: Lock>(subject: &Subject<L>) {
    for (at, lease_for) in [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_secs(u64::from(u32::MAX)),
        Duration::MAX,
    ]
    .into_iter()
    .enumerate()
    {
        let name = subject.name(&format!("time {at}"));
        let key = Key::name(&name);
        match subject.try_lock(key, lease_for).await {
            Ok(Some(lease)) if at > 1 => {
                let held = subject.unlock(key, lease).await.must("unlocking");
                assert!(held == Held::Kept, "a lease of {lease_for:?} was lost at once");
            }
            Ok(Some(_)) => {
                subject.pass_lease(Duration::from_millis(20)).await;
                take(&**subject, key, LONG, "a lease of no time did not end").await;
            }
            Ok(None) => stop(format_args!("a free lock was refused for {lease_for:?}")),
            Err(error) if error.kind() == ErrorKind::Refused => {}
            Err(error) => stop(format_args!(
                "a lease of {lease_for:?} is granted or ErrorKind::Refused, and was {error:?}"
            )),
        }
    }
}

/// `is_locked` is true exactly while somebody holds the lock.
pub async fn is_locked_tells_the_holder<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("is locked");
    let key = Key::name(&name);
    let is_locked = async || subject.is_locked(key).await.must("asking for the holder");
    assert!(!is_locked().await, "a lock that nobody ever held is said to be held");
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    assert!(is_locked().await, "a held lock is said to be free");
    let _ = subject.unlock(key, lease).await.must("unlocking");
    assert!(!is_locked().await, "a lock that was given back is said to be held");
    take(&**subject, key, SHORT, "a lock that was given back was refused").await;
    subject.pass_lease(AFTER).await;
    assert!(!is_locked().await, "a lock whose lease is over is said to be held");
}

/// Two handles of the same locks exclude each other, and one can neither end nor lengthen what it
/// does not hold.
pub async fn handles_exclude_each_other<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("handles");
    let key = Key::name(&name);
    let (one, other) = (&**subject, subject.other());
    let lease = take(one, key, LONG, "a free lock was refused").await;
    let second = try_lock(other, key, LONG).await;
    assert!(second.is_none(), "a lock held through one handle was given out by another");
    assert!(
        other.is_locked(key).await.must("asking for the holder"),
        "another handle sees no holder"
    );
    let _ = one.unlock(key, lease).await.must("unlocking");
    let lease =
        take(other, key, LONG, "a lock given back through one handle was refused by another").await;
    assert!(
        try_lock(one, key, LONG).await.is_none(),
        "a lock held through another handle was given out"
    );
    let _ = other.unlock(key, lease).await.must("unlocking");
}

/// A `try_lock` that is dropped after any number of polls leaves the lock free, or held no longer
/// than its lease.
pub async fn a_dropped_try_lock_leaves_order<L: Lock>(subject: &Subject<L>) {
    for polls in 0..4 {
        let name = subject.name(&format!("dropped {polls}"));
        let key = Key::name(&name);
        let _ = poll_then_drop(subject.try_lock(key, SHORT), polls).await;
        subject.pass_lease(AFTER).await;
        take(&**subject, key, LONG, "a try_lock that was dropped holds the lock past its lease")
            .await;
    }
}
