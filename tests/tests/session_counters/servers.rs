//! The servers of the crates' own tests.
#![allow(dead_code, unreachable_pub, reason = "each program uses its part")]
#![allow(clippy::must_use_candidate, clippy::print_stdout, reason = "this is for tests")]
#![allow(missing_docs, missing_debug_implementations, reason = "this is for tests")]
#![allow(clippy::missing_panics_doc, clippy::missing_errors_doc, reason = "this is for tests")]
#![allow(clippy::panic, clippy::unwrap_in_result, reason = "a test may panic")]

#[path = "../../../crates/dogpile-memcached/tests/support/server.rs"]
pub(crate) mod memcached;
#[path = "../../../crates/dogpile-redis/tests/support/mod.rs"]
pub(crate) mod redis;
#[path = "../../../crates/dogpile-memcached/tests/support/wire.rs"]
mod wire;

// What the two share.
use redis::{process, resp};
