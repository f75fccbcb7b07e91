//! Four processes that share a Redis.

use std::error::Error;

use dogpile_lock::Dogpile;
use dogpile_redis::Redis;
use redis::Commands;

use super::Measured;
use super::one_key::{self, Shared};
use super::redis::Server;
use crate::arguments::Settings;
use crate::report::Bar;

struct Counted {
    server: Server,
    counts: redis::Connection,
}

impl Shared for Counted {
    const NAME: &'static str = "Redis";
    const ROLE: &'static str = "redis";
    const LAST: Bar = Bar::AtMost(60.0);
    const KILLED: Bar = Bar::AtMost(1_060.0);

    fn address(&self) -> &str {
        &self.server.url
    }

    fn created(&mut self, key: &str) -> Result<u64, Box<dyn Error>> {
        Ok(self.counts.get::<_, Option<u64>>(created(key))?.unwrap_or(0))
    }
}

fn created(key: &str) -> String {
    format!("created {key}")
}

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let server = Server::start()?;
    let counts = redis::Client::open(&*server.url)?.get_connection()?;
    one_key::run(Counted { server, counts }, settings)
}

/// What each of the processes does.
pub(super) fn process(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let url = arguments.first().ok_or("no server")?;
    let runtime = one_key::runtime()?;
    let redis = runtime.block_on(Redis::connect(url))?;
    let counts =
        runtime.block_on(redis::Client::open(&**url)?.get_multiplexed_async_connection())?;
    let count = move |key: String| {
        let mut counts = counts.clone();
        async move {
            let _: u64 = redis::AsyncCommands::incr(&mut counts, created(&key), 1)
                .await
                .expect("the server counts");
        }
    };
    one_key::answer(&runtime, Dogpile::leased(redis), count)
}
