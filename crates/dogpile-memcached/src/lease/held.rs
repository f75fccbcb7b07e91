//! The turns of this process that were extended.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::Token;

/// By which `cas` turns are held that were extended, because each extension gives the item another.
///
/// It saves a look at the item. Who finds nothing here looks.
#[derive(Debug, Default)]
pub(crate) struct Held {
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    /// By the name of the item, and what the turn was granted with.
    present: HashMap<(Box<[u8]>, Token), Extended, RandomState>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Extended {
    cas: u64,
    ends: Instant,
}

/// How many there are before those are looked for whose holders have gone without a word.
const MANY: usize = 1_024;

impl Held {
    /// The present `cas` of a turn, as far as is known here.
    pub(super) fn cas(&self, name: &[u8], token: Token) -> u64 {
        let turns = self.lock();
        if turns.present.is_empty() {
            return token.cas;
        }
        turns.present.get(&(name.into(), token)).map_or(token.cas, |turn| turn.cas)
    }

    /// A turn was extended, for so long.
    pub(super) fn extended(&self, name: &[u8], token: Token, cas: u64, lease_for: Duration) {
        let now = Instant::now();
        let mut turns = self.lock();
        if turns.present.len() >= turns.sweep_at.max(MANY) {
            turns.present.retain(|_, turn| turn.ends > now);
            turns.sweep_at = turns.present.len() * 2;
        }
        // Later than the server ends it.
        let ends = now.checked_add(lease_for.saturating_add(Duration::from_secs(5))).unwrap_or(now);
        turns.present.insert((name.into(), token), Extended { cas, ends });
    }

    /// A turn has ended.
    pub(super) fn ended(&self, name: &[u8], token: Token) {
        let mut turns = self.lock();
        if !turns.present.is_empty() {
            turns.present.remove(&(name.into(), token));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::On;
    use super::*;

    fn token(cas: u64) -> Token {
        Token { epoch: 1, on: On::Missing, cas }
    }

    #[test]
    fn the_last_extension_counts_until_the_turn_ends() {
        let held = Held::default();
        assert_eq!(held.cas(b"k", token(7)), 7);
        held.extended(b"k", token(7), 9, Duration::from_secs(1));
        held.extended(b"k", token(7), 12, Duration::from_secs(1));
        assert_eq!(held.cas(b"k", token(7)), 12);
        assert_eq!(held.cas(b"k", token(8)), 8);
        assert_eq!(held.cas(b"l", token(7)), 7);
        // A server that was restarted counts from one again.
        assert_eq!(held.cas(b"k", Token { epoch: 2, ..token(7) }), 7);
        held.ended(b"k", token(7));
        assert_eq!(held.cas(b"k", token(7)), 7);
    }

    #[test]
    fn holders_that_went_are_forgotten() {
        let held = Held::default();
        for cas in 0..3_000 {
            held.extended(b"k", token(cas), cas + 1, Duration::ZERO);
            held.lock().present.values_mut().for_each(|turn| turn.ends = Instant::now());
        }
        assert!(held.lock().present.len() <= MANY);
    }
}
