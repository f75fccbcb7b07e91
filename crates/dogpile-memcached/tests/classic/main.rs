//! The guard around `memcache-async`: each failure of the bare crate that was seen, shown, and beside
//! it that the guard has it not.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::unwrap_in_result, clippy::print_stdout, reason = "this is for tests")]
#![allow(clippy::cast_possible_truncation, reason = "these numbers are small")]

#[path = "../../src/classic/mod.rs"]
#[allow(dead_code, reason = "the crate uses all of it")]
mod classic;
mod commands;
mod failures;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use dogpile_core::{BoxFuture, Error, ErrorKind, Result};
use memcache_async::ascii::Protocol;
use tokio::io::BufWriter;
use tokio::net::TcpStream;

use crate::classic::{BoxStream, Classic, Limits, Open};

/// What the crate's users have.
type Bare = Protocol<BufWriter<TcpStream>>;

async fn bare(port: u16) -> Bare {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    Protocol::new(BufWriter::new(stream))
}

fn guarded(port: u16) -> Arc<Classic> {
    Arc::new(Classic::new(Port(port), LIMITS))
}

const LIMITS: Limits = Limits {
    connections: 4,
    item: 1_000_000,
    largest: 1_000_000,
    response_timeout: Duration::from_secs(2),
};

#[derive(Debug)]
struct Port(u16);

impl Open for Port {
    fn open(&self) -> BoxFuture<'_, Result<BoxStream>> {
        Box::pin(async {
            let stream = TcpStream::connect(("127.0.0.1", self.0)).await.map_err(|error| {
                Error::new(ErrorKind::Unavailable, "no connection").with_source(error)
            })?;
            stream.set_nodelay(true).unwrap();
            Ok(Box::new(stream) as BoxStream)
        })
    }
}
