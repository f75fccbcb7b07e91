//! Which keys are likely to be fresh.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use foldhash::fast::RandomState;

/// Remembers, roughly, which keys were fresh when they were last asked for.
///
/// Such a key is asked for by a plain read. Any other is asked for together with its lease, so that
/// whoever finds it stale and leased knows both after one round trip. A wrong guess costs at most a
/// round trip, and is never a wrong answer; so a small table does, in which keys share slots: there may
/// be more keys than anybody wants to remember, and then most of them are fresh.
pub(crate) struct Hints {
    hasher: RandomState,
    table: Box<[AtomicBool]>,
}

const SLOTS: usize = 32_768;

impl Default for Hints {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            table: (0..SLOTS).map(|_| AtomicBool::new(false)).collect(),
        }
    }
}

impl Hints {
    pub(crate) fn of(&self, key: &[u8], field: &[u8]) -> Hint<'_> {
        #[expect(clippy::cast_possible_truncation, reason = "the low half of the hash will do")]
        let slot = self.hasher.hash_one((key, field)) as usize % SLOTS;
        Hint(&self.table[slot])
    }
}

/// What is remembered of one key.
pub(crate) struct Hint<'a>(&'a AtomicBool);

impl Hint<'_> {
    pub(crate) fn is_fresh(&self) -> bool {
        self.0.load(Relaxed)
    }

    pub(crate) fn fresh(&self) {
        if !self.is_fresh() {
            self.0.store(true, Relaxed);
        }
    }

    pub(crate) fn stale(&self) {
        if self.is_fresh() {
            self.0.store(false, Relaxed);
        }
    }
}

impl std::fmt::Debug for Hints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hints")
    }
}
