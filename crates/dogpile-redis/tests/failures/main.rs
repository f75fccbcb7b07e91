//! What goes wrong: networks, servers, what others wrote, and what only real programs show.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod content;
mod examples;
mod heartbeats;
mod leases;
mod memory;
mod network;
mod once;
mod outside;
mod protocols;
mod python;
mod repeats;
mod runtimes;
mod scripts;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod trips;

use std::time::Duration;

use dogpile_cache::Region;
use dogpile_cache::codec::Json;
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};

use crate::support::{Proxy, Server, resp};

type Cache = Region<Dogpile<Redis>, Json>;

fn region(redis: &Redis) -> Cache {
    Region::new(Dogpile::leased(redis.clone()), Json)
}

async fn made(value: u32) -> Result<u32, String> {
    Ok(value)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Timeouts that a test can wait for.
fn quick() -> Connect {
    Connect::new()
        .with_connect_timeout(millis(150))
        .with_response_timeout(millis(200))
        .with_total_timeout(millis(400))
}

/// What a call of a backend may take with those: one answer that does not come, and one more try.
const QUICK: Duration = millis(900);

/// A server behind a wire that can fail.
async fn behind_a_wire(options: Connect) -> (Server, Proxy, Redis) {
    let server = Server::start().unwrap();
    let proxy = Proxy::to(resp::Place::Port(server.port()));
    let redis = Redis::connect_with(&server.url_at(proxy.port()), options).await.unwrap();
    (server, proxy, redis)
}
