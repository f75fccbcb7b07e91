//! Storing what was created.

use dogpile_core::{Answer, Entry, ErrorKind, Held, Key, Lease, LeaseBackend};

use super::{
    AFTER, LONG, SHORT, ask, expect_busy, expect_free, expect_value, fresh, get, options, shown,
    take,
};
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// What the holder of the lease fills in is stored, with its stamps.
pub async fn fill_stores_the_entry<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("fill");
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    let made = fresh(subject, 1).with_version(7);
    let held = subject.fill(key, lease, made.clone(), &options()).await.must("filling");
    assert!(held == Held::Kept, "the holder of a lease was told that it had lost it");
    let found = get(subject, key).await;
    expect_value(found.as_ref(), 1, "what the holder of the lease filled in was not stored");
    let stamps = found.map(|entry| (entry.created, entry.version));
    assert!(stamps == Some((made.created, 7)), "what was filled in lost its stamps");
}

/// A fill ends the lease: the next that asks is served, and nobody holds it.
pub async fn fill_ends_the_lease<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("fill ends");
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    let _ = subject.fill(key, lease, fresh(subject, 1), &options()).await.must("filling");
    let leased = subject.is_leased(key).await.must("asking for a lease");
    assert!(!leased, "a lease was still held after its fill");
    let answer = ask(subject, key).await;
    assert!(
        matches!(answer, Answer::Fresh(_)),
        "what was filled in was not served: {}",
        shown(&answer)
    );
    let held = subject.extend(key, lease, LONG).await.must("extending after a fill");
    assert!(held == Held::Lost, "a lease could be extended after its fill");
}

/// A creator whose lease ended and went to another stores nothing, and is told so.
pub async fn an_overtaken_fill_stores_nothing<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let name = subject.name("overtaken");
    let key = Key::name(&name);
    let late = take(subject, key, SHORT, "a missing key is to be created").await;
    subject.pass_lease(AFTER).await;
    let present = take(subject, key, LONG, "a lease that was over was not given to the next").await;
    let held = subject.fill(key, late, fresh(subject, 1), &options()).await.must("filling late");
    assert!(
        held == Held::Lost,
        "a creator whose lease went to another was told that it stored its value"
    );
    let found = get(subject, key).await;
    assert!(found.is_none(), "a creator whose lease went to another stored its value");
    expect_busy(subject, key, "a late fill ended the lease of the present holder").await;
    let held = subject.fill(key, present, fresh(subject, 2), &options()).await.must("filling");
    assert!(held == Held::Kept, "the present holder lost its lease to a late one");
    expect_value(get(subject, key).await.as_ref(), 2, "the present holder's value was not stored");
}

/// A lease that was never granted fills nothing.
pub async fn a_foreign_fill_stores_nothing<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("foreign");
    let key = Key::name(&name);
    take(subject, key, LONG, "a missing key is to be created").await;
    let foreign = Lease::new(u128::MAX - 7);
    let held = subject.fill(key, foreign, fresh(subject, 1), &options()).await;
    assert!(held.must("filling with a foreign lease") == Held::Lost, "a foreign lease could fill");
    assert!(get(subject, key).await.is_none(), "a lease that was never granted stored a value");
    expect_busy(subject, key, "a foreign fill ended the lease of the holder").await;
}

/// A lease fills once.
pub async fn a_second_fill_stores_nothing<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("second");
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    let _ = subject.fill(key, lease, fresh(subject, 1), &options()).await.must("filling");
    let held = subject.fill(key, lease, fresh(subject, 2), &options()).await.must("filling again");
    assert!(held == Held::Lost, "a lease could be filled a second time");
    expect_value(get(subject, key).await.as_ref(), 1, "a second fill of one lease was stored");
}

/// A lease that ran out and went to nobody is filled, or lost: and the answer says which.
pub async fn a_late_fill_is_kept_or_lost<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("late");
    let key = Key::name(&name);
    let lease = take(subject, key, SHORT, "a missing key is to be created").await;
    subject.pass_lease(AFTER).await;
    match subject.fill(key, lease, fresh(subject, 1), &options()).await.must("filling late") {
        Held::Kept => {
            let broken = "a late fill was said to have worked, and stored nothing";
            expect_value(get(subject, key).await.as_ref(), 1, broken);
        }
        Held::Lost => {
            let found = get(subject, key).await;
            assert!(found.is_none(), "a late fill was said to be lost, and stored its value");
            expect_free(subject, key, "a late fill that was lost left the lease taken").await;
        }
    }
}

/// A value that is too large is an error, and the lease is ended: others need not wait for it.
pub async fn a_fill_that_is_too_large_ends_the_lease<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let name = subject.name("too large");
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    let large = Entry::new(subject.now(), B::Value::sample(1, 2 << 20));
    match subject.fill(key, lease, large.clone(), &options()).await {
        Ok(held) => {
            assert!(held == Held::Kept, "the holder of a lease was told that it had lost it");
            let whole = get(subject, key).await.is_some_and(|found| found.value == large.value);
            assert!(whole, "a fill of 2 MiB was said to have worked, and did not");
        }
        Err(error) if error.kind() == ErrorKind::TooLarge => {
            expect_free(subject, key, "a fill that was too large left the lease taken").await;
        }
        Err(error) => stop(format_args!(
            "a fill of 2 MiB is stored or ErrorKind::TooLarge, and was {error:?}"
        )),
    }
}
