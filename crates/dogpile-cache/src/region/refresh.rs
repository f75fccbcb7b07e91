//! Creating a value that need not be created.

#![expect(
    clippy::manual_async_fn,
    reason = "the compiler cannot see that an `async fn` with a borrowing creator is Send; it is told"
)]

use std::error::Error as StdError;

use dogpile_core::{Codec, ReadThrough, Result, ToKey};

use super::turn::{Creation, nothing_made};
use super::{CallOptions, Region};

impl<R: ReadThrough, C> Region<R, C> {
    /// Creates the value of a key anew, whatever is there, and stores it. A creation of the same key
    /// that is running stores nothing.
    ///
    /// # Errors
    /// As [`get_or_create`](Self::get_or_create); what was stored before then stays.
    pub fn refresh<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move { self.refresh_with(key, CallOptions::new(), create).await }
    }

    /// The same, with options of this call.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub fn refresh_with<T, F, Fut, E>(
        &self,
        key: impl ToKey + Send + Sync,
        options: CallOptions<'_, T>,
        create: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Codec<T, Stored = R::Value>,
        T: Send,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        async move {
            let key = key.to_key();
            let placed = self.place(&key);
            let key = placed.as_key();
            let mut creation = Creation::new(create);
            let barrier = match self.barrier(key.group()).await {
                Ok(barrier) => barrier,
                Err(error) if self.settings.carries_on(key, &error) => {
                    return self.alone(key, &mut creation).await;
                }
                Err(error) => return Err(self.failed(key, error)),
            };
            let made = match self.create(key, Some(&options), barrier, &mut creation).await {
                Ok(made) => made,
                Err(error) => return Err(self.failed(key, error)),
            };
            if let Some(set_options) = &made.store {
                let done = self.store.backend.set_many(&[(key, made.entry)], set_options).await;
                self.written(key, done)?;
            }
            creation.made.ok_or_else(nothing_made)
        }
    }
}
