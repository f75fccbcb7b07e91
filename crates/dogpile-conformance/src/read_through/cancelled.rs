//! Callers that give up.

use std::time::Duration;

use dogpile_core::{ErrorKind, Key, ReadThrough, Request, ServedBy};

use super::{Gate, SOON, answer, expect_served, made, read, reader, reader_with, request, settle};
use crate::suite::Must;
use crate::{Sample, Subject, poll_then_drop};

/// A creator that is dropped hands its turn to one of those who wait, and all are served.
pub async fn a_dropped_creator_hands_the_turn_on<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("hands on"), Gate::new());
    let leader = reader(subject, &name, 1, &gate);
    gate.begun().await;
    let waiters: Vec<_> = (0..50).map(|_| reader(subject, &name, 2, &gate)).collect();
    settle().await;
    leader.abort();
    gate.begun().await;
    gate.open();
    for waiter in waiters {
        let served = answer(waiter, "a caller whose creator was dropped").await;
        let by = [ServedBy::Created, ServedBy::Waited, ServedBy::Hit];
        expect_served(&served, &by, 2, "who waited for a creator that was dropped was not served");
    }
    assert!(gate.calls() == 2, "after one dropped creator, {} creators ran in all", gate.calls());
}

/// A creator that is dropped with nobody waiting leaves the turn free.
pub async fn a_dropped_creator_frees_the_turn<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    for polls in 0..5 {
        let name = subject.name(&format!("frees {polls}"));
        let (key, clock) = (Key::name(&name), subject.clock());
        let request = request(key, &clock);
        let create = async || {
            std::future::pending::<()>().await;
            Ok(made(subject, 1))
        };
        poll_then_drop(subject.read_through(&request, create), polls).await;
        let broken = format!("creating after a creator that was dropped at poll {polls}");
        let served = tokio::time::timeout(SOON, read(subject, key, 2)).await.must(&broken);
        expect_served(&served, &[ServedBy::Created], 2, &broken);
    }
}

/// A creator that nobody polls any more, as in a `select!` that does other things, keeps its turn; who
/// waits for it waits no longer than it allowed.
pub async fn a_creator_that_is_not_polled_hangs_nobody<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("not polled"), Gate::new());
    let clock = subject.clock();
    let request = request(Key::name(&name), &clock);
    let create = async || {
        gate.pass().await;
        Ok(made(subject, 1))
    };
    let mut leader = Box::pin(subject.read_through(&request, create));
    while gate.calls() == 0 {
        let _ = tokio::time::timeout(Duration::from_millis(5), leader.as_mut()).await;
    }
    let change = |request: &mut Request<'_>| request.wait_for = Duration::from_millis(100);
    let waiter = reader_with(subject, &name, &gate, change, |subject| Ok(made(subject, 2)));
    let served = answer(waiter, "a caller whose creator is not polled").await;
    let ended = served.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut);
    assert!(
        ended,
        "who waits for a creator that is not polled is told so in time, and got {served:.200?}"
    );
    gate.open();
    let served = leader.await;
    expect_served(&served, &[ServedBy::Created], 1, "a creator that was polled again was lost");
}

/// Waiters that give up harm neither the creator nor each other.
pub async fn a_dropped_waiter_harms_nobody<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("waiters"), Gate::new());
    let leader = reader(subject, &name, 1, &gate);
    gate.begun().await;
    let (mut stay, mut leave) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        stay.push(reader(subject, &name, 2, &gate));
        leave.push(reader(subject, &name, 2, &gate));
    }
    settle().await;
    leave.into_iter().for_each(|waiter| waiter.abort());
    settle().await;
    gate.open();
    for reader in std::iter::once(leader).chain(stay) {
        let served = answer(reader, "a caller beside others that gave up").await;
        let by = [ServedBy::Created, ServedBy::Waited, ServedBy::Hit];
        expect_served(&served, &by, 1, "a caller was harmed by others that gave up");
    }
    assert!(gate.calls() == 1, "waiters that gave up made the creator run {} times", gate.calls());
}
