//! Leases that were lost or taken away.

use dogpile_core::{Held, Key, Lease, Lock};

use super::{AFTER, LONG, SHORT, expect_held, take, try_lock};
use crate::Subject;
use crate::suite::Must;

/// A lease that was never granted frees nothing, and is told so.
pub async fn a_foreign_lease_cannot_unlock<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("foreign unlock");
    let key = Key::name(&name);
    let foreign = Lease::new(u128::MAX - 7);
    let held = subject.unlock(key, foreign).await.must("unlocking what nobody holds");
    assert!(held == Held::Lost, "unlocking what nobody holds was said to have worked");
    let lease = take(&**subject, key, LONG, "a free lock was refused").await;
    let held = subject.unlock(key, foreign).await.must("unlocking with a foreign lease");
    assert!(held == Held::Lost, "unlocking with a foreign lease was said to have worked");
    expect_held(&**subject, key, lease, "a foreign lease unlocked what another holds").await;
}

/// A lease that was never granted extends nothing, and is told so.
pub async fn a_foreign_lease_cannot_extend<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("foreign extend");
    let key = Key::name(&name);
    let foreign = Lease::new(u128::MAX - 7);
    let held = subject.extend(key, foreign, LONG).await.must("extending what nobody holds");
    assert!(held == Held::Lost, "extending what nobody holds was said to have worked");
    take(&**subject, key, SHORT, "extending what nobody holds took the lock").await;
    let held = subject.extend(key, foreign, LONG).await.must("extending with a foreign lease");
    assert!(held == Held::Lost, "extending with a foreign lease was said to have worked");
    subject.pass_lease(AFTER).await;
    take(&**subject, key, LONG, "a foreign lease lengthened the hold of another").await;
}

/// A holder whose lease ended and went to another cannot free it.
pub async fn a_lost_lease_cannot_unlock<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("lost unlock");
    let (key, late, present) = overtaken(subject, &name).await;
    let held = subject.unlock(key, late).await.must("unlocking with a lost lease");
    assert!(held == Held::Lost, "a holder whose lease went to another was told that it unlocked");
    expect_held(&**subject, key, present, "a lost lease freed the lock of the next holder").await;
}

/// A holder whose lease ended and went to another cannot extend it.
pub async fn a_lost_lease_cannot_extend<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("lost extend");
    let (key, late, present) = overtaken(subject, &name).await;
    let held = subject.extend(key, late, LONG).await.must("extending a lost lease");
    assert!(
        held == Held::Lost,
        "a holder whose lease went to another was told that it extended it"
    );
    expect_held(&**subject, key, present, "a lost lease took the lock back").await;
}

/// A revoked lock is free, and its former holder has lost it.
pub async fn revoke_takes_the_lock_away<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("revoke");
    let key = Key::name(&name);
    let late = take(&**subject, key, LONG, "a free lock was refused").await;
    subject.revoke(&[key]).await.must("revoking");
    let held = subject.extend(key, late, LONG).await.must("extending a revoked lease");
    assert!(held == Held::Lost, "a revoked lease could be extended");
    let held = subject.unlock(key, late).await.must("unlocking with a revoked lease");
    assert!(held == Held::Lost, "a revoked lease could unlock");
    let present = take(&**subject, key, LONG, "a revoked lock was still refused").await;
    let held = subject.unlock(key, late).await.must("unlocking with a revoked lease");
    assert!(held == Held::Lost, "a revoked lease could unlock");
    expect_held(&**subject, key, present, "a revoked lease freed the lock of the next holder")
        .await;
}

/// Only the keys that are named are revoked, and all of them.
pub async fn revoke_takes_these_only<L: Lock>(subject: &Subject<L>) {
    let names: Vec<_> = (0..3).map(|at| subject.name(&format!("these {at}"))).collect();
    let mut leases = Vec::new();
    for name in &names {
        leases.push(take(&**subject, Key::name(name), LONG, "a free lock was refused").await);
    }
    let revoked = [Key::name(&names[0]), Key::name(&names[2])];
    subject.revoke(&revoked).await.must("revoking");
    let spared = "revoking some locks took another away";
    expect_held(&**subject, Key::name(&names[1]), leases[1], spared).await;
    for key in revoked {
        take(&**subject, key, LONG, "one of several revoked locks was still refused").await;
    }
}

/// Revoking what nobody holds, or nothing at all, is no error.
pub async fn revoking_nothing_is_no_error<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("revoke nothing");
    subject.revoke(&[]).await.must("revoking nothing");
    subject.revoke(&[Key::name(&name)]).await.must("revoking what nobody holds");
    take(&**subject, Key::name(&name), LONG, "a lock was refused after revoking what nobody held")
        .await;
}

/// Every lock of a revoked group is free, and its former holder has lost it.
pub async fn revoke_group_takes_its_locks_away<L: Lock>(subject: &Subject<L>) {
    let group = subject.name("revoked group");
    let keys = ["a", "b", ""].map(|field| Key::field(&group, field));
    subject.revoke_group(group.as_bytes()).await.must("revoking a group that nobody holds");
    let mut leases = Vec::new();
    for key in keys {
        leases.push(take(&**subject, key, LONG, "a free lock was refused").await);
    }
    subject.revoke_group(group.as_bytes()).await.must("revoking a group");
    for (key, late) in keys.into_iter().zip(leases) {
        let held = subject.extend(key, late, LONG).await.must("extending a revoked lease");
        assert!(held == Held::Lost, "a lease could be extended after its group was revoked");
        take(&**subject, key, LONG, "a lock of a revoked group was still refused").await;
    }
}

/// Revoking a group spares other groups, also those whose name starts alike, and plain names.
pub async fn revoke_group_spares_the_rest<L: Lock>(subject: &Subject<L>) {
    let (group, longer) = (subject.name("group"), subject.name("group1"));
    let rest = [Key::field(&longer, "field"), Key::name(&group), Key::name(&longer)];
    let mut leases = Vec::new();
    for key in rest {
        leases.push(take(&**subject, key, LONG, "a free lock was refused").await);
    }
    subject.revoke_group(group.as_bytes()).await.must("revoking a group");
    for (key, lease) in rest.into_iter().zip(leases) {
        expect_held(&**subject, key, lease, "revoking a group took another lock away").await;
    }
}

/// An abandoned lock is free again: at once, or at the end of its lease.
pub async fn abandon_frees<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("abandon");
    let key = Key::name(&name);
    let lease = take(&**subject, key, SHORT, "a free lock was refused").await;
    subject.abandon(key, lease);
    subject.pass_lease(AFTER).await;
    take(&**subject, key, LONG, "an abandoned lock was refused past the end of its lease").await;
}

/// Abandoning a lost lease, or one that was never granted, harms nobody.
pub async fn a_lost_lease_cannot_abandon<L: Lock>(subject: &Subject<L>) {
    let name = subject.name("lost abandon");
    let (key, late, present) = overtaken(subject, &name).await;
    for lease in [late, Lease::new(u128::MAX - 7)] {
        subject.abandon(key, lease);
        // A remote lock sends the release in the background, so let it arrive.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let broken = "abandoning a lost lease freed the lock of the next holder";
        expect_held(&**subject, key, present, broken).await;
    }
}

/// A key, a lease of it that ended, and the lease of the present holder.
async fn overtaken<'a, L: Lock>(subject: &Subject<L>, name: &'a str) -> (Key<'a>, Lease, Lease) {
    let key = Key::name(name);
    let late = take(&**subject, key, SHORT, "a free lock was refused").await;
    subject.pass_lease(AFTER).await;
    let present = try_lock(&**subject, key, LONG).await;
    (key, late, present.must("taking a lock whose lease is over"))
}
