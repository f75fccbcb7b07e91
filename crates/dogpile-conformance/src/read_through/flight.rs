//! Many callers, one creation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogpile_core::{ErrorKind, Key, Made, ReadThrough, Request, ServedBy};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{
    Gate, KEEP_FOR, SOON, answer, entry, expect_served, expect_value, get, made, options, policy,
    reader, reader_with, request, set_aged, set_stale, settle,
};
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// Of 100 that ask at once for a missing key, one creates it, and all are served what it created.
pub async fn one_of_many_creates<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("one of many"), Gate::new());
    let readers: Vec<_> = (0..100).map(|_| reader(subject, &name, 1, &gate)).collect();
    gate.begun().await;
    settle().await;
    gate.open();
    for reader in readers {
        let served = answer(reader, "one of 100 callers of a missing key").await;
        let by = [ServedBy::Created, ServedBy::Waited, ServedBy::Hit];
        expect_served(&served, &by, 1, "one of 100 callers was not served what another created");
    }
    assert!(gate.calls() == 1, "100 callers of a missing key created it {} times", gate.calls());
}

/// Of 100 that ask at once for a stale entry, one creates the next, and the others do not wait.
pub async fn one_of_many_creates_a_stale_entry<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("one of many stale"), Gate::new());
    set_stale(subject, Key::name(&name), 1).await;
    let leader = reader(subject, &name, 2, &gate);
    gate.begun().await;
    let readers: Vec<_> = (0..99).map(|_| reader(subject, &name, 3, &gate)).collect();
    for reader in readers {
        let served = answer(reader, "one of 99 callers of a stale entry").await;
        let broken = "a caller was not served the stale entry while another created the next";
        expect_served(&served, &[ServedBy::Stale], 1, broken);
    }
    gate.open();
    let served = answer(leader, "the creator of the next entry").await;
    expect_served(&served, &[ServedBy::Created], 2, "the creator was not served what it created");
    assert!(gate.calls() == 1, "100 callers of a stale entry created it {} times", gate.calls());
}

/// However quick the creator, 50 that ask at once create a stale entry once: it is read again after
/// the turn was taken.
pub async fn what_was_just_created_is_not_created_again<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    for round in 0..20 {
        let name = subject.name(&format!("just created {round}"));
        set_stale(subject, Key::name(&name), 1).await;
        let (start, created) = (Arc::new(Barrier::new(50)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (subject, name) = (subject.clone(), name.clone());
            let (start, created) = (Arc::clone(&start), Arc::clone(&created));
            tasks.spawn(async move {
                let clock = subject.clock();
                start.wait().await;
                let create = async || {
                    created.fetch_add(1, Ordering::SeqCst);
                    Ok(made(&subject, 2))
                };
                let served = subject.read_through(&request(Key::name(&name), &clock), create).await;
                if let Err(error) = served {
                    stop(format_args!("one of 50 callers of a stale entry failed: {error:?}"));
                }
            });
        }
        tasks.join_all().await;
        let created = created.load(Ordering::SeqCst);
        assert!(created == 1, "50 callers at once created one stale entry {created} times");
    }
}

/// While eight tasks read a value that expires again and again, never do two create it at once, and
/// nobody is served an older value than before.
pub async fn never_two_creators_at_once<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let name = subject.name("again and again");
    let (creating, created) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (subject, name) = (subject.clone(), name.clone());
        let (creating, created) = (Arc::clone(&creating), Arc::clone(&created));
        tasks.spawn(async move {
            let clock = subject.clock();
            let mut request = request(Key::name(&name), &clock);
            request.policy = policy().with_fresh_for(Some(Duration::from_millis(60)));
            let mut newest = 0;
            for _ in 0..15 {
                let create = async || {
                    let others = creating.fetch_add(1, Ordering::SeqCst);
                    assert!(others == 0, "{} creators ran at once", others + 1);
                    tokio::time::sleep(Duration::from_millis(25)).await;
                    let number = created.fetch_add(1, Ordering::SeqCst) + 1;
                    creating.fetch_sub(1, Ordering::SeqCst);
                    let version = u32::try_from(number).unwrap_or(u32::MAX);
                    Ok(Made::new(entry(&subject, number).with_version(version), options()))
                };
                let served = subject.read_through(&request, create).await;
                let version = served.must("reading what expires again and again").entry.version;
                assert!(version >= newest, "value {version} was served after value {newest}");
                newest = version;
                subject.pass(Duration::from_millis(15)).await;
            }
        });
    }
    tasks.join_all().await;
    let created = created.load(Ordering::SeqCst);
    assert!(created > 1, "a value that expires again and again was created {created} times");
}

/// Who asks while another creates is served the stale entry at once, and not when the creator is done.
pub async fn a_stale_entry_is_served_at_once<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("at once"), Gate::new());
    set_stale(subject, Key::name(&name), 1).await;
    let leader = reader(subject, &name, 2, &gate);
    gate.begun().await;
    let since = Instant::now();
    let served = answer(reader(subject, &name, 3, &gate), "a caller of a stale entry").await;
    expect_served(&served, &[ServedBy::Stale], 1, "the stale entry was not served");
    assert!(
        since.elapsed() < SOON / 2,
        "the stale entry was served only after {:?}",
        since.elapsed()
    );
    gate.open();
    let _ = answer(leader, "the creator of the next entry").await;
    let served = answer(reader(subject, &name, 4, &gate), "a caller after the creation").await;
    expect_served(&served, &[ServedBy::Hit], 2, "the next entry was not served after its creation");
}

/// A dead entry is served to nobody: who asks while another creates waits.
pub async fn a_dead_entry_is_served_to_nobody<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("dead"), Gate::new());
    set_aged(subject, Key::name(&name), 1, KEEP_FOR * 2).await;
    waits(subject, &name, &gate, |_| {}).await;
}

/// A caller that wants no stale entry waits as if there were none.
pub async fn who_wants_no_stale_entry_waits<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("no stale"), Gate::new());
    set_stale(subject, Key::name(&name), 1).await;
    waits(subject, &name, &gate, |request| request.serve_stale = false).await;
}

async fn waits<R>(
    subject: &Subject<R>,
    name: &str,
    gate: &Arc<Gate>,
    change: impl FnOnce(&mut Request<'_>) + Send + 'static,
) where
    R: ReadThrough<Value: Sample> + 'static,
{
    let leader = reader(subject, name, 2, gate);
    gate.begun().await;
    let waiter = reader_with(subject, name, gate, change, |subject| Ok(made(subject, 3)));
    settle().await;
    assert!(
        !waiter.is_finished(),
        "who was to wait for the next entry was answered before it was there"
    );
    gate.open();
    let _ = answer(leader, "the creator of the next entry").await;
    let served = answer(waiter, "a caller that waited").await;
    let by = [ServedBy::Waited, ServedBy::Hit];
    expect_served(&served, &by, 2, "who waited was not served the next entry");
}

/// What is made [unstored](Made::unstored) is served to those who wait, too, and not created again for
/// each of them.
pub async fn what_is_not_stored_is_told_to_those_who_wait<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("unstored"), Gate::new());
    let unstored = |subject: &Subject<R>| Ok(Made::unstored(entry(subject, 1)));
    let readers: Vec<_> =
        (0..20).map(|_| reader_with(subject, &name, &gate, |_| {}, unstored)).collect();
    gate.begun().await;
    settle().await;
    gate.open();
    for reader in readers {
        let served = answer(reader, "one of 20 callers").await;
        let by = [ServedBy::Created, ServedBy::Waited];
        expect_served(&served, &by, 1, "who waited was not served a value that is not stored");
    }
    assert!(
        gate.calls() == 1,
        "a value that is not stored was created {} times for 20 callers",
        gate.calls()
    );
    let found = get(subject, Key::name(&name)).await;
    assert!(found.is_none(), "what was not to be stored was stored");
}

/// A caller waits no longer than it allowed, and the creation goes on without it.
pub async fn waiting_has_an_end<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("wait for"), Gate::new());
    let leader = reader(subject, &name, 1, &gate);
    gate.begun().await;
    for wait_for in [Duration::ZERO, Duration::from_millis(50)] {
        let change = move |request: &mut Request<'_>| request.wait_for = wait_for;
        let waiter = reader_with(subject, &name, &gate, change, |subject| Ok(made(subject, 2)));
        let served = answer(waiter, "a caller that waits for a short time").await;
        let ended = served.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut);
        assert!(ended, "a wait of {wait_for:?} is ErrorKind::TimedOut, and was {served:.200?}");
    }
    gate.open();
    let served = answer(leader, "a creator for whom nobody waited any more").await;
    expect_served(&served, &[ServedBy::Created], 1, "a creation ended with a wait for it");
}

/// A creation that takes longer than its lease keeps its turn.
pub async fn a_long_creation_keeps_its_turn<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("long"), Gate::new());
    let reader = |seed| {
        let change = |request: &mut Request<'_>| request.lease_for = Duration::from_millis(150);
        reader_with(subject, &name, &gate, change, move |subject| Ok(made(subject, seed)))
    };
    let leader = reader(1);
    gate.begun().await;
    let mut waiters = Vec::new();
    for _ in 0..4 {
        // The lease really passes in steps, so that the heartbeat gets its turn between them.
        tokio::time::sleep(Duration::from_millis(60)).await;
        subject.pass(Duration::from_millis(40)).await;
        waiters.push(reader(2));
    }
    settle().await;
    gate.open();
    let served = answer(leader, "a long creation").await;
    expect_served(&served, &[ServedBy::Created], 1, "a long creation was lost");
    for waiter in waiters {
        let served = answer(waiter, "a caller that waits for a long creation").await;
        let by = [ServedBy::Waited, ServedBy::Hit];
        expect_served(&served, &by, 1, "who waited for a long creation was not served its value");
    }
    assert!(gate.calls() == 1, "a creation longer than its lease ran {} times", gate.calls());
    let found = get(subject, Key::name(&name)).await;
    expect_value(found.as_ref(), 1, "the value of a long creation was not stored");
}

/// 100 keys are created at the same time: none waits for another's creator.
pub async fn keys_are_independent<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let gate = Gate::new();
    let names: Vec<_> = (0..100).map(|at| subject.name(&format!("independent {at}"))).collect();
    let readers: Vec<_> =
        names.iter().enumerate().map(|(at, name)| reader(subject, name, at, &gate)).collect();
    for _ in &names {
        gate.begun().await;
    }
    gate.open();
    for (at, reader) in readers.into_iter().enumerate() {
        let served = answer(reader, "one of 100 creations at once").await;
        expect_served(
            &served,
            &[ServedBy::Created],
            at,
            "creations of different keys were mixed up",
        );
    }
}
