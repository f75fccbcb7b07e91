//! What a server holds: keys, values, sizes, times and leases, looked at from both sides.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::unwrap_in_result, clippy::print_stdout, reason = "this is for tests")]
#![allow(clippy::cast_possible_truncation, reason = "these numbers are small")]

mod content;
mod expiry;
mod format;
mod inspect;
mod leases;
#[cfg(feature = "classic")]
mod old;
mod sizes;
#[path = "../support/mod.rs"]
mod support;
mod trips;

use dogpile_memcached::{Connect, Memcached};

use crate::support::Server;
use crate::support::cache::{made, millis, put, region, value};

async fn open() -> (Server, Memcached) {
    let server = Server::start();
    let memcached = Memcached::connect(&server.url()).await.unwrap();
    (server, memcached)
}

/// One connection, so that what is counted on the wire is the same each time.
fn single() -> Connect {
    Connect::new().with_connections(1)
}
