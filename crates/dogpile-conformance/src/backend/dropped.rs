//! Futures that are given up half way.

use dogpile_core::{Backend, Entry, Key, SetOptions};

use super::{entry, expect_value, get, set};
use crate::suite::Must;
use crate::{Sample, Subject, poll_then_drop};

/// After how many polls a future is dropped, at most.
const POLLS: usize = 6;

/// A `get` or `get_many` that is dropped after any number of polls does no harm: the next answers
/// belong to the next questions.
pub async fn a_dropped_get_leaves_order<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let (a, b) = (subject.name("get a"), subject.name("get b"));
    set(&**subject, &a, entry(subject, 1)).await;
    set(&**subject, &b, entry(subject, 2)).await;
    for polls in 0..=POLLS {
        let _ = poll_then_drop(subject.get(Key::name(&a)), polls).await;
        let _ = poll_then_drop(subject.get_many(&[Key::name(&a), Key::name(&a)]), polls).await;
        let found = get(&**subject, &b).await;
        let broken = format!("after a get that was dropped at poll {polls}, the next went wrong");
        expect_value(found.as_ref(), &B::Value::sample(2, 32), &broken);
    }
}

/// A `set_many` that is dropped after any number of polls leaves each key with its old entry or its
/// new one, and the next set gets through.
pub async fn a_dropped_set_leaves_order<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let names = [subject.name("set a"), subject.name("set b")];
    for polls in 0..=POLLS {
        for name in &names {
            set(&**subject, name, Entry::new(subject.now(), B::Value::sample(1, 65_536))).await;
        }
        let items = [&names[0], &names[1]]
            .map(|name| (Key::name(name), Entry::new(subject.now(), B::Value::sample(2, 65_536))));
        let _ = poll_then_drop(subject.set_many(&items, &SetOptions::new()), polls).await;
        for name in &names {
            let found = get(&**subject, name).await.map(|entry| entry.value);
            let known = [1, 2].map(|seed| Some(B::Value::sample(seed, 65_536)));
            assert!(
                known.contains(&found),
                "a set that was dropped at poll {polls} left neither the old value nor the new"
            );
            set(&**subject, name, entry(subject, 3)).await;
            let found = get(&**subject, name).await;
            let broken = format!("after a set that was dropped at poll {polls}, the next was lost");
            expect_value(found.as_ref(), &B::Value::sample(3, 32), &broken);
        }
    }
}

/// A `delete_many` that is dropped after any number of polls leaves each key there or gone, and the
/// next set gets through.
pub async fn a_dropped_delete_leaves_order<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let (a, b) = (subject.name("delete a"), subject.name("delete b"));
    for polls in 0..=POLLS {
        for (name, seed) in [(&a, 1), (&b, 2)] {
            set(&**subject, name, entry(subject, seed)).await;
        }
        let _ = poll_then_drop(subject.delete_many(&[Key::name(&a)]), polls).await;
        let found = subject.get(Key::name(&a)).await.must("a get after a delete that was dropped");
        if found.is_some() {
            let broken = format!("a delete that was dropped at poll {polls} left a wrong value");
            expect_value(found.as_ref(), &B::Value::sample(1, 32), &broken);
        }
        let found = get(&**subject, &b).await;
        let broken = format!("a delete that was dropped at poll {polls} harmed another key");
        expect_value(found.as_ref(), &B::Value::sample(2, 32), &broken);
    }
}
