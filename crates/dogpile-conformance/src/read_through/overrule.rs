//! Writes and deletes during a creation.

use dogpile_core::{BackendExt, Key, ReadThrough, ServedBy};

use super::{Gate, answer, entry, expect_served, expect_value, get, reader};
use crate::suite::Must;
use crate::{Sample, Subject};

/// A value that is set during a creation stays; the creator is still served its own.
pub async fn a_set_during_a_creation_wins<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("set"), Gate::new());
    let leader = reader(subject, &name, 1, &gate);
    gate.begun().await;
    subject.set(Key::name(&name), entry(subject, 2)).await.must("setting during a creation");
    gate.open();
    let served = answer(leader, "a creator whose key was set meanwhile").await;
    expect_served(&served, &[ServedBy::Created], 1, "a creator was not served what it created");
    let found = get(subject, Key::name(&name)).await;
    expect_value(found.as_ref(), 2, "a creation stored its value over a newer set");
}

/// A key that is deleted during a creation stays deleted; the creator is still served its value.
pub async fn a_delete_during_a_creation_wins<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("delete"), Gate::new());
    let leader = reader(subject, &name, 1, &gate);
    gate.begun().await;
    subject.delete(Key::name(&name)).await.must("deleting during a creation");
    gate.open();
    let served = answer(leader, "a creator whose key was deleted meanwhile").await;
    expect_served(&served, &[ServedBy::Created], 1, "a creator was not served what it created");
    let found = get(subject, Key::name(&name)).await;
    assert!(found.is_none(), "a value whose key was deleted during its creation was stored");
}
