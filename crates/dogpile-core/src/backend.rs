//! Keeping entries under keys.

use std::fmt;
use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use crate::{Entry, Key, Result};

/// A store of [entries](Entry) under [keys](Key).
///
/// This is the contract with people who write backends: everything is required but
/// [`peek`](Self::peek), so a wrapper cannot forget what it wraps. People who use one find single-key shorthands in [`BackendExt`].
///
/// A remote backend keeps `Value = bytes::Bytes`; a backend in this process keeps any type, so that
/// a hit decodes nothing. Write the methods as `async fn`.
///
/// A backend judges no freshness: it answers what it keeps, stale or not, and its caller decides.
pub trait Backend: fmt::Debug + Send + Sync {
    /// The form in which values are kept.
    type Value: Clone + Send + Sync + 'static;

    /// The entry under one key.
    ///
    /// # Behavior
    /// - `None` when nothing is kept there, never an error.
    /// - The entry has the `created` and `version` it was stored with. A wire form that has no room
    ///   for one of them says so in its documentation.
    /// - Bytes that are damaged or were written by something else are `None` or
    ///   [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt), never a wrong value.
    /// - Dropping the future at any moment leaves the backend in order, here and in every method.
    fn get(&self, key: Key<'_>) -> impl Future<Output = Result<Option<Entry<Self::Value>>>> + Send;

    /// Shows `look` the entry under a key where it lies, if entries lie in this process, and answers
    /// what it answers.
    ///
    /// A fresh hit then copies nothing but what its caller takes along, and waits for nothing.
    ///
    /// # Behavior
    /// - `Ready` says what [`get`](Self::get) would: `look` was called with the entry, once and before
    ///   this returns, or there is none and it was dropped. `Pending` says nothing: whoever wants to
    ///   know has to `get`.
    /// - Nothing is waited for: a store that would have to do I/O is `Pending`.
    /// - `look` is short and does not use this backend, parts of which are locked meanwhile.
    ///
    /// The only method with a body, which is always `Pending`: a backend or a wrapper that leaves it
    /// out is slower, and never wrong.
    #[inline]
    fn peek<T>(
        &self,
        key: Key<'_>,
        look: impl FnOnce(&Entry<Self::Value>) -> T,
    ) -> Poll<Option<T>> {
        let _ = (key, look);
        Poll::Pending
    }

    /// The entries under many keys.
    ///
    /// # Behavior
    /// - As many answers as keys, in the order of the keys; a key asked for twice is answered twice.
    /// - No keys, no answers, and no round trip.
    /// - One round trip per server, whatever the number of keys.
    fn get_many(
        &self,
        keys: &[Key<'_>],
    ) -> impl Future<Output = Result<Vec<Option<Entry<Self::Value>>>>> + Send;

    /// Stores entries, each over what was there.
    ///
    /// # Behavior
    /// - After `Ok`, every reader of this store finds what was written, or something newer. Of one
    ///   key given twice, the last entry is kept.
    /// - `options` tells how long the store has to keep them; after that it may drop them.
    /// - A value it cannot keep is [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge), with the size
    ///   and the limit; it is never dropped in silence. The other items may or may not be stored.
    /// - Where this store also leases, writing a key takes its lease away: a creation that was
    ///   running stores nothing.
    /// - No items: no round trip.
    fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Self::Value>)],
        options: &SetOptions,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Removes entries.
    ///
    /// # Behavior
    /// - A key that is not there is no error, and no keys are no round trip.
    /// - Where this store also leases, deleting a key takes its lease away: a creation that was
    ///   running stores nothing.
    fn delete_many(&self, keys: &[Key<'_>]) -> impl Future<Output = Result<()>> + Send;

    /// Removes everything whose key is a field of this group.
    ///
    /// # Behavior
    /// - Keys outside the group, and plain names, are not touched.
    /// - A store that cannot enumerate a group answers
    ///   [`ErrorKind::Refused`](crate::ErrorKind::Refused), and removes nothing.
    /// - Leases of the group's keys are taken away, as by [`delete_many`](Backend::delete_many).
    fn delete_group(&self, group: &[u8]) -> impl Future<Output = Result<()>> + Send;
}

/// How entries are to be stored.
///
/// ```
/// use dogpile_core::SetOptions;
/// use std::time::Duration;
///
/// let options = SetOptions::new().with_keep_for(Some(Duration::from_secs(3600)));
/// assert_eq!(options.keep_for(), Some(Duration::from_secs(3600)));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SetOptions {
    keep_for: Option<Duration>,
}

impl SetOptions {
    /// Keep it until it is deleted or evicted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the store has to keep the entry: longer than it is fresh, so that there is a stale
    /// value to serve while the next one is created. `None` is "until deleted or evicted".
    #[must_use]
    pub fn with_keep_for(mut self, d: Option<Duration>) -> Self {
        self.keep_for = d;
        self
    }

    /// How long the store has to keep the entry.
    #[must_use]
    pub fn keep_for(&self) -> Option<Duration> {
        self.keep_for
    }
}

/// Shorthands for one key, on every [`Backend`].
pub trait BackendExt: Backend {
    /// Stores one entry, with the default [`SetOptions`].
    fn set(
        &self,
        key: Key<'_>,
        entry: Entry<Self::Value>,
    ) -> impl Future<Output = Result<()>> + Send {
        async move { self.set_many(&[(key, entry)], &SetOptions::new()).await }
    }

    /// Removes one entry.
    fn delete(&self, key: Key<'_>) -> impl Future<Output = Result<()>> + Send {
        async move { self.delete_many(&[key]).await }
    }
}

impl<B: Backend + ?Sized> BackendExt for B {}
