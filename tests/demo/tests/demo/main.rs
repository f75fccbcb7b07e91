//! The demo, run as a process: by a client that speaks HTTP, and by a browser.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod app;
mod browser;
#[path = "../../../../crates/cookie-session/tests/login/http.rs"]
#[allow(dead_code, reason = "the demo needs a part of it")]
mod http;
mod login;
mod process;
#[path = "../../../../crates/dogpile-redis/tests/support/mod.rs"]
mod servers;
mod shared;
mod trouble;
mod views;
#[path = "../../../../crates/cookie-session/tests/login/webdriver.rs"]
#[allow(dead_code, reason = "the demo needs a part of it")]
mod webdriver;
