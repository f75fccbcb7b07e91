//! Names of entries.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::words::words;

/// The name of an entry, borrowed: either a plain name, or a field of a group.
///
/// A store with hashes (Redis) keeps a group in one hash; every store can drop a group as one. Any
/// bytes are a name; what a store cannot take as it is, it encodes or refuses.
///
/// ```
/// use dogpile_core::Key;
///
/// let page = Key::name("front page");
/// let user = Key::field("users", "15");
/// assert_eq!(user.group(), Some(&b"users"[..]));
/// assert_ne!(user, Key::name("15"));
/// assert_eq!(format!("{page} {user}"), "front page users[15]");
/// ```
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Key<'a> {
    group: Option<&'a [u8]>,
    name: &'a [u8],
}

impl<'a> Key<'a> {
    /// A plain name.
    #[must_use]
    pub fn name<N: AsRef<[u8]> + ?Sized>(name: &'a N) -> Self {
        Self { group: None, name: name.as_ref() }
    }

    /// A field of a group.
    #[must_use]
    pub fn field<G: AsRef<[u8]> + ?Sized, N: AsRef<[u8]> + ?Sized>(
        group: &'a G,
        name: &'a N,
    ) -> Self {
        Self { group: Some(group.as_ref()), name: name.as_ref() }
    }

    /// The group, if it is a field of one.
    #[must_use]
    pub const fn group(self) -> Option<&'a [u8]> {
        self.group
    }

    /// The plain name, or the name of the field.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.name
    }
}

impl Hash for Key<'_> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(group) = self.group {
            hash_bytes(group, state);
            state.write_u8(0xff);
        }
        hash_bytes(self.name, state);
    }
}

/// By pairs of words; the last ones carry the length, which would be lost in what fills them up.
#[inline(always)]
fn hash_bytes<H: Hasher>(bytes: &[u8], state: &mut H) {
    let (pairs, rest) = bytes.as_chunks::<16>();
    for pair in pairs {
        state.write_u128(u128::from_le_bytes(*pair));
    }
    if !rest.is_empty() {
        let (word, last) = words(rest);
        let length = (rest.len() as u64) << 56;
        let (low, high) = match word.first() {
            Some(word) => (u64::from_le_bytes(*word), last | length),
            None => (last, length),
        };
        state.write_u128(u128::from(high) << 64 | u128::from(low));
    }
}

impl fmt::Display for Key<'_> {
    /// For people: `name` or `group[name]`, with anything unprintable escaped. Not a wire form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            Some(group) => write!(f, "{}[{}]", Text(group), Text(self.name)),
            None => Text(self.name).fmt(f),
        }
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c.is_control() {
                    true => c.escape_default().fmt(f)?,
                    false => fmt::Write::write_char(f, c)?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// A [`Key`] that owns its bytes, in one allocation that clones share.
///
/// ```
/// use dogpile_core::{Key, KeyBuf};
///
/// let owned = KeyBuf::from(Key::field("users", "15"));
/// assert_eq!(owned.as_key(), Key::field("users", "15"));
/// ```
#[derive(Clone)]
pub struct KeyBuf {
    bytes: Arc<[u8]>,
    group: Option<usize>,
}

impl KeyBuf {
    /// The same key, borrowed.
    #[must_use]
    pub fn as_key(&self) -> Key<'_> {
        let (group, name) = self.bytes.split_at(self.group.unwrap_or(0));
        Key { group: self.group.map(|_| group), name }
    }
}

impl From<Key<'_>> for KeyBuf {
    fn from(key: Key<'_>) -> Self {
        let bytes = match key.group {
            Some(group) => [group, key.name].concat().into(),
            None => key.name.into(),
        };
        Self { bytes, group: key.group.map(<[u8]>::len) }
    }
}

impl PartialEq for KeyBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_key() == other.as_key()
    }
}

impl Eq for KeyBuf {}

impl Hash for KeyBuf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_key().hash(state);
    }
}

impl PartialOrd for KeyBuf {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyBuf {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_key().cmp(&other.as_key())
    }
}

impl fmt::Display for KeyBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_key().fmt(f)
    }
}

impl fmt::Debug for KeyBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_key(), f)
    }
}

/// Bytes of a key under construction: in place while they are few, so that the usual key costs no
/// allocation.
#[derive(Clone)]
pub(crate) struct Buffer {
    bytes: Words,
    len: usize,
    /// All bytes, once they are too many; until then none.
    heap: Vec<u8>,
}

/// Written word by word; what is not written yet is zero.
#[derive(Clone)]
#[repr(align(8))]
struct Words([u8; Buffer::INLINE]);

impl Buffer {
    const INLINE: usize = 64;

    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { bytes: Words([0; Self::INLINE]), len: 0, heap: Vec::new() }
    }

    pub(crate) fn insert(&mut self, at: usize, byte: u8) {
        self.push(&[byte]);
        match self.heap.is_empty() {
            true => self.bytes.0[at..self.len].rotate_right(1),
            false => self.heap[at..].rotate_right(1),
        }
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, more: &[u8]) {
        if !self.heap.is_empty() || more.len() > Self::INLINE - self.len {
            return self.push_to_heap(more);
        }
        let (full, rest) = words(more);
        let mut len = self.len;
        for word in full {
            self.bytes.put(len, u64::from_le_bytes(*word));
            len += 8;
        }
        self.bytes.put(len, rest);
        self.len += more.len();
    }

    #[inline(never)]
    fn push_to_heap(&mut self, more: &[u8]) {
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.bytes.0[..self.len]);
        }
        self.heap.extend_from_slice(more);
    }
}

impl Words {
    /// Puts a word behind the first `len` bytes.
    #[inline(always)]
    fn put(&mut self, len: usize, word: u64) {
        let (words, _) = self.0.as_chunks_mut::<8>();
        let shift = 8 * (len % 8);
        if let Some(last) = words.get_mut(len / 8) {
            *last = (u64::from_le_bytes(*last) | word << shift).to_le_bytes();
        }
        if shift > 0
            && let Some(next) = words.get_mut(len / 8 + 1)
        {
            *next = (word >> (64 - shift)).to_le_bytes();
        }
    }
}

impl Borrow<[u8]> for Buffer {
    #[inline(always)]
    fn borrow(&self) -> &[u8] {
        match self.heap.is_empty() {
            true => &self.bytes.0[..self.len],
            false => &self.heap,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn owned_and_borrowed_agree() {
        let state = RandomState::new();
        for key in [
            Key::name("a"),
            Key::name(""),
            Key::field("g", "a"),
            Key::field("", "ga"),
            Key::field("ga", ""),
        ] {
            let owned = KeyBuf::from(key);
            assert_eq!(owned.as_key(), key);
            assert_eq!(state.hash_one(&owned), state.hash_one(key));
        }
        assert_ne!(KeyBuf::from(Key::field("g", "a")), KeyBuf::from(Key::field("", "ga")));
        assert_ne!(Key::field("", "a"), Key::name("a"));
    }

    #[test]
    fn prints_any_bytes() {
        assert_eq!(Key::name(b"a\xff\n\xc3\xa9").to_string(), "a\\xff\\né");
        assert_eq!(format!("{:?}", Key::field("g", "n")), "Key(g[n])");
    }

    #[test]
    fn a_buffer_spills_to_the_heap_and_loses_nothing() {
        let mut buffer = Buffer::new();
        let mut expected = Vec::new();
        for n in 0..40_u8 {
            buffer.push(&[n; 3]);
            expected.extend_from_slice(&[n; 3]);
            assert_eq!(Borrow::<[u8]>::borrow(&buffer), expected);
        }
        buffer.insert(1, 99);
        expected.insert(1, 99);
        assert_eq!(Borrow::<[u8]>::borrow(&buffer), expected);
    }
}
