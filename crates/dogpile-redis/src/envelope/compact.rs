//! The second of the creation in four bytes, and the value.

use bytes::Bytes;
use dogpile_core::{Entry, Timestamp};

pub(super) const HEAD: usize = 4;

pub(super) fn encode(entry: &Entry<Bytes>) -> Bytes {
    let second = u32::try_from(entry.created.as_millis() / 1000).unwrap_or(u32::MAX);
    [&second.to_be_bytes()[..], &entry.value].concat().into()
}

pub(super) fn read(stored: &[u8]) -> Option<(Entry<()>, usize)> {
    let (second, _) = stored.split_first_chunk()?;
    let created = Timestamp::from_millis(u64::from(u32::from_be_bytes(*second)) * 1000);
    Some((Entry::new(created, ()), HEAD))
}
