//! What a region promises, by topic, on an injected clock.

#![cfg(all(feature = "json", feature = "sha"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of tests may fail as tests do"
)]

mod at_hand;
mod create;
mod damage;
mod down;
mod expiry;
mod invalidation;
mod keys;
mod many;
mod options;
mod race;
mod support;
mod write;
