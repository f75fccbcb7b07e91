//! A backend made of a function, for values that live somewhere else.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use dogpile_core::{Backend, Entry, Error, ErrorKind, Key, KeyBuf, Result, SetOptions};

/// A backend that reads with a function and stores nothing: the creator stores the value itself, in
/// a file, a table, wherever it lives.
///
/// This is the dogpile lock as it was first published: a way to read the present value with its
/// creation time, a way to create it, and a lock.
///
/// ```
/// use dogpile_core::{Entry, Timestamp};
/// use dogpile_lock::{Dogpile, LocalLock, read_fn};
/// use std::{fs, time::{Duration, UNIX_EPOCH}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let report = folder.path().join("report.txt");
/// let path = report.clone();
/// let present = read_fn(move |_key| {
///     let path = path.clone();
///     async move {
///         let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
///         let written = fs::metadata(&path).and_then(|meta| meta.modified()).unwrap_or(UNIX_EPOCH);
///         let millis = written.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
///         Ok(Some(Entry::new(Timestamp::from_millis(millis as u64), text)))
///     }
/// });
/// let dogpile = Dogpile::with_lock(present, LocalLock::new());
///
/// let text = dogpile
///     .get_or_create("report", Duration::from_secs(3600), || async {
///         let text = String::from("an expensive report");
///         fs::write(&report, &text)?;
///         Ok::<_, std::io::Error>(text)
///     })
///     .await?;
/// assert_eq!(text, "an expensive report");
/// # Ok(())
/// # }
/// ```
pub fn read_fn<F, Fut, V>(read: F) -> ReadFn<F, V>
where
    F: Fn(KeyBuf) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Option<Entry<V>>>> + Send,
    V: Clone + Send + Sync + 'static,
{
    ReadFn { read, value: PhantomData }
}

/// See [`read_fn`].
#[derive(Clone)]
pub struct ReadFn<F, V> {
    read: F,
    value: PhantomData<fn() -> V>,
}

impl<F, V> fmt::Debug for ReadFn<F, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadFn")
    }
}

impl<F, Fut, V> Backend for ReadFn<F, V>
where
    F: Fn(KeyBuf) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Option<Entry<V>>>> + Send,
    V: Clone + Send + Sync + 'static,
{
    type Value = V;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<V>>> {
        (self.read)(KeyBuf::from(key)).await
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<V>>>> {
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            entries.push(self.get(*key).await?);
        }
        Ok(entries)
    }

    /// Does nothing: the creator has stored the value.
    async fn set_many(&self, _: &[(Key<'_>, Entry<V>)], _: &SetOptions) -> Result<()> {
        Ok(())
    }

    /// Does nothing: whoever removes the value removes it where it lives.
    async fn delete_many(&self, _: &[Key<'_>]) -> Result<()> {
        Ok(())
    }

    async fn delete_group(&self, _: &[u8]) -> Result<()> {
        Err(Error::new(
            ErrorKind::Refused,
            "a function that reads cannot tell what belongs to a group",
        ))
    }
}
