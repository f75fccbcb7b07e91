//! How long entries are kept.

use std::time::Duration;

use dogpile_core::{Backend, Key, SetOptions};

use super::{entry, expect_value, get};
use crate::suite::Must;
use crate::{Sample, Subject};

/// An entry is there before its `keep_for` is over.
pub async fn what_is_to_be_kept_is_kept<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("keep");
    put(subject, &name, 1, Some(Duration::from_millis(2_500))).await;
    subject.pass(Duration::from_millis(500)).await;
    let found = get(&**subject, &name).await;
    let broken = "an entry to be kept for 2.5 s was gone after 0.5 s";
    expect_value(found.as_ref(), &B::Value::sample(1, 32), broken);
}

/// A second set brings its own `keep_for`, and that of the first is forgotten.
pub async fn the_last_keep_for_counts<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let (longer, for_ever) = (subject.name("longer"), subject.name("for ever"));
    for (name, then) in [(&longer, Some(Duration::from_secs(60))), (&for_ever, None)] {
        put(subject, name, 1, Some(Duration::from_millis(300))).await;
        put(subject, name, 2, then).await;
    }
    subject.pass(Duration::from_millis(1_400)).await;
    for name in [longer, for_ever] {
        let found = get(&**subject, &name).await;
        let broken = "an entry was dropped when the `keep_for` of the one before it was over";
        expect_value(found.as_ref(), &B::Value::sample(2, 32), broken);
    }
}

/// `keep_for` counts from the write and not from `created`: an old entry may be written anew.
pub async fn keep_for_counts_from_the_write<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    let name = subject.name("old");
    let mut old = entry(subject, 1);
    old.created = old.created.minus(Duration::from_secs(3_600));
    let options = SetOptions::new().with_keep_for(Some(Duration::from_secs(60)));
    subject.set_many(&[(Key::name(&name), old)], &options).await.must("setting an old entry");
    let found = get(&**subject, &name).await;
    let broken = "an entry created an hour ago and to be kept for a minute from now was not found";
    expect_value(found.as_ref(), &B::Value::sample(1, 32), broken);
}

/// A `keep_for` from nothing to for ever is accepted, and a long one keeps.
pub async fn any_keep_for_is_accepted<B: Backend<Value: Sample>>(subject: &Subject<B>) {
    const DAY: u64 = 24 * 3_600;
    for short in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(1)] {
        put(subject, &subject.name("short"), 1, Some(short)).await;
    }
    let long = [30 * DAY, 31 * DAY, 400 * DAY, 100 * 365 * DAY].map(Duration::from_secs);
    for (seed, keep_for) in long.into_iter().chain([Duration::MAX]).enumerate() {
        let name = subject.name(&format!("long {seed}"));
        put(subject, &name, seed, Some(keep_for)).await;
        let found = get(&**subject, &name).await;
        let broken =
            format!("an entry to be kept for {} days was not found", keep_for.as_secs() / DAY);
        expect_value(found.as_ref(), &B::Value::sample(seed, 32), &broken);
    }
}

async fn put<B: Backend<Value: Sample>>(
    subject: &Subject<B>,
    name: &str,
    seed: usize,
    keep_for: Option<Duration>,
) {
    let options = SetOptions::new().with_keep_for(keep_for);
    let items = [(Key::name(name), entry(subject, seed))];
    subject
        .set_many(&items, &options)
        .await
        .must(&format!("setting an entry to keep for {keep_for:?}"));
}
