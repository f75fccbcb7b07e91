//! Many tasks at once.

use std::sync::Arc;

use dogpile_core::{Backend, BackendExt, Entry, Key};
use tokio::task::{JoinSet, yield_now};

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
    let values: Arc<[B::Value]> = (0..16).map(|seed| B::Value::sample(seed, SIZE)).collect();
    set(&**subject, &name, Entry::new(subject.now(), values[0].clone())).await;
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (subject, name, values) = (subject.clone(), name.clone(), Arc::clone(&values));
        tasks.spawn(async move {
            for _ in 0..20 {
                let mine = Entry::new(subject.now(), values[task].clone());
                subject.set(Key::name(&name), mine).await.must("one of many sets at once");
                yield_now().await;
                let found = subject.get(Key::name(&name)).await.must("one of many gets at once");
                let whole = found.is_some_and(|found| values.contains(&found.value));
                assert!(whole, "a reader found nothing, or a value that nobody wrote");
            }
        });
    }
    tasks.join_all().await;
    let last = B::Value::sample(99, SIZE);
    set(&**subject, &name, Entry::new(subject.now(), last.clone())).await;
    let found = get(&**subject, &name).await;
    let broken = "after many writers at once, a single one did not get through";
    expect_value(found.as_ref(), &last, broken);
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
            let name = |round: usize| subject.name(&format!("task {task:02} round {round:02}"));
            let value = |round: usize| B::Value::sample(task * 100 + round, 64);
            for round in 0..20 {
                let entry = Entry::new(subject.now(), value(round));
                set(&*subject, &name(round), entry).await;
                if round % 2 == 0 {
                    let key = name(round);
                    subject.delete(Key::name(&key)).await.must("one of many deletes at once");
                }
                yield_now().await;
            }
            for round in 0..20 {
                let found = get(&*subject, &name(round)).await;
                match round % 2 {
                    0 => {
                        assert!(found.is_none(), "a task found what it deleted while others wrote")
                    }
                    _ => {
                        let broken =
                            "a task did not find what it wrote while others wrote other keys";
                        expect_value(found.as_ref(), &value(round), broken);
                    }
                }
            }
        });
    }
    tasks.join_all().await;
}
