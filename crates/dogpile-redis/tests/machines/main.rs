//! What more than one server has to do with, and servers newer than the usual one.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cluster;
mod conformance;
mod failover;
#[path = "../single/fields.rs"]
mod fields;
mod sentinels;
mod sharding;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
