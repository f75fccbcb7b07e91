//! What every [`Backend`] has to do.
//!
//! Each function is one property. It panics with a sentence that says which behaviour is broken.
//! [`backend_suite!`](crate::backend_suite) makes a test of each.

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

mod dropped;
mod groups;
mod keep;
mod many;
mod names;
mod parallel;
mod single;

use dogpile_core::{Backend, BackendExt, Entry, Key};

pub use self::dropped::*;
pub use self::groups::*;
pub use self::keep::*;
pub use self::many::*;
pub use self::names::*;
pub use self::parallel::*;
pub use self::single::*;
use crate::suite::{Must, properties};
use crate::{Sample, Subject};

properties! { __backend_properties,
    nothing_is_none
    what_is_set_is_found
    a_later_set_overwrites
    an_older_stamp_overwrites_too
    what_is_deleted_is_gone
    deleting_nothing_is_no_error
    a_deleted_key_can_be_set_again
    created_is_kept
    version_is_kept
    expires_is_kept
    a_stale_entry_is_found
    values_of_all_sizes_come_back_whole
    handles_see_each_others_writes
    peek_shows_what_is_there
    peek_misses_nothing
    get_many_answers_in_order
    get_many_answers_twice_what_is_asked_twice
    set_many_stores_each
    the_last_of_a_key_set_twice_is_kept
    delete_many_removes_these_only
    no_keys_are_no_round_trip
    a_thousand_keys_at_once
    odd_names_are_told_apart
    odd_names_are_accepted
    long_names_are_told_apart
    long_names_are_accepted
    groups_and_names_are_told_apart
    delete_group_removes_its_fields
    delete_group_spares_the_rest
    deleting_no_group_is_no_error
    what_is_to_be_kept_is_kept
    the_last_keep_for_counts
    keep_for_counts_from_the_write
    any_keep_for_is_accepted
    many_tasks_write_one_key
    many_tasks_write_many_keys
    a_dropped_get_leaves_order
    a_dropped_set_leaves_order
    a_dropped_delete_leaves_order
}

/// An entry of the present moment.
fn entry<B: Backend<Value: Sample>>(subject: &Subject<B>, seed: usize) -> Entry<B::Value> {
    Entry::new(subject.now(), B::Value::sample(seed, 32))
}

async fn set<B: Backend>(backend: &B, name: &str, entry: Entry<B::Value>) {
    backend.set(Key::name(name), entry).await.must("setting an entry");
}

async fn get<B: Backend>(backend: &B, name: &str) -> Option<Entry<B::Value>> {
    backend.get(Key::name(name)).await.must("getting an entry")
}

/// Panics with `broken`, what was found and what was wanted, unless the value is there.
#[track_caller]
fn expect_value<V: Sample>(found: Option<&Entry<V>>, wanted: &V, broken: &str) {
    let found = found.map(|entry| &entry.value);
    assert!(
        found == Some(wanted),
        "{broken}: found {:.200}, not {:.200}",
        format!("{found:?}"),
        format!("{wanted:?}")
    );
}
