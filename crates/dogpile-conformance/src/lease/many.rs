//! Many questions in one call.

use std::sync::Arc;

use dogpile_core::{Answer, Ask, BackendExt, Entry, Held, Key, Lease, LeaseBackend};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{LONG, expect_value, fresh, freshness, get, options, set_stale, shown, take};
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// As many answers as questions, in their order, each what the question alone would get.
pub async fn many_answers_in_order<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let names: Vec<_> = (0..6).map(|at| subject.name(&format!("order {at}"))).collect();
    let keys: Vec<_> = names.iter().map(Key::name).collect();
    subject.set(keys[1], fresh(subject, 1)).await.must("setting a fresh entry");
    set_stale(subject, keys[2], 2).await;
    take(subject, keys[3], LONG, "a missing key is to be created").await;
    set_stale(subject, keys[4], 4).await;
    take(subject, keys[4], LONG, "a stale entry is to be created anew").await;
    let asks: Vec<_> = keys.iter().map(|key| Ask::new(*key, freshness(subject), LONG)).collect();
    let answers = subject.get_or_lease_many(&asks).await.must("asking for many");
    assert!(answers.len() == 6, "six questions were answered with {}", answers.len());
    for (at, answer) in answers.iter().enumerate() {
        let broken = "one of many answers has the wrong entry";
        match (at, answer) {
            (0 | 5, Answer::Create { stale: None, .. }) | (3, Answer::Busy { stale: None }) => {}
            (1, Answer::Fresh(entry)) => expect_value(Some(entry), 1, broken),
            (2, Answer::Create { stale, .. }) => expect_value(stale.as_ref(), 2, broken),
            (4, Answer::Busy { stale }) => expect_value(stale.as_ref(), 4, broken),
            _ => stop(format_args!("question {at} of many was answered {}", shown(answer))),
        }
    }
}

/// Of many callers that ask for overlapping keys at once, each key has one creator.
pub async fn many_questions_have_one_creator_a_key<B>(subject: &Subject<B>)
where
    B: LeaseBackend<Value: Sample> + 'static,
{
    const KEYS: usize = 40;
    let names: Arc<[String]> =
        (0..KEYS).map(|at| subject.name(&format!("overlap {at:02}"))).collect();
    let start = Arc::new(Barrier::new(20));
    let mut tasks = JoinSet::new();
    for task in 0..20 {
        let (subject, names, start) = (subject.clone(), Arc::clone(&names), Arc::clone(&start));
        tasks.spawn(async move {
            let mine: Vec<_> = (0..20).map(|at| (2 * task + at) % KEYS).collect();
            let mut sorted = mine.clone();
            sorted.sort_unstable();
            let seen_from = freshness(&subject);
            let asks: Vec<_> =
                sorted.iter().map(|&at| Ask::new(Key::name(&names[at]), seen_from, LONG)).collect();
            start.wait().await;
            let answers = subject.get_or_lease_many(&asks).await.must("asking for many");
            let creates =
                |(_, answer): &(usize, Answer<B::Value>)| matches!(answer, Answer::Create { .. });
            sorted.into_iter().zip(answers).filter(creates).map(|(at, _)| at).collect::<Vec<_>>()
        });
    }
    let mut creators = [0; KEYS];
    tasks.join_all().await.into_iter().flatten().for_each(|at| creators[at] += 1);
    for count in creators {
        assert!(
            count == 1,
            "of 20 callers with overlapping keys, {count} were to create one of them"
        );
    }
}

/// No questions, no answers; no fills, no answers.
pub async fn no_questions_no_answers<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let answers = subject.get_or_lease_many(&[]).await.must("asking for nothing");
    assert!(answers.is_empty(), "no questions were answered with {} answers", answers.len());
    let nothing: [(Key<'_>, Lease, Entry<B::Value>); 0] = [];
    let held = subject.fill_many(&nothing, &options()).await.must("filling nothing");
    assert!(held.is_empty(), "no fills were answered with {} answers", held.len());
}

/// `fill_many` answers for each in their order, stores what is held and nothing that is lost.
pub async fn fill_many_answers_in_order<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>) {
    let names: Vec<_> = (0..5).map(|at| subject.name(&format!("fills {at}"))).collect();
    let mut fills = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let lease = take(subject, Key::name(name), LONG, "a missing key is to be created").await;
        fills.push((Key::name(name), lease, fresh(subject, at)));
    }
    subject.delete(fills[1].0).await.must("deleting during a creation");
    subject.set(fills[3].0, fresh(subject, 33)).await.must("setting during a creation");
    let held = subject.fill_many(&fills, &options()).await.must("filling many");
    let wanted = [Held::Kept, Held::Lost, Held::Kept, Held::Lost, Held::Kept];
    assert!(
        held == wanted,
        "five fills, the second and fourth of them lost, were answered {held:?}"
    );
    for (at, (key, ..)) in fills.iter().enumerate() {
        let found = get(subject, *key).await;
        match at {
            1 => assert!(found.is_none(), "one of many fills was stored after a delete"),
            3 => expect_value(found.as_ref(), 33, "one of many fills was stored over a newer set"),
            _ => expect_value(found.as_ref(), at, "one of many fills was not stored"),
        }
        if held[at] == Held::Kept {
            let leased = subject.is_leased(*key).await.must("asking for a lease");
            assert!(!leased, "one of many fills left its lease taken");
        }
    }
}
