//! Entries whose bytes are no entry.

use dogpile_core::{Backend, Entry, ErrorKind, Key, Result};

/// What was read: bytes that are no entry are a missing one, to be created anew.
pub(crate) fn present<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        read => read,
    }
}

/// The same for many keys: one that is damaged must not hide the others.
pub(crate) async fn present_many<B: Backend>(
    backend: &B,
    keys: &[Key<'_>],
) -> Result<Vec<Option<Entry<B::Value>>>> {
    match backend.get_many(keys).await {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let mut entries = Vec::with_capacity(keys.len());
            for key in keys {
                entries.push(present(backend.get(*key).await)?);
            }
            Ok(entries)
        }
        read => read,
    }
}
