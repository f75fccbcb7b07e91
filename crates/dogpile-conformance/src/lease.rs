//! What every [`LeaseBackend`] has to do, beyond what every [`Backend`](dogpile_core::Backend) has.
//!
//! Each function is one property. It panics with a sentence that says which behaviour is broken.
//! [`lease_suite!`](crate::lease_suite) makes a test of each.

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

mod answer;
mod fill;
mod hold;
mod many;
mod overrule;
mod wait;

use std::time::Duration;

use dogpile_core::{
    Answer, Ask, BackendExt, Entry, Freshness, Key, Lease, LeaseBackend, Policy, SetOptions,
};

pub use self::answer::*;
pub use self::fill::*;
pub use self::hold::*;
pub use self::many::*;
pub use self::overrule::*;
pub use self::wait::*;
use crate::suite::{Must, properties, stop};
use crate::{Sample, Subject};

properties! { __lease_properties,
    a_missing_key_is_to_be_created
    a_fresh_entry_is_served
    a_fresh_entry_is_served_during_a_creation
    a_stale_entry_comes_with_the_turn
    the_others_are_busy
    asking_never_waits
    a_stale_entry_comes_with_busy
    a_dead_entry_is_missing
    another_version_is_missing
    an_entrys_own_expiry_makes_it_stale
    an_entry_from_the_future_is_stale
    one_of_many_creates
    what_was_just_created_is_not_created_again
    fill_stores_the_entry
    fill_ends_the_lease
    an_overtaken_fill_stores_nothing
    a_foreign_fill_stores_nothing
    a_second_fill_stores_nothing
    a_late_fill_is_kept_or_lost
    a_fill_that_is_too_large_ends_the_lease
    a_fill_after_a_set_stores_nothing
    a_fill_after_a_delete_stores_nothing
    a_fill_after_its_group_was_deleted_stores_nothing
    a_set_ends_the_lease
    a_delete_ends_the_lease
    a_lease_lasts_its_time
    a_lease_has_an_end
    extend_lengthens_the_lease
    a_lost_lease_cannot_extend
    release_ends_the_lease
    release_keeps_the_stale_entry
    a_lost_lease_cannot_release
    abandon_ends_the_lease
    a_lost_lease_cannot_abandon
    tokens_are_never_used_again
    is_leased_tells_the_holder
    handles_share_leases
    keys_are_independent
    a_dropped_ask_leaves_order
    many_answers_in_order
    many_questions_have_one_creator_a_key
    no_questions_no_answers
    fill_many_answers_in_order
    waiting_for_no_lease_is_no_wait
    fill_ends_a_wait
    release_ends_a_wait
    delete_ends_a_wait
    a_wait_ends_with_the_lease
    a_wait_has_an_end
    many_waiters_are_all_woken
    cancelled_waits_leak_nothing
}

/// A lease that outlives its test.
const LONG: Duration = Duration::from_secs(30);
/// A lease that ends within a test.
const SHORT: Duration = Duration::from_millis(150);
/// More than a short lease.
const AFTER: Duration = Duration::from_millis(250);
/// How long an entry is fresh here, and how long it is kept.
const FRESH_FOR: Duration = Duration::from_secs(60);
const KEEP_FOR: Duration = Duration::from_secs(600);

fn policy() -> Policy {
    Policy::new().with_fresh_for(Some(FRESH_FOR)).with_keep_for(Some(KEEP_FOR))
}

fn freshness<B>(subject: &Subject<B>) -> Freshness {
    policy().at(subject.now())
}

fn options() -> SetOptions {
    SetOptions::new().with_keep_for(Some(KEEP_FOR))
}

fn fresh<B: LeaseBackend<Value: Sample>>(subject: &Subject<B>, seed: usize) -> Entry<B::Value> {
    Entry::new(subject.now(), B::Value::sample(seed, 32))
}

fn aged<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
    seed: usize,
    age: Duration,
) -> Entry<B::Value> {
    Entry::new(subject.now().minus(age), B::Value::sample(seed, 32))
}

/// Stores an entry that is past its time, and not yet dead.
async fn set_stale<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
    key: Key<'_>,
    seed: usize,
) {
    subject.set(key, aged(subject, seed, FRESH_FOR * 2)).await.must("setting a stale entry");
}

async fn ask_for<B: LeaseBackend>(
    subject: &Subject<B>,
    key: Key<'_>,
    lease_for: Duration,
) -> Answer<B::Value> {
    let ask = Ask::new(key, freshness(subject), lease_for);
    subject.get_or_lease(&ask).await.must("asking for an entry or its lease")
}

async fn ask<B: LeaseBackend>(subject: &Subject<B>, key: Key<'_>) -> Answer<B::Value> {
    ask_for(subject, key, LONG).await
}

/// Takes a lease, and panics with `broken` if it is not granted.
async fn take<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
    key: Key<'_>,
    lease_for: Duration,
    broken: &str,
) -> Lease {
    match ask_for(subject, key, lease_for).await {
        Answer::Create { lease, .. } => lease,
        answer => stop(format_args!("{broken}: the answer was {}", shown(&answer))),
    }
}

async fn get<B: LeaseBackend>(subject: &Subject<B>, key: Key<'_>) -> Option<Entry<B::Value>> {
    subject.get(key).await.must("getting an entry")
}

/// Panics with `broken` unless the key is to be created now, and nobody else does it.
async fn expect_free<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
    key: Key<'_>,
    broken: &str,
) {
    take(subject, key, LONG, broken).await;
}

/// Panics with `broken` unless somebody is creating the key.
async fn expect_busy<B: LeaseBackend<Value: Sample>>(
    subject: &Subject<B>,
    key: Key<'_>,
    broken: &str,
) {
    let answer = ask(subject, key).await;
    assert!(matches!(answer, Answer::Busy { .. }), "{broken}: the answer was {}", shown(&answer));
}

/// An answer in few words, however large its value.
fn shown<V: Sample>(answer: &Answer<V>) -> String {
    format!("{:.200}", format!("{answer:?}"))
}

#[track_caller]
fn expect_value<V: Sample>(found: Option<&Entry<V>>, seed: usize, broken: &str) {
    let (found, wanted) = (found.map(|entry| &entry.value), V::sample(seed, 32));
    assert!(
        found == Some(&wanted),
        "{broken}: found {:.200}, not {wanted:.200?}",
        format!("{found:?}")
    );
}
