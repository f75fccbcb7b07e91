//! What the two applications share: everything but their web framework.

pub mod app;
pub mod options;
pub mod page;
#[path = "../sqlite/store.rs"]
#[allow(dead_code, reason = "clocks are for tests")]
pub mod sqlite;
