//! Reading a ring without a lock while it changes.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use core::fmt;
use core::ops::Deref;

use crate::{Error, Ring};

/// A ring that many read and somebody changes, at the same time.
///
/// Readers take no lock and never wait: they go on with the ring that they have. A change works on a
/// copy, which takes the place of the ring when it is done. Marks and permits are shared by the
/// copies.
///
/// ```
/// use shard_ring::{Profile, Ring, Snapshot};
///
/// let ring = Snapshot::new(Ring::with_nodes(Profile::native(), [("a", 1), ("b", 2)])?);
/// let before = ring.load();
/// ring.update(|ring| ring.insert("c", 3))?;
/// assert_eq!((before.len(), ring.load().len()), (2, 3));
/// assert_eq!((before.epoch(), ring.load().epoch()), (0, 1));
/// # Ok::<(), shard_ring::Error>(())
/// ```
pub struct Snapshot<N> {
    ring: ArcSwap<Ring<N>>,
    /// One change at a time: each begins with what the last one made.
    changing: Mutex<()>,
}

/// The ring as it was when it was loaded. Hold it for one lookup or a few; to keep it, take
/// [`Snapshot::load_full`].
pub struct Loaded<N>(Guard<Arc<Ring<N>>>);

impl<N> Snapshot<N> {
    /// Begins with this ring.
    #[must_use]
    pub fn new(ring: Ring<N>) -> Self {
        Self { ring: ArcSwap::from_pointee(ring), changing: Mutex::new(()) }
    }

    /// The ring as it is now.
    #[inline]
    #[must_use]
    pub fn load(&self) -> Loaded<N> {
        Loaded(self.ring.load())
    }

    /// The ring as it is now, to keep.
    #[must_use]
    pub fn load_full(&self) -> Arc<Ring<N>> {
        self.ring.load_full()
    }

    /// Puts another ring in its place. Its epoch and its marks are its own.
    pub fn store(&self, ring: Ring<N>) {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.ring.store(Arc::new(ring));
    }

    /// Changes a copy of the ring, and puts it in the place of the ring if all went well.
    ///
    /// # Errors
    /// Whatever `change` answers; the ring is as it was then.
    pub fn update<T>(
        &self,
        change: impl FnOnce(&mut Ring<N>) -> Result<T, Error>,
    ) -> Result<T, Error>
    where
        N: Clone,
    {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ring = Ring::clone(&self.ring.load());
        let done = change(&mut ring)?;
        self.ring.store(Arc::new(ring));
        Ok(done)
    }
}

impl<N> Deref for Loaded<N> {
    type Target = Ring<N>;

    #[inline]
    fn deref(&self) -> &Ring<N> {
        &self.0
    }
}

impl<N: fmt::Debug> fmt::Debug for Snapshot<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Snapshot").field(&*self.load()).finish()
    }
}

impl<N: fmt::Debug> fmt::Debug for Loaded<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
