//! A session's content as a small map.
//!
//! Written as entries one after the other, each a key and a value with their lengths before them. A
//! value is MessagePack. A session holds a few entries, so they are looked for from the front.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::header::{read_bytes, write_bytes};

/// The content of a [`Session`](crate::Session) that is used as a map.
#[derive(Debug)]
#[non_exhaustive]
pub struct Map;

/// The stored value of a key.
pub(crate) fn find<'a>(content: &'a [u8], key: &str) -> Option<&'a [u8]> {
    entries(content).find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
}

/// The content with a value put under a key.
pub(crate) fn with(content: &[u8], key: &str, value: &[u8]) -> Vec<u8> {
    let replaced = find(content, key).map_or(0, |old| key.len() + old.len());
    // A length takes ten bytes at most.
    let others = content.len() - replaced;
    let mut changed = Vec::with_capacity(others + key.len() + value.len() + 20);
    write_others(content, key, &mut changed);
    write_bytes(&mut changed, key.as_bytes());
    write_bytes(&mut changed, value);
    changed
}

/// The content without a key.
pub(crate) fn without(content: &[u8], key: &str) -> Vec<u8> {
    let mut changed = Vec::with_capacity(content.len());
    write_others(content, key, &mut changed);
    changed
}

fn write_others(content: &[u8], key: &str, to: &mut Vec<u8>) {
    for (name, value) in entries(content).filter(|(name, _)| *name != key.as_bytes()) {
        write_bytes(to, name);
        write_bytes(to, value);
    }
}

pub(crate) fn keys(content: &[u8]) -> impl Iterator<Item = &str> {
    entries(content).filter_map(|(name, _)| std::str::from_utf8(name).ok())
}

fn entries(content: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = content;
    std::iter::from_fn(move || Some((read_bytes(&mut rest)?, read_bytes(&mut rest)?)))
}

pub(crate) fn encode(
    value: &(impl Serialize + ?Sized),
) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    // Enough for most values: growing costs more than room that is given back soon.
    let mut bytes = Vec::with_capacity(1000);
    rmp_serde::encode::write_named(&mut bytes, value)?;
    Ok(bytes)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    rmp_serde::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_replaced_and_removed() {
        let one = with(&[], "one", b"1");
        let two = with(&one, "two", b"22");
        assert_eq!(find(&two, "one"), Some(&b"1"[..]));
        assert_eq!(find(&two, "two"), Some(&b"22"[..]));
        assert_eq!(find(&two, "tw"), None);
        let three = with(&two, "one", b"333");
        assert_eq!(find(&three, "one"), Some(&b"333"[..]));
        assert_eq!(keys(&three).collect::<Vec<_>>(), ["two", "one"]);
        assert!(without(&without(&three, "one"), "two").is_empty());
        assert_eq!(without(&three, "no"), three);
    }

    #[test]
    fn bytes_that_are_no_map_have_no_entries() {
        for bytes in [&[0xff; 20][..], &[3, b'o', b'n', b'e'], &[1]] {
            assert_eq!(keys(bytes).count(), 0);
        }
    }
}
