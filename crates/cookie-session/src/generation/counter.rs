//! Generations over any counter.

use dogpile_core::{Counter, Key, Result, Timestamp};

use super::store::{Generation, GenerationStore};

/// A [`Counter`] as a [`GenerationStore`], for logging out one session or all of a user: Redis,
/// memcached, or one in this process.
///
/// What a counter cannot do:
///
/// - It compares nothing, so it is no [`MonotonicStore`](super::MonotonicStore).
/// - It keeps every key as long as it lives: with a generation per session, as many as there ever were
///   sessions. Keep that for a store of rows, or give the server's keys an expiry longer than the
///   absolute lifetime of a session.
/// - It reads one key after another, so a check takes up to three round trips.
/// - Where a user logs in for the first time ever twice at the same moment, the first of the two
///   sessions may be logged out again.
///
/// A cache that evicts (memcached, Redis with `allkeys-lru`) is the wrong place. Nothing comes back
/// to life there, because what is missing counts as revoked; but users are logged out whenever it
/// needs room, and all of them when it restarts.
#[derive(Clone, Debug)]
pub struct OverCounter<C>(C);

impl<C: Counter> OverCounter<C> {
    /// Generations in this counter.
    pub fn new(counter: C) -> Self {
        Self(counter)
    }
}

impl<C: Counter> GenerationStore for OverCounter<C> {
    async fn read(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Generation>>> {
        let mut generations = Vec::with_capacity(keys.len());
        for key in keys {
            let number = self.0.read(*key).await?;
            generations.push((number > 0).then(|| Generation::begun(number)));
        }
        Ok(generations)
    }

    async fn start(&self, key: Key<'_>, number: u64, _: Timestamp) -> Result<u64> {
        match self.0.read(key).await? {
            // Read again, for the case that another caller bumped it in the same moment.
            0 => {
                let bumped = self.0.bump(key, number).await?;
                Ok(bumped.max(self.0.read(key).await?))
            }
            present => Ok(present),
        }
    }

    async fn raise(&self, key: Key<'_>, at_least: u64, _: Timestamp) -> Result<u64> {
        self.0.bump(key, at_least).await
    }
}
