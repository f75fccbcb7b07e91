//! A mark, the stamps, and the value, as `dogpile-redis` has it in its envelope `full`:
//! `docs/formats/memcached.md` has it byte by byte.

use dogpile_core::{Entry, Timestamp};

/// The first byte, to which the flags are added.
const MARK: u8 = 0xd0;
const EXPIRES: u8 = 1;
const VERSION: u8 = 2;
/// The shortest header, with which every value begins.
pub(crate) const SHORTEST: usize = 7;
/// Stamps have 48 bits, and end in the year 10889.
const LAST: u64 = (1 << 48) - 1;

pub(super) fn head<V>(entry: &Entry<V>) -> Vec<u8> {
    let expires = entry.expires != Timestamp::MAX;
    let flags = u8::from(expires) * EXPIRES + u8::from(entry.version != 0) * VERSION;
    let mut out = Vec::with_capacity(24);
    out.push(MARK + flags);
    out.extend_from_slice(&stamp(entry.created));
    if expires {
        out.extend_from_slice(&stamp(entry.expires));
    }
    if entry.version != 0 {
        out.extend_from_slice(&entry.version.to_be_bytes());
    }
    out
}

/// The stamps, and where the value begins.
pub(super) fn read(stored: &[u8]) -> Option<(Entry<()>, usize)> {
    let (mark, rest) = stored.split_first()?;
    let flags = mark.checked_sub(MARK).filter(|flags| *flags <= EXPIRES + VERSION)?;
    let (created, mut rest) = moment(rest)?;
    let mut entry = Entry::new(created, ());
    if flags & EXPIRES != 0 {
        let (expires, after) = moment(rest)?;
        (entry, rest) = (entry.with_expires(expires), after);
    }
    if flags & VERSION != 0 {
        let (version, after) = rest.split_first_chunk()?;
        (entry, rest) = (entry.with_version(u32::from_be_bytes(*version)), after);
    }
    Some((entry, stored.len() - rest.len()))
}

fn stamp(moment: Timestamp) -> [u8; 6] {
    let [_, _, six @ ..] = moment.as_millis().min(LAST).to_be_bytes();
    six
}

fn moment(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let ([a, b, c, d, e, f], rest) = bytes.split_first_chunk()?;
    Some((Timestamp::from_millis(u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f])), rest))
}
