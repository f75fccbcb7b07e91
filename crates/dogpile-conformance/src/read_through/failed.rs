//! Creators that fail or panic.

use dogpile_core::{Error, ErrorKind, Key, Made, ReadThrough, Result, ServedBy};

use super::{
    Gate, answer, expect_served, expect_value, get, read, reader, reader_with, set_stale, settle,
};
use crate::{Sample, Subject};

fn fail<R: ReadThrough>(_: &Subject<R>) -> Result<Made<R::Value>> {
    Err(Error::from_creator(std::io::Error::other("the database is down")))
}

/// A creator that fails is run once, and its error is told to all that waited.
pub async fn a_failure_is_told_to_those_who_wait<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("failure"), Gate::new());
    let leader = reader_with(subject, &name, &gate, |_| {}, fail);
    gate.begun().await;
    let waiters: Vec<_> =
        (0..50).map(|_| reader_with(subject, &name, &gate, |_| {}, fail)).collect();
    settle().await;
    gate.open();
    for reader in std::iter::once(leader).chain(waiters) {
        let served = answer(reader, "one of 51 callers of a creator that fails").await;
        let same = served.as_ref().is_err_and(|error| {
            error.kind() == ErrorKind::Creation && error.creation::<std::io::Error>().is_some()
        });
        assert!(
            same,
            "who waited for a creator that failed has to get its error, and got {served:.200?}"
        );
    }
    assert!(gate.calls() == 1, "a creator that fails ran {} times for 51 callers", gate.calls());
}

/// A failure is not remembered: the next that asks creates.
pub async fn a_failure_is_forgotten<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("forgotten"), Gate::new());
    gate.open();
    let failed = answer(reader_with(subject, &name, &gate, |_| {}, fail), "a failure").await;
    assert!(failed.is_err(), "a creator failed, and its caller was served {failed:.200?}");
    let served = read(subject, Key::name(&name), 1).await;
    expect_served(&served, &[ServedBy::Created], 1, "after a failure the next could not create");
}

/// A failure leaves the stale entry where it is.
pub async fn a_failure_keeps_the_stale_entry<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("failure and stale"), Gate::new());
    set_stale(subject, Key::name(&name), 1).await;
    gate.open();
    let _ = answer(reader_with(subject, &name, &gate, |_| {}, fail), "a failure").await;
    let found = get(subject, Key::name(&name)).await;
    expect_value(found.as_ref(), 1, "a creator that failed removed the stale entry");
}

/// A creator that panics hangs nobody: its flight gets [`ErrorKind::Panicked`] or a new creator, and
/// the next that asks creates.
pub async fn a_panic_hangs_nobody<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("panic"), Gate::new());
    // Not `panic!`, whose hook would print a message into the report of a test that passes.
    let leader = reader_with(
        subject,
        &name,
        &gate,
        |_| {},
        |_| std::panic::resume_unwind(Box::new("a creator that panics")),
    );
    gate.begun().await;
    let waiters: Vec<_> = (0..20).map(|_| reader(subject, &name, 1, &gate)).collect();
    settle().await;
    gate.open();
    let led = tokio::time::timeout(super::SOON, leader).await;
    assert!(led.is_ok(), "the caller whose creator panicked hangs");
    if let Ok(Ok(served)) = led {
        let told = served.as_ref().is_err_and(|error| error.kind() == ErrorKind::Panicked);
        assert!(told, "a panic is passed on or is ErrorKind::Panicked, and was {served:.200?}");
    }
    for waiter in waiters {
        let served = answer(waiter, "a caller that waits for a creator that panics").await;
        match &served {
            Err(error) => assert!(
                error.kind() == ErrorKind::Panicked,
                "who waited for a creator that panicked got {error:?}"
            ),
            Ok(_) => {
                let by = [ServedBy::Created, ServedBy::Waited, ServedBy::Hit];
                expect_served(
                    &served,
                    &by,
                    1,
                    "who waited for a creator that panicked was served wrongly",
                );
            }
        }
    }
    let served = answer(reader(subject, &name, 1, &gate), "a caller after a panic").await;
    let by = [ServedBy::Created, ServedBy::Hit];
    expect_served(&served, &by, 1, "after a panic the next could not create");
}
