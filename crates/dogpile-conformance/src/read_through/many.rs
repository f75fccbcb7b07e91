//! Many keys in one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile_core::{
    BackendExt, Error, ErrorKind, Key, Made, ReadThrough, Result, Served, ServedBy,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Gate, SOON, answer, entry, expect_served, made, read, reader, request, settle};
use crate::suite::{Must, stop};
use crate::{Sample, Subject, poll_then_drop};

fn names<R>(subject: &Subject<R>, what: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| subject.name(&format!("{what} {at:02}"))).collect()
}

/// As many answers as keys, in their order; the creator is told the positions of what is missing, and
/// nothing else.
pub async fn many_are_answered_in_order<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    let names = names(subject, "order", 8);
    // Neither sorted nor the order in which they are stored.
    let keys: Vec<_> = [5, 0, 7, 2, 4].map(|at: usize| Key::name(&names[at])).into();
    for at in [1, 3] {
        subject.set(keys[at], entry(subject, at)).await.must("setting an entry");
    }
    let asked = std::sync::Mutex::new(Vec::<usize>::new());
    let create = async |wanted: Vec<usize>| {
        asked.lock().must("the list of positions").extend(&wanted);
        Ok(wanted.into_iter().map(|at| made(subject, at)).collect())
    };
    let clock = subject.clock();
    let served = subject.read_through_many(&keys, &request(keys[0], &clock), create).await;
    let served = served.must("reading many keys");
    assert!(served.len() == 5, "five keys were answered with {}", served.len());
    for (at, served) in served.into_iter().enumerate() {
        let by = [if at % 2 == 1 { ServedBy::Hit } else { ServedBy::Created }];
        expect_served(&Ok(served), &by, at, "one of many keys was answered wrongly");
    }
    let mut asked = asked.into_inner().must("the list of positions");
    asked.sort_unstable();
    assert!(asked == [0, 2, 4], "the creator of keys 0, 2 and 4 was asked for {asked:?}");
}

/// The creator is not called when every entry is fresh, or when there are no keys.
pub async fn many_fresh_entries_create_nothing<R: ReadThrough<Value: Sample>>(
    subject: &Subject<R>,
) {
    let names = names(subject, "fresh", 3);
    let keys: Vec<_> = names.iter().map(Key::name).collect();
    for (at, key) in keys.iter().enumerate() {
        subject.set(*key, entry(subject, at)).await.must("setting an entry");
    }
    let clock = subject.clock();
    for keys in [&keys[..], &[]] {
        let create = async |_| stop(format_args!("a creator was called for nothing"));
        let served = subject.read_through_many(keys, &request(Key::name(""), &clock), create).await;
        let served = served.must("reading many keys");
        assert!(
            served.len() == keys.len(),
            "{} keys were answered with {}",
            keys.len(),
            served.len()
        );
        for (at, served) in served.into_iter().enumerate() {
            expect_served(
                &Ok(served),
                &[ServedBy::Hit],
                at,
                "one of many fresh entries was not served",
            );
        }
    }
}

/// Of many callers that ask at once for overlapping keys, each missing key is created once.
pub async fn many_callers_create_each_key_once<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    const KEYS: usize = 30;
    let names: Arc<[String]> = names(subject, "overlap", KEYS).into();
    let created: Arc<[AtomicUsize]> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
    for at in (0..KEYS).step_by(4) {
        subject.set(Key::name(&names[at]), entry(subject, at)).await.must("setting an entry");
    }
    let start = Arc::new(Barrier::new(20));
    let mut tasks = JoinSet::new();
    for task in 0..20 {
        let (subject, names) = (subject.clone(), Arc::clone(&names));
        let (created, start) = (Arc::clone(&created), Arc::clone(&start));
        tasks.spawn(async move {
            // Forwards and backwards, so that who takes turns in the order given would deadlock.
            let mut mine: Vec<_> = (0..15).map(|at| (task + at) % KEYS).collect();
            if task % 2 == 0 {
                mine.reverse();
            }
            let keys: Vec<_> = mine.iter().map(|&at| Key::name(&names[at])).collect();
            let create = async |wanted: Vec<usize>| {
                let wanted: Vec<_> = wanted.into_iter().map(|at| mine[at]).collect();
                wanted.iter().for_each(|&at| _ = created[at].fetch_add(1, Ordering::SeqCst));
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(wanted.into_iter().map(|at| made(&subject, at)).collect())
            };
            let clock = subject.clock();
            start.wait().await;
            let served = subject.read_through_many(&keys, &request(keys[0], &clock), create).await;
            for (at, served) in mine.iter().zip(served.must("reading many keys")) {
                let by = [ServedBy::Created, ServedBy::Waited, ServedBy::Hit];
                expect_served(
                    &Ok(served),
                    &by,
                    *at,
                    "one of many overlapping keys was answered wrongly",
                );
            }
        });
    }
    tasks.join_all().await;
    for (at, created) in created.iter().enumerate() {
        let (created, due) = (created.load(Ordering::SeqCst), usize::from(at % 4 != 0));
        assert!(
            created == due,
            "20 callers with overlapping keys created one {created} times, not {due}"
        );
    }
}

/// A key that somebody creates by itself is not created again for a caller of many.
pub async fn many_join_the_creation_of_one<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (names, gate) = (names(subject, "join", 2), Gate::new());
    let single = reader(subject, &names[0], 0, &gate);
    gate.begun().await;
    let (task_subject, task_names) = (subject.clone(), names.clone());
    let many = tokio::spawn(async move {
        let (subject, clock) = (&task_subject, task_subject.clock());
        let keys: Vec<_> = task_names.iter().map(Key::name).collect();
        let create = async |wanted: Vec<usize>| {
            assert!(wanted == [1], "what another creates was to be created again: {wanted:?}");
            Ok(vec![made(subject, 1)])
        };
        subject.read_through_many(&keys, &request(keys[0], &clock), create).await
    });
    settle().await;
    gate.open();
    let _ = answer(single, "the creation of one").await;
    let served = answer(many, "a caller of many that waits for another").await;
    for (at, served) in served.must("reading many keys").into_iter().enumerate() {
        let by = [ServedBy::Created, ServedBy::Waited, ServedBy::Hit];
        expect_served(&Ok(served), &by, at, "a caller of many was answered wrongly");
    }
}

/// A key whose creator elsewhere gives up is created by the caller of many that waits for it.
pub async fn many_take_over_from_a_dropped_creator<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (names, gate) = (names(subject, "take over", 2), Gate::new());
    let single = reader(subject, &names[0], 9, &gate);
    gate.begun().await;
    let (task_subject, task_names) = (subject.clone(), names.clone());
    let many = tokio::spawn(async move {
        let (subject, clock) = (&task_subject, task_subject.clock());
        let keys: Vec<_> = task_names.iter().map(Key::name).collect();
        let create =
            async |wanted: Vec<usize>| Ok(wanted.into_iter().map(|at| made(subject, at)).collect());
        subject.read_through_many(&keys, &request(keys[0], &clock), create).await
    });
    settle().await;
    single.abort();
    let served = answer(many, "a caller of many whose key was given up by another").await;
    for (at, served) in served.must("reading many keys").into_iter().enumerate() {
        let by = [ServedBy::Created, ServedBy::Hit];
        expect_served(&Ok(served), &by, at, "a caller of many was answered wrongly");
    }
}

/// A creator that answers too few or too many results is [`ErrorKind::Creation`], and its turns are
/// free again.
pub async fn too_few_results_are_an_error<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    for results in [0, 1, 4] {
        let names = names(subject, &format!("results {results}"), 3);
        let keys: Vec<_> = names.iter().map(Key::name).collect();
        let create = async |_| Ok((0..results).map(|at| made(subject, at)).collect::<Vec<_>>());
        let clock = subject.clock();
        let served = subject.read_through_many(&keys, &request(keys[0], &clock), create).await;
        let told = served.as_ref().is_err_and(|error| error.kind() == ErrorKind::Creation);
        assert!(
            told,
            "{results} results for three keys are ErrorKind::Creation, and were {served:.200?}"
        );
        expect_free(subject, &keys, "after a wrong number of results").await;
    }
}

/// A creator of many that fails frees every turn that it had.
pub async fn a_failure_of_many_frees_every_turn<R: ReadThrough<Value: Sample>>(
    subject: &Subject<R>,
) {
    let names = names(subject, "failure", 3);
    let keys: Vec<_> = names.iter().map(Key::name).collect();
    let clock = subject.clock();
    let create = async |_| -> Result<Vec<Made<R::Value>>> {
        Err(Error::from_creator(std::io::Error::other("the database is down")))
    };
    let served = subject.read_through_many(&keys, &request(keys[0], &clock), create).await;
    let told = served.as_ref().is_err_and(|error| error.kind() == ErrorKind::Creation);
    assert!(told, "a creator of many that fails is ErrorKind::Creation, and was {served:.200?}");
    expect_free(subject, &keys, "after a failure").await;
}

/// A creator of many that is dropped frees every turn that it had.
pub async fn a_dropped_creator_of_many_frees_every_turn<R: ReadThrough<Value: Sample>>(
    subject: &Subject<R>,
) {
    let names = names(subject, "dropped", 3);
    let keys: Vec<_> = names.iter().map(Key::name).collect();
    let clock = subject.clock();
    let request = request(keys[0], &clock);
    let create = async |_| std::future::pending::<Result<Vec<Made<R::Value>>>>().await;
    poll_then_drop(subject.read_through_many(&keys, &request, create), 4).await;
    expect_free(subject, &keys, "after a creator that was dropped").await;
}

async fn expect_free<R: ReadThrough<Value: Sample>>(
    subject: &Subject<R>,
    keys: &[Key<'_>],
    after: &str,
) {
    for key in keys {
        let broken = format!("creating one of many keys {after}");
        let served: Result<Served<R::Value>> =
            tokio::time::timeout(SOON, read(subject, *key, 9)).await.must(&broken);
        expect_served(&served, &[ServedBy::Created], 9, &broken);
    }
}
