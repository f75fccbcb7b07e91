//! Creations that may outlive their callers.

use std::sync::Arc;

use dogpile_core::{Key, ReadThrough, Result, Served, ServedBy};
use tokio::task::JoinHandle;

use super::{Gate, answer, expect_served, made, read, request, settle};
use crate::{Sample, Subject};

/// A detached creation is served to its caller, and runs once.
pub async fn a_detached_creation_is_served<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("detached"), Gate::new());
    let readers: Vec<_> = (0..20).map(|_| detached(subject, &name, &gate)).collect();
    gate.begun().await;
    settle().await;
    gate.open();
    for reader in readers {
        let served = answer(reader, "a caller of a detached creation").await;
        let by = [ServedBy::Created, ServedBy::Waited, ServedBy::Hit];
        expect_served(&served, &by, 1, "a detached creation was not served");
    }
    assert!(gate.calls() == 1, "a detached creation ran {} times for 20 callers", gate.calls());
}

/// A detached creation goes on when its caller gives up, and later callers find its value. Decline it
/// where nothing can run in the background.
pub async fn a_detached_creation_outlives_its_caller<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("outlives"), Gate::new());
    let leader = detached(subject, &name, &gate);
    gate.begun().await;
    leader.abort();
    settle().await;
    let waiter = detached(subject, &name, &gate);
    settle().await;
    gate.open();
    let served = answer(waiter, "a caller after the one that gave up").await;
    let by = [ServedBy::Waited, ServedBy::Hit];
    expect_served(&served, &by, 1, "a detached creation ended with its caller");
    assert!(gate.calls() == 1, "a detached creation was run again after its caller gave up");
    let served = read(subject, Key::name(&name), 2).await;
    expect_served(&served, &[ServedBy::Hit], 1, "the value of a detached creation was not stored");
}

fn detached<R>(
    subject: &Subject<R>,
    name: &str,
    gate: &Arc<Gate>,
) -> JoinHandle<Result<Served<R::Value>>>
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (subject, name, gate) = (subject.clone(), name.to_owned(), Arc::clone(gate));
    tokio::spawn(async move {
        let clock = subject.clock();
        let creator = subject.clone();
        let create = move || async move {
            gate.pass().await;
            Ok(made(&creator, 1))
        };
        subject.read_through_detached(&request(Key::name(&name), &clock), create).await
    })
}
