//! What more than one server has to do with.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cluster;
mod failover;
mod sentinels;
mod sharding;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
