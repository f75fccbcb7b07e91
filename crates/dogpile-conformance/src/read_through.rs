//! What every [`ReadThrough`] has to do: the dogpile protocol, as its callers see it.
//!
//! Each function is one property. It panics with a sentence that says which behaviour is broken.
//! [`read_through_suite!`](crate::read_through_suite) makes a test of each.

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

mod cancelled;
mod detached;
mod failed;
mod flight;
mod many;
mod overrule;
mod single;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile_core::{
    BackendExt, Clock, Entry, Key, Made, Policy, ReadThrough, Request, Result, Served, ServedBy,
    SetOptions,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub use self::cancelled::*;
pub use self::detached::*;
pub use self::failed::*;
pub use self::flight::*;
pub use self::many::*;
pub use self::overrule::*;
pub use self::single::*;
use crate::suite::{Must, properties, stop};
use crate::{Sample, Subject};

properties! { __read_through_properties,
    a_missing_key_is_created
    what_was_created_is_stored
    a_fresh_entry_is_served
    a_stale_entry_is_created_anew
    a_dead_entry_is_created_anew
    another_version_is_created_anew
    an_entry_from_the_future_is_created_anew
    what_is_not_to_be_stored_is_not
    is_creating_tells_the_creator
    a_creator_may_ask_for_another_key
    a_creator_that_asks_for_its_own_key_is_told
    one_of_many_creates
    one_of_many_creates_a_stale_entry
    what_was_just_created_is_not_created_again
    never_two_creators_at_once
    a_stale_entry_is_served_at_once
    a_dead_entry_is_served_to_nobody
    who_wants_no_stale_entry_waits
    what_is_not_stored_is_told_to_those_who_wait
    waiting_has_an_end
    a_long_creation_keeps_its_turn
    keys_are_independent
    a_failure_is_told_to_those_who_wait
    a_failure_is_forgotten
    a_failure_keeps_the_stale_entry
    a_panic_hangs_nobody
    a_dropped_creator_hands_the_turn_on
    a_dropped_creator_frees_the_turn
    a_creator_that_is_not_polled_hangs_nobody
    a_dropped_waiter_harms_nobody
    a_set_during_a_creation_wins
    a_delete_during_a_creation_wins
    a_detached_creation_is_served
    a_detached_creation_outlives_its_caller
    many_are_answered_in_order
    many_fresh_entries_create_nothing
    many_callers_create_each_key_once
    many_join_the_creation_of_one
    many_take_over_from_a_dropped_creator
    too_few_results_are_an_error
    a_failure_of_many_frees_every_turn
    a_dropped_creator_of_many_frees_every_turn
}

/// How long what is due at once may take on a busy machine.
const SOON: Duration = Duration::from_secs(2);
/// How long an entry is fresh here, and how long it may be served.
const FRESH_FOR: Duration = Duration::from_secs(60);
const KEEP_FOR: Duration = Duration::from_secs(600);

fn policy() -> Policy {
    Policy::new().with_fresh_for(Some(FRESH_FOR)).with_keep_for(Some(KEEP_FOR))
}

fn request<'a>(key: Key<'a>, clock: &'a Arc<dyn Clock>) -> Request<'a> {
    Request::new(key, policy(), clock).with_wait_for(Duration::from_secs(20))
}

fn options() -> SetOptions {
    SetOptions::new().with_keep_for(Some(KEEP_FOR))
}

fn entry<R: ReadThrough<Value: Sample>>(subject: &Subject<R>, seed: usize) -> Entry<R::Value> {
    Entry::new(subject.now(), R::Value::sample(seed, 32))
}

fn made<R: ReadThrough<Value: Sample>>(subject: &Subject<R>, seed: usize) -> Made<R::Value> {
    Made::new(entry(subject, seed), options())
}

async fn set_aged<R>(subject: &Subject<R>, key: Key<'_>, seed: usize, age: Duration)
where
    R: ReadThrough<Value: Sample>,
{
    let mut aged = entry(subject, seed);
    aged.created = aged.created.minus(age);
    subject.set(key, aged).await.must("setting an old entry");
}

async fn set_stale<R: ReadThrough<Value: Sample>>(subject: &Subject<R>, key: Key<'_>, seed: usize) {
    set_aged(subject, key, seed, FRESH_FOR * 2).await;
}

async fn get<R: ReadThrough>(subject: &Subject<R>, key: Key<'_>) -> Option<Entry<R::Value>> {
    subject.get(key).await.must("getting an entry")
}

/// Reads a key with a creator that is ready at once.
async fn read<R: ReadThrough<Value: Sample>>(
    subject: &Subject<R>,
    key: Key<'_>,
    seed: usize,
) -> Result<Served<R::Value>> {
    let clock = subject.clock();
    subject.read_through(&request(key, &clock), async || Ok(made(subject, seed))).await
}

#[track_caller]
fn expect_served<V: Sample>(
    served: &Result<Served<V>>,
    by: &[ServedBy],
    seed: usize,
    broken: &str,
) {
    let right = served
        .as_ref()
        .is_ok_and(|served| by.contains(&served.by) && served.entry.value == V::sample(seed, 32));
    assert!(right, "{broken}: the answer was {:.300}", format!("{served:?}"));
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

/// A creator that a test holds back: it says when it has begun, and ends when it is let go.
#[derive(Debug)]
struct Gate {
    calls: AtomicUsize,
    begun: Semaphore,
    open: Semaphore,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicUsize::new(0),
            begun: Semaphore::new(0),
            open: Semaphore::new(0),
        })
    }

    /// How often a creator passed here.
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// What a creator does first.
    async fn pass(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.begun.add_permits(1);
        let _ = self.open.acquire().await;
    }

    /// Waits until one more creator has begun.
    async fn begun(&self) {
        match tokio::time::timeout(SOON, self.begun.acquire()).await {
            Ok(Ok(permit)) => permit.forget(),
            _ => stop(format_args!("nobody began to create what is to be created")),
        }
    }

    /// Lets all creators end, those to come too.
    fn open(&self) {
        self.open.add_permits(1 << 16);
    }
}

/// A task that reads a key with a creator behind the gate.
fn reader<R>(
    subject: &Subject<R>,
    name: &str,
    seed: usize,
    gate: &Arc<Gate>,
) -> JoinHandle<Result<Served<R::Value>>>
where
    R: ReadThrough<Value: Sample> + 'static,
{
    reader_with(subject, name, gate, |_| {}, move |subject| Ok(made(subject, seed)))
}

/// The same with a changed request and another result.
fn reader_with<R>(
    subject: &Subject<R>,
    name: &str,
    gate: &Arc<Gate>,
    change: impl FnOnce(&mut Request<'_>) + Send + 'static,
    make: impl FnOnce(&Subject<R>) -> Result<Made<R::Value>> + Send + 'static,
) -> JoinHandle<Result<Served<R::Value>>>
where
    R: ReadThrough<Value: Sample> + 'static,
{
    let (subject, name, gate) = (subject.clone(), name.to_owned(), Arc::clone(gate));
    tokio::spawn(async move {
        let clock = subject.clock();
        let mut request = request(Key::name(&name), &clock);
        change(&mut request);
        let create = async || {
            gate.pass().await;
            make(&subject)
        };
        subject.read_through(&request, create).await
    })
}

/// What a task answered; its panic goes on here.
async fn answer<T>(task: JoinHandle<T>, broken: &str) -> T {
    match tokio::time::timeout(SOON, task).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => stop(format_args!("{broken}: {error}")),
        Err(_) => stop(format_args!("{broken}: it did not end within {SOON:?}")),
    }
}

/// Time for tasks that were spawned to get as far as they can.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(40)).await;
}
