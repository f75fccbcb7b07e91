//! Writing keys, so that what is escaped in them cannot be taken for anything else.

use std::borrow::Borrow;
use std::fmt;

use crate::key::Buffer;
use crate::words::{EACH, words, zero_byte};
use crate::{BuiltKey, Key, KeyPart};

/// Writes a key part by part.
///
/// ```
/// use dogpile_core::{Key, KeyWriter};
///
/// let mut key = KeyWriter::call("images");
/// key.part(&"alice").part(&3);
/// assert_eq!(key.finish().as_key(), Key::name("images(alice,3)"));
/// ```
pub struct KeyWriter {
    pub(crate) text: Buffer,
    /// Whether the next part is the first of its list.
    first: bool,
}

impl KeyWriter {
    /// An empty writer, for a key that is written where it stays: [`begin`](Self::begin) it, add its
    /// [parts](Self::part), and [`close`](Self::close) it.
    ///
    /// A short key that is moved after it was written costs as much again, so code that is called
    /// often takes this way.
    ///
    /// ```
    /// use dogpile_core::{Key, KeyWriter};
    ///
    /// let mut key = KeyWriter::new();
    /// key.begin("images").part(&"alice").part(&3);
    /// assert_eq!(key.close(), Key::name("images(alice,3)"));
    /// ```
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self { text: Buffer::new(), first: true }
    }

    /// The key of a call of the function `name`: its arguments follow as [parts](Self::part).
    #[must_use]
    pub fn call(name: &str) -> Self {
        let mut key = Self::new();
        key.begin(name);
        key
    }

    /// Begins the key of a call of the function `name`, in an empty writer.
    #[inline]
    pub fn begin(&mut self, name: &str) -> &mut Self {
        if name.starts_with('\'') {
            self.text.push(b"\\");
        }
        self.escaped(name);
        self.text.push(b"(");
        self
    }

    /// Adds an argument.
    #[inline]
    pub fn part<P: KeyPart + ?Sized>(&mut self, part: &P) -> &mut Self {
        if !std::mem::take(&mut self.first) {
            self.text.push(b",");
        }
        part.write(self);
        self
    }

    /// Ends the key, and lends it. Nothing can be added after that.
    #[must_use]
    #[inline]
    pub fn close(&mut self) -> Key<'_> {
        self.text.push(b")");
        Key::name(self.written())
    }

    /// The key that was [closed](Self::close), to be kept.
    ///
    /// ```
    /// use dogpile_core::{Key, KeyWriter};
    ///
    /// let mut key = KeyWriter::new();
    /// key.begin("images").part(&"alice");
    /// assert_eq!(key.close(), Key::name("images(alice)"));
    /// assert_eq!(key.into_closed().as_key(), Key::name("images(alice)"));
    /// ```
    #[must_use]
    pub fn into_closed(self) -> BuiltKey<'static> {
        BuiltKey::named(self.text)
    }

    /// The key.
    #[must_use]
    pub fn finish(mut self) -> BuiltKey<'static> {
        self.text.push(b")");
        BuiltKey::named(self.text)
    }

    /// Text, marked and escaped so that it cannot be taken for anything else.
    #[inline]
    pub fn text(&mut self, text: &str) -> &mut Self {
        let marked =
            matches!(text.as_bytes().first(), None | Some(b'0'..=b'9' | b'-' | b'\'' | b'~'))
                || matches!(text, "true" | "false");
        if marked {
            self.text.push(b"'");
        }
        self.escaped(text);
        self
    }

    #[inline]
    fn escaped(&mut self, text: &str) {
        match is_plain(text.as_bytes()) {
            true => self.text.push(text.as_bytes()),
            false => self.escape(text.as_bytes()),
        }
    }

    #[cold]
    fn escape(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| SPECIAL.contains(byte)) {
            self.text.push(&rest[..at]);
            self.text.push(&[b'\\', rest[at]]);
            rest = &rest[at + 1..];
        }
        self.text.push(rest);
    }

    pub(crate) fn list(&mut self, open: u8, close: u8, parts: impl FnOnce(&mut Self)) {
        self.text.push(&[open]);
        let outer = std::mem::replace(&mut self.first, true);
        parts(self);
        self.first = outer;
        self.text.push(&[close]);
    }

    pub(crate) fn written(&self) -> &[u8] {
        self.text.borrow()
    }
}

impl Default for KeyWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KeyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyWriter({})", Key::name(self.written()))
    }
}

impl fmt::Write for KeyWriter {
    /// Numbers only: what it writes is not escaped.
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.text.push(s.as_bytes());
        Ok(())
    }
}

/// What is escaped in text.
const SPECIAL: &[u8; 6] = b",()[]\\";

/// Whether nothing in these bytes has to be escaped; eight at a time, because every key is asked.
#[inline(always)]
fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = words(bytes);
    !words.iter().any(|word| has_special(u64::from_le_bytes(*word))) && !has_special(rest)
}

#[inline(always)]
const fn has_special(word: u64) -> bool {
    // `(` and `)`, and `\` and `]`, differ in their last bit only.
    let pairs = word & (0xfe * EACH);
    let found = zero_byte(pairs ^ (b'(' as u64 * EACH))
        | zero_byte(word ^ (b',' as u64 * EACH))
        | zero_byte(word ^ (b'[' as u64 * EACH))
        | zero_byte(pairs ^ (b'\\' as u64 * EACH));
    found != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_found_wherever_it_stands() {
        for length in 0..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), !SPECIAL.contains(&byte), "{byte} at {at}");
                }
            }
        }
    }

    #[test]
    fn a_key_in_place_is_the_same_key() {
        let mut key = KeyWriter::default();
        key.begin("'a(b").part(&"c").part(&Some(4));
        let mut moved = KeyWriter::call("'a(b");
        moved.part(&"c").part(&Some(4));
        assert_eq!(key.close(), moved.finish().as_key());
    }
}
