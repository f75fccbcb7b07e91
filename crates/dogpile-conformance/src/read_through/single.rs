//! One caller.

use std::time::Duration;

use dogpile_core::{BackendExt, ErrorKind, Freshness, Key, Made, ReadThrough, ServedBy};

use super::{
    FRESH_FOR, Gate, KEEP_FOR, SOON, answer, entry, expect_served, expect_value, get, made, policy,
    read, reader, request, set_aged, set_stale,
};
use crate::suite::{Must, stop};
use crate::{Sample, Subject};

/// Who asks for a missing key creates it and gets what it created.
pub async fn a_missing_key_is_created<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    let name = subject.name("missing");
    let served = read(subject, Key::name(&name), 1).await;
    let broken = "a missing key was not created by the one that asked for it";
    expect_served(&served, &[ServedBy::Created], 1, broken);
}

/// What was created is stored as it was made, and served to the next without a creation.
pub async fn what_was_created_is_stored<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    let name = subject.name("stored");
    let (key, clock) = (Key::name(&name), subject.clock());
    let made = entry(subject, 1).with_version(7);
    let create = async || Ok(Made::new(made.clone(), super::options()));
    subject.read_through(&request(key, &clock), create).await.must("creating");
    let found = get(subject, key).await;
    expect_value(found.as_ref(), 1, "what was created was not stored");
    let stamps = found.map(|entry| (entry.created, entry.version));
    assert!(stamps == Some((made.created, 7)), "what was created was stored with other stamps");
    let served = read(subject, key, 2).await;
    expect_served(&served, &[ServedBy::Hit], 1, "what was created was not served to the next");
}

/// A fresh entry is served, and the creator is not called.
pub async fn a_fresh_entry_is_served<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    let name = subject.name("fresh");
    set_aged(subject, Key::name(&name), 1, FRESH_FOR / 2).await;
    let clock = subject.clock();
    let create = async || stop(format_args!("the creator of a fresh entry was called"));
    let served = subject.read_through(&request(Key::name(&name), &clock), create).await;
    expect_served(&served, &[ServedBy::Hit], 1, "a fresh entry was not served");
}

/// A stale entry is replaced by whoever asks for it while nobody creates.
pub async fn a_stale_entry_is_created_anew<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    let name = subject.name("stale");
    set_stale(subject, Key::name(&name), 1).await;
    let served = read(subject, Key::name(&name), 2).await;
    expect_served(&served, &[ServedBy::Created], 2, "a stale entry was not created anew");
    let found = get(subject, Key::name(&name)).await;
    expect_value(found.as_ref(), 2, "the next value did not replace the stale one");
}

/// A dead entry is as good as missing.
pub async fn a_dead_entry_is_created_anew<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    let name = subject.name("dead");
    set_aged(subject, Key::name(&name), 1, KEEP_FOR * 2).await;
    let served = read(subject, Key::name(&name), 2).await;
    expect_served(&served, &[ServedBy::Created], 2, "a dead entry was not created anew");
}

/// An entry of another version than the request asks for is as good as missing.
pub async fn another_version_is_created_anew<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    let name = subject.name("version");
    let (key, clock) = (Key::name(&name), subject.clock());
    subject.set(key, entry(subject, 1).with_version(1)).await.must("setting an entry");
    let mut request = request(key, &clock);
    request.policy = policy().with_version(2);
    let create = async || Ok(Made::new(entry(subject, 2).with_version(2), super::options()));
    let served = subject.read_through(&request, create).await;
    let broken = "an entry of another version was not created anew";
    expect_served(&served, &[ServedBy::Created], 2, broken);
}

/// An entry stamped far ahead of the clock is stale: a clock that was set back makes none immortal.
pub async fn an_entry_from_the_future_is_created_anew<R: ReadThrough<Value: Sample>>(
    subject: &Subject<R>,
) {
    let name = subject.name("future");
    let mut ahead = entry(subject, 1);
    ahead.created = ahead.created.plus(Freshness::SKEW + Duration::from_secs(3_600));
    subject.set(Key::name(&name), ahead).await.must("setting an entry from the future");
    let served = read(subject, Key::name(&name), 2).await;
    let broken = "an entry stamped far ahead of the clock was not created anew";
    expect_served(&served, &[ServedBy::Created], 2, broken);
}

/// What is made [unstored](Made::unstored) is served to its creator and not stored.
pub async fn what_is_not_to_be_stored_is_not<R: ReadThrough<Value: Sample>>(subject: &Subject<R>) {
    let name = subject.name("unstored");
    let (key, clock) = (Key::name(&name), subject.clock());
    let create = async || Ok(Made::unstored(entry(subject, 1)));
    let served = subject.read_through(&request(key, &clock), create).await;
    let broken = "what is not to be stored was not served to its creator";
    expect_served(&served, &[ServedBy::Created], 1, broken);
    assert!(get(subject, key).await.is_none(), "what was not to be stored was stored");
    let served = read(subject, key, 2).await;
    let broken = "after a value that was not stored, the next was not created";
    expect_served(&served, &[ServedBy::Created], 2, broken);
}

/// `is_creating` is true exactly while somebody creates.
pub async fn is_creating_tells_the_creator<R>(subject: &Subject<R>)
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (name, gate) = (subject.name("is creating"), Gate::new());
    let is_creating = async || subject.is_creating(Key::name(&name)).await.must("asking");
    assert!(!is_creating().await, "a key that nobody creates is said to be created");
    let task = reader(subject, &name, 1, &gate);
    gate.begun().await;
    assert!(is_creating().await, "a key that is being created is said not to be");
    gate.open();
    let _ = answer(task, "a creation ended badly").await;
    assert!(!is_creating().await, "a key that was created is said to be created still");
}

/// The creator of one key may ask for another.
pub async fn a_creator_may_ask_for_another_key<R: ReadThrough<Value: Sample>>(
    subject: &Subject<R>,
) {
    let (outer, inner) = (subject.name("outer"), subject.name("inner"));
    let clock = subject.clock();
    let create = async || {
        let served = read(subject, Key::name(&inner), 2).await;
        expect_served(&served, &[ServedBy::Created], 2, "a creator could not create another key");
        Ok(made(subject, 1))
    };
    let request = request(Key::name(&outer), &clock);
    let served = tokio::time::timeout(SOON, subject.read_through(&request, create)).await;
    let served = served.must("creating one key within another");
    expect_served(&served, &[ServedBy::Created], 1, "the outer of two creations was lost");
}

/// A creator that asks for its own key gets [`ErrorKind::Reentrant`] at once, where others would hang.
/// Decline it where the reentry cannot be seen.
pub async fn a_creator_that_asks_for_its_own_key_is_told<R: ReadThrough<Value: Sample>>(
    subject: &Subject<R>,
) {
    let name = subject.name("own key");
    let (key, clock) = (Key::name(&name), subject.clock());
    let create = async || {
        let again = read(subject, key, 2).await;
        let told = again.as_ref().is_err_and(|error| error.kind() == ErrorKind::Reentrant);
        assert!(told, "a creator that asked for its own key was answered {again:.200?}");
        Ok(made(subject, 1))
    };
    let request = request(key, &clock).with_wait_for(SOON * 2);
    let served = tokio::time::timeout(SOON, subject.read_through(&request, create)).await;
    assert!(served.is_ok(), "a creator that asked for its own key waited for itself");
}
