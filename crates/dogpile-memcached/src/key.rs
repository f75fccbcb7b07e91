//! From keys to the names under which a server keeps them.

use std::borrow::Cow;

use base64_simd::URL_SAFE_NO_PAD;
use dogpile_core::{Key, Result};
use sha2::{Digest, Sha256};

use crate::error::refused;

/// The longest name that memcached takes, in bytes.
pub(crate) const LONGEST: usize = 250;
/// The longest prefix: what is left is enough for every name that is encoded.
const LONGEST_PREFIX: usize = 128;
/// What begins every name that is not a plain key as it is.
const MARK: u8 = b'~';

/// How keys are named on the servers.
///
/// | key | name |
/// |---|---|
/// | a plain key of 1 to 250 bytes of UTF-8 without spaces and control characters | the key, as it is |
/// | one that begins with `~` | `~n` and the key |
/// | a field of a group | `~g`, the length of the group, `:`, the group, `:`, the field |
/// | any of these that would not be such text | `~b` and the rest in base64url |
/// | any of these that would be longer than 250 bytes | `~h` and the SHA-256 of the rest in base64url |
///
/// A prefix comes before all of that. So no two keys have the same name, nothing is cut off, and no
/// key can hold a command. The names are the same in both protocols, and plain keys are found by every
/// other client.
///
/// The whole name is what a fleet's [`Locator`](dogpile_core::Locator) is asked for.
///
/// ```
/// use dogpile_memcached::KeyNames;
///
/// let names = KeyNames::readable().with_prefix("shop:")?;
/// # Ok::<(), dogpile_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyNames {
    prefix: Vec<u8>,
    hashed: bool,
}

impl KeyNames {
    /// Keys as they are wherever that is possible. The default.
    #[must_use]
    pub fn readable() -> Self {
        Self::default()
    }

    /// Only the SHA-256 of each key, so that neither the server nor who listens learns the keys.
    #[must_use]
    pub fn hashed() -> Self {
        Self { prefix: Vec::new(), hashed: true }
    }

    /// Puts this before every name.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](dogpile_core::ErrorKind::Refused) for a prefix that memcached does not
    /// take, with a space or a control character, or of more than 128 bytes.
    pub fn with_prefix(mut self, prefix: impl AsRef<[u8]>) -> Result<Self> {
        let prefix = prefix.as_ref();
        if prefix.len() > LONGEST_PREFIX || !is_text(prefix) {
            return Err(refused(format!(
                "a prefix has at most {LONGEST_PREFIX} bytes of UTF-8 without spaces and control characters"
            )));
        }
        self.prefix = prefix.to_vec();
        Ok(self)
    }

    /// The name of the item of a key.
    pub(crate) fn value<'k>(&self, key: Key<'k>) -> Cow<'k, [u8]> {
        match key.group() {
            None => {
                let name = key.as_bytes();
                if self.prefix.is_empty() && !self.hashed && is_plain(name, LONGEST) {
                    return Cow::Borrowed(name);
                }
                Cow::Owned(self.named(b'n', &[name], is_plain(name, self.room())))
            }
            Some(_) => Cow::Owned(self.tagged(b'g', key)),
        }
    }

    /// The name of a counter.
    pub(crate) fn counter(&self, key: Key<'_>) -> Vec<u8> {
        self.tagged(if key.group().is_some() { b'C' } else { b'c' }, key)
    }

    /// The name of the lock of a key, on servers that keep no leases.
    #[cfg(feature = "classic")]
    pub(crate) fn lock(&self, key: Key<'_>) -> Vec<u8> {
        self.tagged(if key.group().is_some() { b'L' } else { b'l' }, key)
    }

    /// The name of one part of a value that was split.
    pub(crate) fn part(&self, id: u128, nth: usize) -> Vec<u8> {
        let id = URL_SAFE_NO_PAD.encode_to_string(id.to_be_bytes());
        [&self.prefix[..], b"~p", id.as_bytes(), b".", nth.to_string().as_bytes()].concat()
    }

    fn tagged(&self, tag: u8, key: Key<'_>) -> Vec<u8> {
        let name = key.as_bytes();
        match key.group() {
            None => self.named(tag, &[name], false),
            Some(group) => {
                let length = group.len().to_string();
                self.named(tag, &[length.as_bytes(), b":", group, b":", name], false)
            }
        }
    }

    fn room(&self) -> usize {
        LONGEST - self.prefix.len()
    }

    fn named(&self, tag: u8, parts: &[&[u8]], bare: bool) -> Vec<u8> {
        let mut name = self.prefix.clone();
        let length: usize = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let sendable = parts.iter().all(|part| is_text(part));
        if bare && !self.hashed {
            parts.iter().for_each(|part| name.extend_from_slice(part));
            return name;
        }
        name.push(MARK);
        if !self.hashed && sendable && length < self.room() {
            name.push(tag);
            parts.iter().for_each(|part| name.extend_from_slice(part));
        } else if !self.hashed && 2 + URL_SAFE_NO_PAD.encoded_length(length) <= self.room() {
            let mut rest = vec![tag];
            parts.iter().for_each(|part| rest.extend_from_slice(part));
            name.push(b'b');
            name.extend_from_slice(URL_SAFE_NO_PAD.encode_to_string(rest).as_bytes());
        } else {
            let mut hash = Sha256::new_with_prefix([tag]);
            parts.iter().for_each(|part| hash.update(part));
            name.push(b'h');
            name.extend_from_slice(URL_SAFE_NO_PAD.encode_to_string(hash.finalize()).as_bytes());
        }
        name
    }
}

/// Whether a name may be sent as it is.
pub(crate) fn is_name(name: &[u8]) -> bool {
    (1..=LONGEST).contains(&name.len()) && is_text(name)
}

/// Whether this is text that a command may have in it.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_sendable(*byte)) && std::str::from_utf8(bytes).is_ok()
}

fn is_plain(name: &[u8], room: usize) -> bool {
    name.len() <= room && name.first().is_some_and(|first| *first != MARK) && is_name(name)
}

const fn is_sendable(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn named(names: &KeyNames, key: Key<'_>) -> String {
        String::from_utf8(names.value(key).into_owned()).unwrap()
    }

    #[test]
    fn plain_keys_stay_as_they_are() {
        let names = KeyNames::readable();
        let longest = "k".repeat(250);
        for name in ["a", "user(15)", "é", "front/page?x=1", &longest] {
            assert_eq!(named(&names, Key::name(name)), name);
            assert!(matches!(names.value(Key::name(name)), Cow::Borrowed(_)));
        }
        let prefixed = KeyNames::readable().with_prefix("p:").unwrap();
        assert_eq!(named(&prefixed, Key::name("a")), "p:a");
    }

    #[test]
    fn others_are_encoded() {
        let names = KeyNames::readable();
        assert_eq!(named(&names, Key::name("")), "~n");
        assert_eq!(named(&names, Key::name("~x")), "~n~x");
        assert_eq!(named(&names, Key::field("users", "15")), "~g5:users:15");
        assert_eq!(named(&names, Key::name("a b")), "~bbmEgYg");
        assert_eq!(named(&names, Key::name("k".repeat(251).as_str())).len(), 45);
        assert_eq!(names.counter(Key::name("hits")), b"~chits");
        assert_eq!(named(&KeyNames::hashed(), Key::name("a")).len(), 45);
    }

    #[test]
    fn a_prefix_has_to_be_sendable() {
        for bad in ["a b", "a\r\n", &"p".repeat(129)] {
            assert!(KeyNames::readable().with_prefix(bad).is_err(), "{bad:?}");
        }
        assert!(KeyNames::readable().with_prefix("p".repeat(128)).is_ok());
    }

    /// Bytes near the edges: short ones of few letters, so that they meet, and long ones.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let letters = prop::sample::select(b"~bgn:5 \r\n\0\x7fa\xff".to_vec());
        prop_oneof![
            prop::collection::vec(letters, 0..6),
            prop::collection::vec(any::<u8>(), 0..20),
            (180_usize..260).prop_map(|length| vec![b'k'; length]),
            (180_usize..260).prop_map(|length| vec![b' '; length]),
        ]
    }

    proptest! {
        #[test]
        fn names_are_sendable_and_no_two_keys_share_one(
            keys in prop::collection::vec((prop::option::of(bytes()), bytes()), 1..40),
            hashed in any::<bool>(),
            prefix in "[a-z~:]{0,128}",
        ) {
            let names = KeyNames { hashed, ..KeyNames::default() }.with_prefix(prefix).unwrap();
            let mut seen = HashMap::new();
            for (group, name) in &keys {
                let key = match group {
                    Some(group) => Key::field(group, name),
                    None => Key::name(name),
                };
                let all = [
                    names.value(key).into_owned(),
                    names.counter(key),
                    #[cfg(feature = "classic")]
                    names.lock(key),
                ];
                for (what, wire) in all.into_iter().enumerate() {
                    prop_assert!(is_name(&wire), "{:?}", wire);
                    let other = seen.insert(wire, (what, group, name));
                    prop_assert!(other.is_none_or(|other| other == (what, group, name)));
                }
            }
        }
    }
}
