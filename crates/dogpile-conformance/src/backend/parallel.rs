//! Many tasks at once.

use dogpile_core::{Backend, BackendExt, Entry, Key};
use tokio::task::JoinSet;

use super::{expect_value, get, set};
use crate::suite::Must;
use crate::{Sample, Subject};

/// Sixteen tasks write and read one key: every reader finds a value that somebody wrote, whole, and
/// in the end a last one is there.
pub async fn many_tasks_write_one_key<B>(subject: &Subject<B>)
where
    B: Backend<Value: Sample> + 'static,
{
    const SIZE: usize = 8_192;
    let name = subject.name("one key");
    set(&**subject, &name, Entry::new(subject.now(), B::Value::sample(0, SIZE))).await;
    let mut tasks = JoinSet::new();
    for seed in 0..16 {
        let (subject, name) = (subject.clone(), name.clone());
        tasks.spawn(async move {
            for _ in 0..20 {
                let mine = Entry::new(subject.now(), B::Value::sample(seed, SIZE));
                subject.set(Key::name(&name), mine).await.must("one of many sets at once");
                let found = subject.get(Key::name(&name)).await.must("one of many gets at once");
                let whole = found.is_some_and(|found| {
                    (0..16).any(|seed| found.value == B::Value::sample(seed, SIZE))
                });
                assert!(whole, "a reader found nothing, or a value that nobody wrote");
            }
        });
    }
    tasks.join_all().await;
    set(&**subject, &name, Entry::new(subject.now(), B::Value::sample(99, SIZE))).await;
    let found = get(&**subject, &name).await;
    let broken = "after many writers at once, a single one did not get through";
    expect_value(found.as_ref(), &B::Value::sample(99, SIZE), broken);
}

/// Sixteen tasks with keys of their own do not disturb each other.
pub async fn many_tasks_write_many_keys<B>(subject: &Subject<B>)
where
    B: Backend<Value: Sample> + 'static,
{
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let subject = subject.clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let name = subject.name(&format!("task {task} round {round}"));
                let value = B::Value::sample(task * 100 + round, 64);
                set(&*subject, &name, Entry::new(subject.now(), value.clone())).await;
                let found = get(&*subject, &name).await;
                let broken = "a task did not find what it wrote while others wrote other keys";
                expect_value(found.as_ref(), &value, broken);
                if round % 2 == 0 {
                    subject.delete(Key::name(&name)).await.must("one of many deletes at once");
                    let found = get(&*subject, &name).await;
                    assert!(found.is_none(), "a task found what it deleted while others wrote");
                }
            }
        });
    }
    tasks.join_all().await;
}
