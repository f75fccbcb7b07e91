//! Which keys are likely not to be fresh.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use foldhash::fast::RandomState;

/// Remembers, roughly, which keys were not fresh when they were last asked for.
///
/// Such a key is asked for together with its lease, so that whoever finds it stale and leased knows
/// both after one round trip. Any other is asked for by a plain read: most are fresh, and there may be
/// more of those than anybody wants to remember. A wrong guess costs at most a round trip, and is never
/// a wrong answer; so a small table of hashes does.
pub(crate) struct Hints {
    hasher: RandomState,
    table: Box<[AtomicU32]>,
}

const SLOTS: usize = 8_192;

impl Default for Hints {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            table: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
        }
    }
}

impl Hints {
    pub(crate) fn of(&self, key: &[u8], field: &[u8]) -> Hint<'_> {
        let hash = self.hasher.hash_one((key, field));
        #[expect(clippy::cast_possible_truncation, reason = "either half of the hash will do")]
        let (slot, mark) = ((hash as usize) % SLOTS, ((hash >> 32) as u32) | 1);
        Hint { slot: &self.table[slot], mark }
    }
}

/// What is remembered of one key.
pub(crate) struct Hint<'a> {
    slot: &'a AtomicU32,
    mark: u32,
}

impl Hint<'_> {
    pub(crate) fn is_stale(&self) -> bool {
        self.slot.load(Relaxed) == self.mark
    }

    pub(crate) fn stale(&self) {
        self.slot.store(self.mark, Relaxed);
    }

    pub(crate) fn fresh(&self) {
        if self.is_stale() {
            self.slot.store(0, Relaxed);
        }
    }
}

impl std::fmt::Debug for Hints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hints")
    }
}
