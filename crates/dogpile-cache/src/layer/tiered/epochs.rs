//! What makes a near entry void.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use dogpile_core::Key;

/// When each key was last written, as far as that matters: a number per slot of keys, raised by
/// every write. A near entry carries the number it was read under and is void once that has moved,
/// so nothing that happens to the near tier itself can bring an old value back.
#[derive(Debug)]
pub(super) struct Epochs {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Epochs {
    pub(super) const SLOTS: usize = 4096;

    pub(super) fn new() -> Self {
        let hasher = RandomState::new();
        // Not zero, so that what another process left in the near tier is void.
        let start = hasher.hash_one("start");
        Self { slots: (0..Self::SLOTS).map(|_| AtomicU64::new(start)).collect(), hasher }
    }

    fn slot(&self, key: Key<'_>) -> usize {
        usize::try_from(self.hasher.hash_one(key) % Self::SLOTS as u64).unwrap_or_default()
    }

    pub(super) fn now(&self, key: Key<'_>) -> u64 {
        self.slots[self.slot(key)].load(Ordering::Acquire)
    }

    /// A write to these keys; their epochs are raised when it ends, however it ends.
    pub(super) fn write(&self, keys: impl Iterator<Item = usize>) -> Write<'_> {
        let mut slots: Vec<_> =
            keys.map(|slot| (slot, self.slots[slot].load(Ordering::Acquire))).collect();
        slots.sort_unstable();
        slots.dedup_by_key(|(slot, _)| *slot);
        Write { epochs: self, slots }
    }

    pub(super) fn write_keys<'k>(&self, keys: impl Iterator<Item = Key<'k>>) -> Write<'_> {
        self.write(keys.map(|key| self.slot(key)))
    }
}

/// A write under way.
pub(super) struct Write<'e> {
    epochs: &'e Epochs,
    slots: Vec<(usize, u64)>,
}

impl Write<'_> {
    /// The epoch that the end of this write brings to a key. If another write came between, the
    /// epoch is past it already, and what carries it is void: which of the two the far tier kept,
    /// nobody knows.
    pub(super) fn next(&self, key: Key<'_>) -> Option<u64> {
        let slot = self.epochs.slot(key);
        let at = self.slots.binary_search_by_key(&slot, |(slot, _)| *slot).ok()?;
        Some(self.slots[at].1.wrapping_add(1))
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        for (slot, _) in &self.slots {
            self.epochs.slots[*slot].fetch_add(1, Ordering::AcqRel);
        }
    }
}
