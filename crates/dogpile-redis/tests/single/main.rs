//! What one server has to do with: all that needs no second one.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod envelopes;
mod hstore;
mod invalidation;
mod leases;
mod server;
