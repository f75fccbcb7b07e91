//! What every [`Lock`] has to do.
//!
//! Each function is one property. It panics with a sentence that says which behaviour is broken.
//! [`lock_suite!`](crate::lock_suite) makes a test of each.

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

mod hold;
mod keys;
mod lost;
mod wait;

use std::time::Duration;

use dogpile_core::{Held, Key, Lease, Lock};

pub use self::hold::*;
pub use self::keys::*;
pub use self::lost::*;
pub use self::wait::*;
use crate::suite::{Must, properties, stop};

properties! { __lock_properties,
    a_held_lock_is_refused
    one_of_many_gets_the_lock
    unlock_frees
    a_lease_lasts_its_time
    an_ended_lease_frees
    extend_lengthens_the_lease
    extend_counts_from_now
    tokens_are_never_used_again
    any_lease_time_is_accepted
    is_locked_tells_the_holder
    handles_exclude_each_other
    a_dropped_try_lock_leaves_order
    a_foreign_lease_cannot_unlock
    a_foreign_lease_cannot_extend
    a_lost_lease_cannot_unlock
    a_lost_lease_cannot_extend
    revoke_takes_the_lock_away
    revoke_takes_these_only
    revoking_nothing_is_no_error
    revoke_group_takes_its_locks_away
    revoke_group_spares_the_rest
    abandon_frees
    a_lost_lease_cannot_abandon
    waiting_for_a_free_lock_is_no_wait
    unlock_ends_a_wait
    abandon_ends_a_wait
    revoke_ends_a_wait
    a_wait_has_an_end
    many_waiters_are_all_woken
    cancelled_waits_leak_nothing
    keys_are_independent
    groups_and_names_are_different_locks
    odd_names_are_different_locks
}

/// A lease that outlives its test.
const LONG: Duration = Duration::from_secs(30);
/// A lease that ends within a test.
const SHORT: Duration = Duration::from_millis(150);
/// More than a short lease.
const AFTER: Duration = Duration::from_millis(250);

async fn try_lock<L: Lock>(lock: &L, key: Key<'_>, lease_for: Duration) -> Option<Lease> {
    lock.try_lock(key, lease_for).await.must("trying a lock")
}

/// Takes a lock, and panics with `broken` if it is refused.
async fn take<L: Lock>(lock: &L, key: Key<'_>, lease_for: Duration, broken: &str) -> Lease {
    match try_lock(lock, key, lease_for).await {
        Some(lease) => lease,
        None => stop(format_args!("{broken}")),
    }
}

/// Panics with `broken` unless the lock is held, and its holder is told so.
async fn expect_held<L: Lock>(lock: &L, key: Key<'_>, lease: Lease, broken: &str) {
    let taken = try_lock(lock, key, LONG).await;
    assert!(taken.is_none(), "{broken}: the lock was free");
    let held = lock.extend(key, lease, LONG).await.must("extending a lease");
    assert!(held == Held::Kept, "{broken}: the holder lost its lease");
}
