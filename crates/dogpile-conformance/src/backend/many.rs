//! Many keys in one call.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use dogpile_core::{Backend, Entry, Key, SetOptions};

use super::{entry, expect_value, get, set};
use crate::suite::Must;
use crate::{Sample, Subject};

/// `get_many` answers as many keys as it is asked for, in their order, with `None` for the holes.
pub async fn get_many_answers_in_order<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let names: Vec<_> = (0..20).map(|at| subject.name(&format!("order {at}"))).collect();
    for seed in [17, 2, 11, 5] {
        set(&**subject, &names[seed], entry(subject, seed)).await;
    }
    let asked = [5, 0, 17, 3, 2, 19, 11];
    let keys: Vec<_> = asked.iter().map(|&at| Key::name(&names[at])).collect();
    let found = subject.get_many(&keys).await.must("getting many");
    assert!(found.len() == asked.len(), "{} keys were answered with {}", asked.len(), found.len());
    for (seed, found) in asked.into_iter().zip(&found) {
        match [17, 2, 11, 5].contains(&seed) {
            true => {
                let broken = "get_many gave a key the answer of another";
                expect_value(found.as_ref(), &B::Value::sample(seed, 32), broken);
            }
            false => {
                assert!(found.is_none(), "get_many found a key that was never set: {found:.200?}")
            }
        }
    }
}

/// A key asked for twice is answered twice.
pub async fn get_many_answers_twice_what_is_asked_twice<B: Backend<Value: Sample>>(
    subject: &Subject<B>,
) {
    let (a, b) = (subject.name("twice a"), subject.name("twice b"));
    set(&**subject, &a, entry(subject, 1)).await;
    set(&**subject, &b, entry(subject, 2)).await;
    let keys = [Key::name(&a), Key::name(&b), Key::name(&a)];
    let found = subject.get_many(&keys).await.must("getting a key twice");
    assert!(found.len() == 3, "three keys, two of them equal, were answered with {}", found.len());
    for (found, seed) in found.iter().zip([1, 2, 1]) {
        let broken = "a key asked for twice was not answered twice";
        expect_value(found.as_ref(), &B::Value::sample(seed, 32), broken);
    }
}

/// `set_many` stores each of its items, with its own stamps.
pub async fn set_many_stores_each<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let names: Vec<_> = (0..10).map(|at| subject.name(&format!("each {at}"))).collect();
    let items: Vec<_> = (0..)
        .zip(&names)
        .map(|(at, name)| (Key::name(name), entry(subject, at as usize).with_version(at)))
        .collect();
    subject.set_many(&items, &SetOptions::new()).await.must("setting many");
    for (at, (key, wanted)) in items.iter().enumerate() {
        let found = subject.get(*key).await.must("getting an entry");
        let broken = format!("item {at} of a set_many was not stored under its key");
        expect_value(found.as_ref(), &wanted.value, &broken);
        let version = found.map(|entry| entry.version);
        assert!(version == Some(wanted.version), "item {at} of a set_many has version {version:?}");
    }
}

/// Of one key given twice in a `set_many`, the last is kept.
pub async fn the_last_of_a_key_set_twice_is_kept<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let (a, b) = (subject.name("last a"), subject.name("last b"));
    let items: Vec<_> = [(&a, 1), (&b, 2), (&a, 3)]
        .into_iter()
        .map(|(name, seed)| (Key::name(name), entry(subject, seed)))
        .collect();
    subject.set_many(&items, &SetOptions::new()).await.must("setting a key twice");
    let found = get(&**subject, &a).await;
    let broken = "of one key given twice in a set_many, the last was not kept";
    expect_value(found.as_ref(), &B::Value::sample(3, 32), broken);
}

/// `delete_many` removes its keys, whether they are there or not, and no other.
pub async fn delete_many_removes_these_only<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let names: Vec<_> = (0..6).map(|at| subject.name(&format!("these {at}"))).collect();
    for (at, name) in names.iter().enumerate().filter(|(at, _)| *at != 2) {
        set(&**subject, name, entry(subject, at)).await;
    }
    let gone: Vec<_> = [0, 2, 4].iter().map(|&at: &usize| Key::name(&names[at])).collect();
    subject.delete_many(&gone).await.must("deleting many, one of them absent");
    for (at, name) in names.iter().enumerate() {
        let found = get(&**subject, name).await;
        match at % 2 {
            0 => assert!(
                found.is_none(),
                "key {at} is still there after a delete_many that named it"
            ),
            _ => {
                let broken = "a key that a delete_many did not name is gone";
                expect_value(found.as_ref(), &B::Value::sample(at, 32), broken);
            }
        }
    }
}

/// A call without keys or items answers at its first poll: there is nothing to ask a server.
pub async fn no_keys_are_no_round_trip<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let got = at_first_poll("get_many", subject.get_many(&[])).await.must("getting no keys");
    assert!(got.is_empty(), "no keys were answered with {} answers", got.len());
    let nothing: [(Key<'_>, Entry<B::Value>); 0] = [];
    let options = SetOptions::new();
    let set = subject.set_many(&nothing, &options);
    at_first_poll("set_many", set).await.must("setting nothing");
    at_first_poll("delete_many", subject.delete_many(&[])).await.must("deleting no keys");
}

async fn at_first_poll<F: Future>(method: &str, future: F) -> F::Output {
    let mut future = pin!(future);
    match poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        Poll::Ready(output) => output,
        Poll::Pending => crate::suite::stop(format_args!(
            "{method} of nothing waited for something: a round trip"
        )),
    }
}

/// A thousand keys in one call keep their order, and none is lost.
pub async fn a_thousand_keys_at_once<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let names: Vec<_> = (0..1_000).map(|at| subject.name(&format!("thousand {at}"))).collect();
    let keys: Vec<_> = names.iter().map(Key::name).collect();
    let items: Vec<_> =
        keys.iter().enumerate().map(|(at, key)| (*key, entry(subject, at))).collect();
    subject.set_many(&items, &SetOptions::new()).await.must("setting a thousand keys");
    let found = subject.get_many(&keys).await.must("getting a thousand keys");
    assert!(found.len() == 1_000, "a thousand keys were answered with {}", found.len());
    for (at, found) in found.iter().enumerate() {
        let broken = format!("key {at} of a thousand has not its own value");
        expect_value(found.as_ref(), &B::Value::sample(at, 32), &broken);
    }
    subject.delete_many(&keys).await.must("deleting a thousand keys");
    let found = subject.get_many(&keys).await.must("getting a thousand deleted keys");
    assert!(found.iter().all(Option::is_none), "some of a thousand deleted keys are still there");
}
