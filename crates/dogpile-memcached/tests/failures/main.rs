//! What goes wrong: calls that are dropped, servers that die, fill up, lie or hang, and what only other
//! programs show.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::unwrap_in_result, clippy::print_stdout, reason = "this is for tests")]
#![allow(clippy::cast_possible_truncation, reason = "these numbers are small")]

mod cancelled;
mod connecting;
mod examples;
mod fleet;
mod hostile;
mod memory;
mod network;
mod python;
mod repeated;
mod shifted;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;

use dogpile_memcached::{Connect, Memcached};
use shard_ring::{Ketama, Profile, Ring};

use crate::support::Server;
use crate::support::cache::{Cache, made, millis, put, region, value};

/// Timeouts that a test can wait for.
fn quick() -> Connect {
    Connect::new()
        .with_connect_timeout(millis(400))
        .with_response_timeout(millis(500))
        .with_retry_after(millis(10), millis(100))
}

/// What a call may take with those, on a machine with much else to do.
const QUICK: Duration = millis(2_000);

/// libmemcached's own ring over these servers.
fn ring(servers: &[Server]) -> Ring<()> {
    let nodes = servers.iter().map(|server| (server.name(), ()));
    Ring::with_nodes(Profile::ketama(Ketama::LibmemcachedWeighted), nodes).unwrap()
}

async fn fleet(servers: &[Server], options: Connect) -> Memcached {
    let addresses: Vec<String> = servers.iter().map(Server::url).collect();
    Memcached::connect_fleet(&addresses, ring(servers), options).await.unwrap()
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
