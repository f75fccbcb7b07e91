//! What changes about a node without changing the ring: whether it is down, and how busy it is.
//!
//! All clones of a ring share it, so that a mark set through an old snapshot is seen in the new one.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Sums over all nodes of a ring and its clones.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    down: AtomicUsize,
    busy: AtomicUsize,
}

impl Tally {
    /// Whether a node may be marked down. Where it is not, no node has to be asked.
    #[inline]
    pub(crate) fn any_down(&self) -> bool {
        self.down.load(Ordering::Relaxed) > 0
    }
}

/// One node.
#[derive(Debug)]
pub(crate) struct State {
    down: AtomicBool,
    busy: AtomicUsize,
    tally: Arc<Tally>,
}

impl State {
    pub(crate) fn new(tally: Arc<Tally>) -> Self {
        Self { down: AtomicBool::new(false), busy: AtomicUsize::new(0), tally }
    }

    #[inline]
    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// Answers whether this changed anything.
    pub(crate) fn mark(&self, down: bool) -> bool {
        // Up in the tally first and down in it last, or a reader could pass over a mark.
        if down {
            self.tally.down.fetch_add(1, Ordering::Release);
        }
        let changed = self.down.swap(down, Ordering::AcqRel) != down;
        if down != changed {
            self.tally.down.fetch_sub(1, Ordering::Release);
        }
        changed
    }

    /// How many permits are out.
    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Acquire)
    }

    /// One more permit, if that does not exceed the limit.
    pub(crate) fn enter(&self, limit: usize) -> bool {
        let more = |busy: usize| (busy < limit).then_some(busy + 1);
        self.busy.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// One permit less.
    pub(crate) fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Tally {
    /// Announces one more permit on any node, and answers how many there are with it.
    pub(crate) fn enter(&self) -> usize {
        self.busy.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Acquire)
    }

    pub(crate) fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for State {
    /// A node that is gone from all clones is not down any more.
    fn drop(&mut self) {
        self.mark(false);
    }
}
