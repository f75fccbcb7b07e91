//! Generations over any counter.

use dogpile_core::{Counter, Key, Result, Timestamp};

use super::store::{Generation, GenerationStore};

/// A [`Counter`] as a [`GenerationStore`], for logging out one session or all of a user: Redis,
/// memcached, or one in this process.
///
/// What a counter cannot do:
///
/// - It compares nothing, so it is no [`MonotonicStore`](super::MonotonicStore).
/// - It forgets nothing: with a generation per session it keeps as many rows as there ever were
///   sessions. Where those are too many, take a store of rows. Give none of them an expiry: the row of
///   a user, and the one of all sessions, is begun once, and whoever needs it is logged out when it is
///   gone. The row of a session may be deleted when the session has lived its absolute lifetime.
/// - It reads one key after another, so a check takes up to three round trips.
/// - Where several callers begin a row at the same moment, the earlier of them may be logged out again:
///   at the first login ever of a user who logs in twice, and at the first logins on an empty server.
///
/// # Which server
///
/// What is missing counts as revoked. So what a server loses logs users out, and revives nobody. But
/// one that goes back to older numbers takes logouts back.
///
/// | server | what happens |
/// |---|---|
/// | Redis that evicts nothing and writes down each change (`appendfsync always`) | nothing is lost |
/// | Redis that keeps nothing | a restart logs everybody out |
/// | Redis that may go back: `appendfsync everysec`, snapshots, a replica that takes over | a crash takes the last logouts back: call [`end_all`] after it |
/// | memcached, or Redis that evicts | users are logged out when it needs room, and all of them when it restarts: for where that does no harm |
/// | a fleet of memcached that changes | keys that move log out; those that move back find what was there: flush a server before it joins, or call [`end_all`] |
///
/// [`end_all`]: crate::Sessions::end_all
///
/// ```
/// use cookie_session::generation::{Generations, OverCounter};
/// use dogpile_core::Counter;
///
/// /// `Redis::counter` of `dogpile-redis`, say.
/// fn generations(counter: impl Counter + 'static) -> Generations {
///     Generations::per_session(OverCounter::new(counter))
/// }
/// ```
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
