//! The code of the peers on the pages of the book that tell how to come from them.
//!
//! That the pages show these very lines, a test of the workspace sees; that they compile and run, these
//! do: `cargo test --manifest-path tests/bench/Cargo.toml`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cached;
mod cookie_rs;
mod moka;

async fn load_user(id: u64) -> Result<String, std::io::Error> {
    Ok(format!("user {id}"))
}
