//! Forgetting everything at once.

use dogpile_core::{Key, ReadThrough, Result};

use super::{Invalidation, Region};

impl<R: ReadThrough, C> Region<R, C> {
    /// Invalidates everything this region created until now, in one step however much that is.
    ///
    /// It holds in this process, or in every process that
    /// [shares it](Region::with_shared_invalidation), and it wins over creations that are running.
    /// Nothing is removed from the store; what is there is no longer served.
    ///
    /// # Errors
    /// What the counter fails with, where the invalidation is shared.
    pub async fn invalidate(&self, how: Invalidation) -> Result<()> {
        let settings = &*self.settings;
        settings.barriers.invalidate(None, how, &*settings.clock).await
    }

    /// The same for one group of keys: those named by a [`Field`](crate::Field) of it.
    ///
    /// # Errors
    /// As [`invalidate`](Self::invalidate).
    pub async fn invalidate_group(&self, group: &str, how: Invalidation) -> Result<()> {
        let settings = &*self.settings;
        let placed = settings.space.place(Key::field(group, ""));
        let key = placed.as_key();
        settings.barriers.invalidate(key.group(), how, &*settings.clock).await
    }
}
