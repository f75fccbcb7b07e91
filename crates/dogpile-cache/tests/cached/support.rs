//! Regions and counters for the tests of the macros.

use std::sync::atomic::{AtomicU64, Ordering};

use dogpile_cache::Region;
use dogpile_cache::backend::Memory;
use dogpile_cache::codec::Shared;
use dogpile_lock::{Dogpile, Solo};

pub(crate) type Cache = Region<Dogpile<Solo<Memory>>, Shared>;

pub(crate) fn cache() -> Cache {
    Region::new(Dogpile::local(Memory::new(1_000)), Shared)
}

/// Counts calls; each answers how many there were before.
#[derive(Debug, Default)]
pub(crate) struct Calls(AtomicU64);

impl Calls {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one, and answers its number, from 1.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
