//! Writes and deletes during a creation.

use dogpile_core::{BackendExt, ErrorKind, Held, Key, LeaseBackend};

use super::{
    FRESH_FOR, LONG, aged, expect_free, expect_value, fresh, get, options, set_stale, take,
};
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// A value that is set during a creation wins over the one that is being created.
pub async fn a_fill_after_a_set_stores_nothing<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let name = subject.name("set during a creation");
    let key = Key::name(&name);
    let lease = take(subject, key, LONG, "a missing key is to be created").await;
    subject.set(key, fresh(subject, 1)).await.must("setting during a creation");
    let held = subject.fill(key, lease, fresh(subject, 2), &options()).await.must("filling");
    assert!(held == Held::Lost, "a creation was told that it stored its value over a newer set");
    expect_value(
        get(subject, key).await.as_ref(),
        1,
        "a creation stored its value over a newer set",
    );
}

/// A delete during a creation wins over the value that is being created.
pub async fn a_fill_after_a_delete_stores_nothing<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let names =
        [subject.name("delete during a creation"), subject.name("the same of a stale entry")];
    set_stale(subject, Key::name(&names[1]), 1).await;
    for name in &names {
        let key = Key::name(name);
        let lease = take(subject, key, LONG, "a key that is not fresh is to be created").await;
        subject.delete(key).await.must("deleting during a creation");
        let held = subject.fill(key, lease, fresh(subject, 2), &options()).await.must("filling");
        assert!(held == Held::Lost, "a creation was told that it stored its value after a delete");
        let found = get(subject, key).await;
        assert!(found.is_none(), "a value whose key was deleted during its creation was stored");
    }
}

/// Deleting a group wins over the values of its fields that are being created.
pub async fn a_fill_after_its_group_was_deleted_stores_nothing<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let group = subject.name("group");
    let keys = ["a", "b"].map(|field| Key::field(&group, field));
    set_stale(subject, keys[1], 1).await;
    let mut leases = Vec::new();
    for key in keys {
        leases.push(take(subject, key, LONG, "a key that is not fresh is to be created").await);
    }
    match subject.delete_group(group.as_bytes()).await {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::Refused => return,
        Err(error) => stop(format_args!("deleting a group failed: {error:?}")),
    }
    for (key, lease) in keys.into_iter().zip(leases) {
        let held = subject.fill(key, lease, fresh(subject, 2), &options()).await.must("filling");
        assert!(
            held == Held::Lost,
            "a creation was told that it stored its value in a deleted group"
        );
        let found = get(subject, key).await;
        assert!(found.is_none(), "a value whose group was deleted during its creation was stored");
    }
}

/// A set takes the lease away: whoever finds the new entry stale may create at once.
pub async fn a_set_ends_the_lease<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("set ends");
    let key = Key::name(&name);
    let late = take(subject, key, LONG, "a missing key is to be created").await;
    subject.set(key, aged(subject, 1, FRESH_FOR * 2)).await.must("setting during a creation");
    let held = subject.extend(key, late, LONG).await.must("extending after a set");
    assert!(held == Held::Lost, "a lease was still its holder's after the key was set");
    expect_free(subject, key, "a set during a creation left the lease taken").await;
}

/// A delete takes the lease away: the next that asks creates at once.
pub async fn a_delete_ends_the_lease<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("delete ends");
    let key = Key::name(&name);
    let late = take(subject, key, LONG, "a missing key is to be created").await;
    subject.delete(key).await.must("deleting during a creation");
    let held = subject.extend(key, late, LONG).await.must("extending after a delete");
    assert!(held == Held::Lost, "a lease was still its holder's after the key was deleted");
    expect_free(subject, key, "a delete during a creation left the lease taken").await;
}
