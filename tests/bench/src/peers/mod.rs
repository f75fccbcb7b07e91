//! The caches under torture: ours and its peers, an adapter each.

mod amalgam;
mod cached;
mod cachekit;
mod cachet;
mod foyer;
mod moka;
mod ours;
mod quick_cache;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dogpile_conformance::torture::{Cache, Contender, Value};

/// How many entries each of them has room for: more than any scenario asks for.
const ROOM: usize = 10_000;

/// A kind of cache.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    build: fn(Option<Duration>) -> Option<Arc<dyn Cache>>,
}

/// Ours, with detached creations and with those that borrow; then the others.
pub(crate) const PEERS: &[Peer] = &[
    Peer { name: OURS, build: ours::detached },
    Peer { name: OURS_BORROWING, build: ours::borrowing },
    Peer { name: "moka", build: moka::build },
    Peer { name: "quick_cache", build: quick_cache::build },
    Peer { name: "foyer", build: foyer::build },
    Peer { name: "cached", build: cached::build },
    Peer { name: "cachekit-rs", build: cachekit::build },
    Peer { name: "cachet", build: cachet::build },
    Peer { name: "amalgam", build: amalgam::build },
];

/// `get_or_create_detached`, over a lock that creates in the background what is stale.
pub(crate) const OURS: &str = "dogpile";
/// `get_or_create`: a creator may borrow, and ends with its caller.
pub(crate) const OURS_BORROWING: &str = "dogpile borrow";

impl Contender for Peer {
    fn name(&self) -> &str {
        self.name
    }

    fn build(&self, expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
        (self.build)(expires_after)
    }
}

/// A creator's error, for APIs that want a type that implements `Error`. `N` makes different types.
#[derive(Clone, Debug)]
struct Failure<const N: usize = 0>(String);

impl<const N: usize> fmt::Display for Failure<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const N: usize> std::error::Error for Failure<N> {}

async fn failing<const N: usize>(
    create: dogpile_conformance::torture::Create,
) -> Result<Value, Failure<N>> {
    create().await.map_err(Failure)
}
