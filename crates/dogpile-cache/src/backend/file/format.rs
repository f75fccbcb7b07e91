//! What is in a file: version 1 of the format, byte by byte in `docs/formats/file.md`.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 7 | `dogpile` |
//! | 7 | 1 | the version of the format: 1 |
//! | 8 | 8 | checksum: XXH3, 64 bits, of all bytes from 16 to the end |
//! | 16 | 8 | created: milliseconds since 1970 |
//! | 24 | 8 | expires: milliseconds since 1970, all ones for never |
//! | 32 | 4 | version of the value's type |
//! | 36 | 4 | length of the group's name, all ones for a key without group |
//! | 40 | 4 | length of the name |
//! | 44 | 4 | zero |
//! | 48 | 8 | length of the value |
//! | 56 | | group, name, value |
//!
//! Numbers are little-endian.

use bytes::Bytes;
use dogpile_core::{Entry, Error, ErrorKind, Key, Result, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"dogpile\x01";
const CHECKED: usize = 16;
const HEADER: usize = 56;
const NO_GROUP: u32 = u32::MAX;

/// What was found in the file of a key.
pub(super) enum Found {
    Entry(Entry<Bytes>),
    /// The entry of another key, whose hash is the same.
    Other,
    Damaged,
}

impl Found {
    pub(super) fn entry(self) -> Option<Entry<Bytes>> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Other | Self::Damaged => None,
        }
    }
}

/// How much longer than its value the file of a key is.
pub(super) fn overhead(key: Key<'_>) -> u64 {
    (HEADER + key.group().map_or(0, <[u8]>::len) + key.as_bytes().len()) as u64
}

pub(super) fn encode(key: Key<'_>, entry: &Entry<Bytes>) -> Result<Vec<u8>> {
    let (group, name) = (key.group().unwrap_or_default(), key.as_bytes());
    let length = |text: &[u8]| match u32::try_from(text.len()) {
        Ok(length) if length < NO_GROUP => Ok(length),
        _ => Err(Error::new(ErrorKind::Refused, "a part of the key is longer than 4 GiB")),
    };
    let group_length = key.group().map_or(Ok(NO_GROUP), length)?;
    let rest = [
        &entry.created.as_millis().to_le_bytes()[..],
        &entry.expires.as_millis().to_le_bytes(),
        &entry.version.to_le_bytes(),
        &group_length.to_le_bytes(),
        &length(name)?.to_le_bytes(),
        &[0; 4],
        &(entry.value.len() as u64).to_le_bytes(),
        group,
        name,
        &entry.value,
    ];
    let mut bytes = Vec::with_capacity(HEADER + group.len() + name.len() + entry.value.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[0; 8]);
    rest.iter().for_each(|part| bytes.extend_from_slice(part));
    let checksum = xxh3_64(&bytes[CHECKED..]).to_le_bytes();
    bytes[MAGIC.len()..CHECKED].copy_from_slice(&checksum);
    Ok(bytes)
}

pub(super) fn decode(key: Key<'_>, bytes: &Bytes) -> Found {
    match decode_any(bytes) {
        None => Found::Damaged,
        Some((its, _)) if its != key => Found::Other,
        Some((_, entry)) => Found::Entry(entry.map(|length| bytes.slice(bytes.len() - length..))),
    }
}

/// The key in a file, and the stamps with the length of the value, which is at the end.
fn decode_any(bytes: &[u8]) -> Option<(Key<'_>, Entry<usize>)> {
    let (checksum, mut rest) = bytes.strip_prefix(&MAGIC)?.split_first_chunk()?;
    if u64::from_le_bytes(*checksum) != xxh3_64(rest) {
        return None;
    }
    let created = Timestamp::from_millis(u64::from_le_bytes(take(&mut rest)?));
    let expires = Timestamp::from_millis(u64::from_le_bytes(take(&mut rest)?));
    let version = u32::from_le_bytes(take(&mut rest)?);
    let group = u32::from_le_bytes(take(&mut rest)?);
    let name = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    let _zero: [u8; 4] = take(&mut rest)?;
    let value = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
    let group = match group {
        NO_GROUP => None,
        length => Some(rest.split_off(..usize::try_from(length).ok()?)?),
    };
    let name = rest.split_off(..name)?;
    let key = group.map_or(Key::name(name), |group| Key::field(group, name));
    let entry = Entry::new(created, value).with_expires(expires).with_version(version);
    (rest.len() == value).then_some((key, entry))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}
