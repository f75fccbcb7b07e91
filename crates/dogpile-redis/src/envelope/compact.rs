//! The second of the creation in four bytes, and the value.

use bytes::Bytes;
use dogpile_core::{Entry, Result, Timestamp};

use super::corrupt;

pub(super) const HEAD: usize = 4;

pub(super) fn encode(entry: &Entry<Bytes>) -> Bytes {
    let second = u32::try_from(entry.created.as_millis() / 1000).unwrap_or(u32::MAX);
    [&second.to_be_bytes()[..], &entry.value].concat().into()
}

pub(super) fn decode(stored: &Bytes) -> Result<Entry<Bytes>> {
    let (second, _) = stored.split_first_chunk().ok_or_else(|| corrupt("compact"))?;
    let created = Timestamp::from_millis(u64::from(u32::from_be_bytes(*second)) * 1000);
    Ok(Entry::new(created, stored.slice(HEAD..)))
}
