//! Real memcached servers for tests, started on free ports or sockets in folders of their own, and gone
//! with the value that stands for them, or with the process.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each program uses its part")]
#![allow(clippy::panic, clippy::unwrap_in_result, clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::must_use_candidate, clippy::print_stdout, reason = "this is for tests")]
#![allow(missing_docs, missing_debug_implementations, reason = "this is for tests")]
#![allow(clippy::missing_panics_doc, clippy::missing_errors_doc, reason = "this is for tests")]
#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "this is for tests")]

pub mod cache;
pub mod liar;
#[path = "../../../dogpile-redis/tests/support/process.rs"]
pub mod process;
#[path = "../../../dogpile-redis/tests/support/programs.rs"]
pub mod programs;
#[path = "../../../dogpile-redis/tests/support/proxy.rs"]
pub mod proxy;
#[path = "../../../dogpile-redis/tests/support/resp.rs"]
pub mod resp;
pub mod server;
pub mod wire;

pub use self::liar::{Liar, Lie, Then, Twist};
pub use self::process::{Folder, wait_until};
pub use self::programs::{example, python};
pub use self::proxy::Proxy;
pub use self::resp::Place;
pub use self::server::{Options, Server};
pub use self::wire::Wire;
