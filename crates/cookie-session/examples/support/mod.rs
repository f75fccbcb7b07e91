//! What the two applications share: everything but their web framework.

pub mod app;
pub mod options;
pub mod page;
pub mod sqlite;
