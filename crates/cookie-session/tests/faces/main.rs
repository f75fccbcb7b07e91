//! The sessions of Tower, axum and actix-web, in one process: what each does with the headers of a
//! response, and when.

#![cfg(all(feature = "axum", feature = "actix"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod actix;
mod axum;
mod handlers;
#[path = "../support/mod.rs"]
mod support;
mod tower;
