//! Fields of groups.

use dogpile_core::{Backend, BackendExt, Entry, ErrorKind, Key};

use super::{entry, expect_value};
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// A field is told apart from a plain name, and `("ab", "c")` from `("a", "bc")`, however a store
/// joins the two.
pub async fn groups_and_names_are_told_apart<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let group = |end: &str| subject.name(end);
    let (a, ab, abc, empty) = (group("a"), group("ab"), group("abc"), group(""));
    let (colon, bracket, nul) = (group("a:bc"), group("a[bc]"), group("a\0bc"));
    let keys = [
        Key::field(&ab, "c"),
        Key::field(&a, "bc"),
        Key::field(&abc, ""),
        Key::field(&empty, "abc"),
        Key::name(&abc),
        Key::name(&colon),
        Key::name(&bracket),
        Key::name(&nul),
        Key::field(&a, ":bc"),
        Key::field(&colon, ""),
        Key::field("", &abc),
    ];
    for (seed, key) in keys.iter().enumerate() {
        let entry = Entry::new(subject.now(), B::Value::sample(seed, 32));
        subject.set(*key, entry).await.must("setting fields and names that look alike");
    }
    for (seed, key) in keys.iter().enumerate() {
        let found = subject.get(*key).await.must("getting fields and names that look alike");
        let broken = format!("{key:?} was mixed up with another key");
        expect_value(found.as_ref(), &B::Value::sample(seed, 32), &broken);
    }
    subject.delete_many(&keys).await.must("deleting fields and names");
}

/// `delete_group` removes every field of the group; or it is [`ErrorKind::Refused`], and removes
/// nothing.
pub async fn delete_group_removes_its_fields<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let group = subject.name("group");
    let fields: Vec<_> = (0..20).map(|at| format!("field {at}")).collect();
    for (seed, field) in fields.iter().enumerate() {
        subject.set(Key::field(&group, field), entry(subject, seed)).await.must("setting a field");
    }
    let removed = removed(subject, &group).await;
    for (seed, field) in fields.iter().enumerate() {
        let found = subject.get(Key::field(&group, field)).await.must("getting a field");
        match removed {
            true => assert!(found.is_none(), "a field is still there after its group was deleted"),
            false => {
                let broken = "delete_group was refused, and a field is gone all the same";
                expect_value(found.as_ref(), &B::Value::sample(seed, 32), broken);
            }
        }
    }
}

/// `delete_group` spares other groups, also those whose name starts alike, and plain names.
pub async fn delete_group_spares_the_rest<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let (group, longer, shorter) =
        (subject.name("group"), subject.name("group1"), subject.name("grou"));
    let pattern = subject.name("gr*");
    let rest = [
        Key::field(&longer, "field"),
        Key::field(&shorter, "pfield"),
        Key::field(&pattern, "field"),
        Key::name(&group),
        Key::name(&longer),
        Key::name("field"),
    ];
    subject.set(Key::field(&group, "field"), entry(subject, 99)).await.must("setting a field");
    for (seed, key) in rest.iter().enumerate() {
        subject.set(*key, entry(subject, seed)).await.must("setting a key");
    }
    removed(subject, &group).await;
    for (seed, key) in rest.iter().enumerate() {
        let found = subject.get(*key).await.must("getting a key outside the group");
        let broken = format!("delete_group touched {key:?}, which is not in the group");
        expect_value(found.as_ref(), &B::Value::sample(seed, 32), &broken);
    }
    subject.delete_many(&rest).await.must("deleting keys");
}

/// Deleting a group that has no fields is no error.
pub async fn deleting_no_group_is_no_error<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    removed(subject, &subject.name("no group")).await;
}

/// Whether the store deletes groups.
async fn removed<B: Backend>(subject: &Subject<B>, group: &str) -> bool {
    match subject.delete_group(group.as_bytes()).await {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::Refused => false,
        Err(error) => stop(format_args!(
            "delete_group removes the group or is ErrorKind::Refused, and was {error:?}"
        )),
    }
}
