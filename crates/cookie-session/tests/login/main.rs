//! The example applications, run as processes: by a client that speaks HTTP, and by a browser.

#![cfg(all(feature = "axum", feature = "actix"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod app;
mod browser;
mod http;
mod readme;
mod story;
mod webdriver;
