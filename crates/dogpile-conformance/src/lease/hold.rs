//! Holding a lease and giving it back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dogpile_core::{Answer, Ask, Held, Key, Lease, LeaseBackend};
use tokio::task::JoinSet;

use super::{
    AFTER, LONG, SHORT, ask, expect_busy, expect_free, expect_value, fresh, freshness, get,
    options, set_stale, shown, take,
};
use crate::suite::{Must, stop};
use crate::{Sample, Subject, poll_then_drop};

/// A lease does not end before its time.
pub async fn a_lease_lasts_its_time<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("lasts");
    let key = Key::name(&name);
    let lease_for = Duration::from_secs(2);
    take(subject, key, lease_for, "a missing key is to be created").await;
    subject.pass(Duration::from_millis(1_100)).await;
    expect_busy(subject, key, "a lease of 2 s ended within 1.1 s").await;
}

/// A lease that is not extended ends, and the next that asks creates: a creator may have died.
pub async fn a_lease_has_an_end<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("end");
    let key = Key::name(&name);
    take(subject, key, SHORT, "a missing key is to be created").await;
    subject.pass_lease(AFTER).await;
    expect_free(subject, key, "a lease that was over was not given to the next").await;
}

/// An extended lease lasts longer than it was first granted for.
pub async fn extend_lengthens_the_lease<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("extend");
    let key = Key::name(&name);
    let second = Duration::from_secs(1);
    let lease = take(subject, key, second, "a missing key is to be created").await;
    let held = subject.extend(key, lease, LONG).await.must("extending a lease");
    assert!(held == Held::Kept, "the holder of a lease was told that it had lost it");
    subject.pass_lease(second + AFTER).await;
    expect_busy(subject, key, "an extended lease ended when the first would have").await;
}

/// A lease that went to another cannot be extended, and neither can one that was never granted.
pub async fn a_lost_lease_cannot_extend<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("lost extend");
    let (key, late, present) = overtaken(subject, &name).await;
    for lease in [late, Lease::new(u128::MAX - 7)] {
        let held = subject.extend(key, lease, LONG).await.must("extending a lost lease");
        assert!(held == Held::Lost, "a lease that went to another could be extended");
    }
    let held = subject.extend(key, present, LONG).await.must("extending a lease");
    assert!(held == Held::Kept, "extending a lost lease took the lease from its present holder");
}

/// A released lease is free at once, and its holder is told that all went well.
pub async fn release_ends_the_lease<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("release");
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    let held = subject.release(key, lease).await.must("releasing");
    assert!(held == Held::Kept, "the holder of a lease was told that it had lost it");
    expect_free(subject, key, "a lease that was released was not given to the next").await;
}

/// A release leaves the stale entry where it is.
pub async fn release_keeps_the_stale_entry<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("release stale");
    let key = Key::name(&name);
    set_stale(subject, key, 1).await;
    let lease = take(subject, key, LONG, "a stale entry is to be created anew").await;
    let _ = subject.release(key, lease).await.must("releasing");
    expect_value(get(subject, key).await.as_ref(), 1, "a release removed the stale entry");
}

/// A lease that went to another cannot be released, and neither can one that was never granted.
pub async fn a_lost_lease_cannot_release<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("lost release");
    let (key, late, _) = overtaken(subject, &name).await;
    for lease in [late, Lease::new(u128::MAX - 7)] {
        let held = subject.release(key, lease).await.must("releasing a lost lease");
        assert!(held == Held::Lost, "a lease that went to another could be released");
        expect_busy(subject, key, "a lost lease ended the lease of the next holder").await;
    }
}

/// An abandoned lease ends: at once, or when its time is over.
pub async fn abandon_ends_the_lease<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("abandon");
    let key = Key::name(&name);
    let lease = take(subject, key, SHORT, "a missing key is to be created").await;
    subject.abandon(key, lease);
    subject.pass_lease(AFTER).await;
    expect_free(subject, key, "an abandoned lease did not end").await;
}

/// Abandoning a lease that went to another, or was never granted, harms nobody.
pub async fn a_lost_lease_cannot_abandon<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("lost abandon");
    let (key, late, _) = overtaken(subject, &name).await;
    for lease in [late, Lease::new(u128::MAX - 7)] {
        subject.abandon(key, lease);
        // A remote store sends the release in the background, so let it arrive.
        tokio::time::sleep(Duration::from_millis(20)).await;
        expect_busy(subject, key, "abandoning a lost lease ended the lease of the next holder")
            .await;
    }
}

/// No two leases of a key have the same token, however the one before ended.
pub async fn tokens_are_never_used_again<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("tokens");
    let key = Key::name(&name);
    let mut tokens = BTreeSet::new();
    for round in 0..60 {
        set_stale(subject, key, round).await;
        let lease = take(subject, key, LONG, "a stale entry is to be created anew").await;
        assert!(tokens.insert(lease.token()), "a token was granted a second time");
        match round % 3 {
            0 => _ = subject.release(key, lease).await.must("releasing"),
            1 => _ = subject.fill(key, lease, fresh(subject, 1), &options()).await.must("filling"),
            _ => subject.delete_many(&[key]).await.must("deleting"),
        }
    }
}

/// `is_leased` is true exactly while somebody holds the lease.
pub async fn is_leased_tells_the_holder<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("is leased");
    let key = Key::name(&name);
    let is_leased = async || subject.is_leased(key).await.must("asking for a lease");
    assert!(!is_leased().await, "a key that nobody ever leased is said to be leased");
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    assert!(is_leased().await, "a leased key is said to be free");
    let _ = subject.release(key, lease).await.must("releasing");
    assert!(!is_leased().await, "a released key is said to be leased");
    take(subject, key, SHORT, "a released lease was not given to the next").await;
    subject.pass_lease(AFTER).await;
    assert!(!is_leased().await, "a key whose lease is over is said to be leased");
}

/// Two handles of one store share its leases.
pub async fn handles_share_leases<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("handles");
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    let question = Ask::new(key, freshness(subject), LONG);
    let answer = subject.other().get_or_lease(&question).await.must("asking another handle");
    let busy = matches!(answer, Answer::Busy { .. });
    assert!(busy, "a lease held through one handle was given out by another: {}", shown(&answer));
    let _ = subject.fill(key, lease, fresh(subject, 1), &options()).await.must("filling");
    match subject.other().get_or_lease(&question).await.must("asking another handle") {
        Answer::Fresh(entry) => {
            expect_value(Some(&entry), 1, "another handle served a wrong value")
        }
        answer => stop(format_args!("another handle did not see a fill: {}", shown(&answer))),
    }
}

/// 200 leases of different keys are held at once: a field of a group and a name are different, too.
pub async fn keys_are_independent<B>(subject: &Subject<B>)
where
    B: LeaseBackend<Value: Sample> + 'static,
{
    let (a, ab, abc) = (subject.name("a"), subject.name("ab"), subject.name("abc"));
    for key in [Key::field(&ab, "c"), Key::field(&a, "bc"), Key::field(&abc, ""), Key::name(&abc)] {
        take(subject, key, LONG, "a field and a name that look alike share a lease").await;
    }
    let since = Instant::now();
    let mut tasks = JoinSet::new();
    for at in 0..200 {
        let (subject, name) = (subject.clone(), subject.name(&format!("independent {at}")));
        tasks.spawn(async move {
            let key = Key::name(&name);
            let lease =
                take(&subject, key, LONG, "a lease was refused while others were held").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let held =
                subject.fill(key, lease, fresh(&subject, at), &options()).await.must("filling");
            assert!(held == Held::Kept, "a lease was lost while others were held");
        });
    }
    tasks.join_all().await;
    assert!(
        since.elapsed() < Duration::from_secs(4),
        "200 leases of different keys waited for each other"
    );
}

/// A question that is dropped after any number of polls leaves the lease free, or held no longer than
/// its time.
pub async fn a_dropped_ask_leaves_order<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    for polls in 0..4 {
        let name = subject.name(&format!("dropped {polls}"));
        let key = Key::name(&name);
        let question = Ask::new(key, freshness(subject), SHORT);
        let _ = poll_then_drop(subject.get_or_lease(&question), polls).await;
        subject.pass_lease(AFTER).await;
        expect_free(subject, key, "a question that was dropped holds the lease past its time")
            .await;
        let answer = ask(subject, key).await;
        assert!(
            matches!(answer, Answer::Busy { .. }),
            "a lease was given twice: {}",
            shown(&answer)
        );
    }
}

/// A key, a lease of it that ended, and the lease of the present holder.
async fn overtaken<'a, B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
    name: &'a str,
) -> (Key<'a>, Lease, Lease) {
    let key = Key::name(name);
    let late = take(subject, key, SHORT, "a missing key is to be created").await;
    subject.pass_lease(AFTER).await;
    let present = take(subject, key, LONG, "a lease that was over was not given to the next").await;
    (key, late, present)
}
