//! The conformance suites: on one server in every envelope and layout and through every kind of
//! connection, in a cluster, behind Sentinels, and on newer servers; and the fields that those drop.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::atomic::{AtomicUsize, Ordering};

use dogpile_conformance::Subject;
use dogpile_redis::Redis;

/// Two handles with the same prefix, which no other test has: some properties use names that others
/// use too, such as none at all.
async fn subject<B>(open: impl AsyncFn() -> Redis, of: impl Fn(Redis) -> B) -> Subject<B> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("{} ", NEXT.fetch_add(1, Ordering::Relaxed));
    let handle = async || of(open().await.with_prefix(&prefix));
    Subject::new(handle().await).with_other(handle().await)
}

/// All suites over the plain keys and the counters of what `open` opens.
macro_rules! names {
    () => {
        dogpile_conformance::backend_suite!(subject(open, |redis| redis));
        dogpile_conformance::lease_suite!(subject(open, |redis| redis));
        dogpile_conformance::counter_suite!(subject(open, |redis| redis.counter()));
    };
}

/// All suites over fields of groups.
macro_rules! fields {
    () => {
        mod fields_of_a_group {
            use super::*;

            dogpile_conformance::backend_suite!(subject(open, Fields));
            dogpile_conformance::lease_suite!(subject(open, Fields));
        }
    };
}

mod field_expiry;
mod fields;
#[cfg(all(feature = "cluster", feature = "sentinel"))]
mod machines;
mod newer;
mod one;
#[path = "../support/mod.rs"]
mod support;
