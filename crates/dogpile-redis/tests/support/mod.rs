//! Real servers for tests, examples and measurements: started on free ports in folders of their own,
//! and gone with the value that stands for them, or with the process.
//!
//! Nothing here needs more than `std`, so that anything can take it in with
//! `#[path = ".../tests/support/mod.rs"]`.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each program uses its part")]
#![allow(clippy::panic, clippy::unwrap_in_result, clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::must_use_candidate, clippy::print_stdout, reason = "this is for tests")]
#![allow(missing_docs, missing_debug_implementations, reason = "this is for tests")]
#![allow(clippy::missing_panics_doc, clippy::missing_errors_doc, reason = "this is for tests")]
#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "this is for tests")]

pub mod cluster;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod resp;
pub mod sentinel;
pub mod server;

pub use self::cluster::Cluster;
pub use self::process::{Folder, wait_until};
pub use self::programs::{Kind, python};
pub use self::proxy::Proxy;
pub use self::resp::{Reply, Wire};
pub use self::sentinel::Sentinels;
pub use self::server::{Options, Server};
