//! Four processes that share a memcached.

use std::error::Error;
use std::sync::Arc;

use dogpile_lock::Dogpile;
use dogpile_memcached::Memcached;
use tokio::sync::Mutex;

use super::Measured;
use super::memcached::{Bare, Server, bare};
use super::one_key::{self, Shared};
use crate::arguments::Settings;
use crate::report::Bar;

struct Counted {
    server: Server,
    runtime: tokio::runtime::Runtime,
    counts: Bare,
}

impl Shared for Counted {
    const NAME: &'static str = "memcached";
    const ROLE: &'static str = "memcached";
    const LAST: Bar = Bar::AtMost(75.0);
    const KILLED: Bar = Bar::AtMost(1_050.0);

    fn address(&self) -> &str {
        &self.server.address
    }

    fn created(&mut self, key: &str) -> Result<u64, Box<dyn Error>> {
        match self.runtime.block_on(self.counts.get(created(key))) {
            Ok(count) => Ok(std::str::from_utf8(&count)?.trim().parse()?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

fn created(key: &str) -> String {
    format!("created:{}", key.replace(' ', ":"))
}

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let server = Server::start()?;
    let runtime = one_key::runtime()?;
    let counts = runtime.block_on(bare(&server.address))?;
    one_key::run(Counted { server, runtime, counts }, settings)
}

/// What each of the processes does.
pub(super) fn process(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let address = arguments.first().ok_or("no server")?;
    let runtime = one_key::runtime()?;
    let memcached = runtime.block_on(Memcached::connect(address))?;
    let counts = Arc::new(Mutex::new(runtime.block_on(bare(address))?));
    let count = move |key: String| {
        let counts = Arc::clone(&counts);
        async move {
            let mut counts = counts.lock().await;
            // Whoever is first begins at zero, and nobody else does.
            let _ = counts.add(created(&key), b"0", 0).await;
            counts.increment(created(&key), 1).await.expect("the server counts");
        }
    };
    one_key::answer(&runtime, Dogpile::leased(memcached), count)
}
