//! Entries whose bytes are no entry.

use dogpile_core::{Backend, Entry, ErrorKind, Key, Result};

use crate::creation::all;

/// What was read: bytes that are no entry are a missing one, to be created anew.
pub(crate) fn present<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        read => read,
    }
}

/// The same for many keys: one that is damaged must not hide the others, which are read anew, all at
/// once.
pub(crate) async fn present_many<B: Backend>(
    backend: &B,
    keys: &[Key<'_>],
) -> Result<Vec<Option<Entry<B::Value>>>> {
    match backend.get_many(keys).await {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let mut found: Vec<_> = keys.iter().map(|_| Ok(None)).collect();
            let reads = keys.iter().zip(&mut found).map(|(key, found)| async move {
                *found = present(backend.get(*key).await);
            });
            all(reads).await;
            found.into_iter().collect()
        }
        read => read,
    }
}
