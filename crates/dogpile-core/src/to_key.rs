//! Keys built from values, so that different values never share a key.

use std::borrow::Borrow;
use std::fmt::{self, Write as _};

use crate::key::Buffer;
use crate::{Key, KeyBuf};

/// What can name an entry: text, numbers, tuples of them, or a [`Key`] as it is.
///
/// # The written form
///
/// Plain text is itself, so the name you give is the name you see in `redis-cli`. Anything else is
/// written as Rust writes it: `("user", 15)` becomes `(user,15)`. Two different values never become
/// the same key:
///
/// | value | key |
/// |---|---|
/// | `"user:15"` | `user:15` |
/// | `("user", 15)` | `(user,15)` |
/// | `("user", "15")` | `(user,'15)`: text that could be read as something else is marked by `'` |
/// | `("a,b", "c")` | `(a\,b,c)`: `,` `(` `)` `[` `]` `\` in text are escaped |
/// | `15` | `(15)` |
/// | `"(15)"` | `'(15)`: plain text that contains `(`, or starts with `'`, is marked |
/// | `(true, None::<u8>, Some(1))` | `(true,~,1)` |
/// | `(&[1, 2][..], ("x",))` | `([1,2],(x))` |
/// | [`Field`]`("users", 15)` | the field `(15)` of the group `users` |
///
/// A [`Key`] or [`KeyBuf`] is taken byte for byte, past all rules. Numbers are written by value, so
/// `15_u8` and `15_i64` are one key, and `Some(15)` is written as the `15` in it.
///
/// ```
/// use dogpile_core::{Key, ToKey};
///
/// assert_eq!(("user", 15).to_key().as_key(), Key::name("(user,15)"));
/// assert_ne!(("a b", "c").to_key().as_key(), ("a", "b c").to_key().as_key());
/// assert_ne!(1.to_key().as_key(), "1".to_key().as_key());
/// ```
pub trait ToKey {
    /// The key.
    fn to_key(&self) -> BuiltKey<'_>;
}

/// What can stand inside a tuple that names an entry.
///
/// Implement it for a type of your own by writing the parts it is made of:
///
/// ```
/// use dogpile_core::{Key, KeyPart, KeyWriter, ToKey};
///
/// struct UserId(u64);
///
/// impl KeyPart for UserId {
///     fn write(&self, key: &mut KeyWriter) {
///         self.0.write(key);
///     }
/// }
///
/// assert_eq!((UserId(15), "avatar").to_key().as_key(), Key::name("(15,avatar)"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a key",
    label = "cannot be part of a key",
    note = "name the key by what `{Self}` is made of, or implement `KeyPart` for it; \
            `#[cached]` takes `key = ...` and `ignore(...)`"
)]
pub trait KeyPart {
    /// Writes this part.
    fn write(&self, key: &mut KeyWriter);
}

/// A key built by [`ToKey`]: borrowed where it can be, in place where it is short.
#[derive(Clone)]
pub struct BuiltKey<'a>(Built<'a>);

#[derive(Clone)]
enum Built<'a> {
    Borrowed(Key<'a>),
    Written { group: Option<usize>, text: Buffer },
}

impl<'a> BuiltKey<'a> {
    /// The key itself.
    #[must_use]
    #[inline]
    pub fn as_key(&self) -> Key<'_> {
        match &self.0 {
            Built::Borrowed(key) => *key,
            Built::Written { group, text } => {
                let bytes: &[u8] = text.borrow();
                match group {
                    Some(end) => Key::field(&bytes[..*end], &bytes[*end..]),
                    None => Key::name(bytes),
                }
            }
        }
    }
}

impl fmt::Debug for BuiltKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_key().fmt(f)
    }
}

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
    group: Option<usize>,
    text: Buffer,
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
        Self { group: None, text: Buffer::new(), first: true }
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

    /// The key.
    #[must_use]
    pub fn finish(mut self) -> BuiltKey<'static> {
        self.text.push(b")");
        BuiltKey(Built::Written { group: self.group, text: self.text })
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

    fn list(&mut self, open: u8, close: u8, parts: impl FnOnce(&mut Self)) {
        self.text.push(&[open]);
        let outer = std::mem::replace(&mut self.first, true);
        parts(self);
        self.first = outer;
        self.text.push(&[close]);
    }

    fn written(&self) -> &[u8] {
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

/// A key in a group: `Field("users", 15)`.
///
/// The group is plain text; the field is anything that is a key by itself.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is a pair, and written as one")]
pub struct Field<'g, P>(pub &'g str, pub P);

impl<P: ToKey> ToKey for Field<'_, P> {
    fn to_key(&self) -> BuiltKey<'_> {
        let field = self.1.to_key();
        let mut text = Buffer::new();
        text.push(self.0.as_bytes());
        text.push(field.as_key().as_bytes());
        BuiltKey(Built::Written { group: Some(self.0.len()), text })
    }
}

impl ToKey for str {
    #[inline]
    fn to_key(&self) -> BuiltKey<'_> {
        let bytes = self.as_bytes();
        if bytes.first() == Some(&b'\'') || bytes.contains(&b'(') {
            let mut text = Buffer::new();
            text.push(b"'");
            text.push(bytes);
            return BuiltKey(Built::Written { group: None, text });
        }
        BuiltKey(Built::Borrowed(Key::name(bytes)))
    }
}

impl KeyPart for str {
    #[inline]
    fn write(&self, key: &mut KeyWriter) {
        key.text(self);
    }
}

impl ToKey for Key<'_> {
    fn to_key(&self) -> BuiltKey<'_> {
        BuiltKey(Built::Borrowed(*self))
    }
}

impl ToKey for KeyBuf {
    fn to_key(&self) -> BuiltKey<'_> {
        BuiltKey(Built::Borrowed(self.as_key()))
    }
}

impl ToKey for BuiltKey<'_> {
    fn to_key(&self) -> BuiltKey<'_> {
        BuiltKey(Built::Borrowed(self.as_key()))
    }
}

impl ToKey for String {
    fn to_key(&self) -> BuiltKey<'_> {
        self.as_str().to_key()
    }
}

impl KeyPart for String {
    fn write(&self, key: &mut KeyWriter) {
        key.text(self);
    }
}

impl<T: ToKey + ?Sized> ToKey for &T {
    #[inline]
    fn to_key(&self) -> BuiltKey<'_> {
        (**self).to_key()
    }
}

impl<T: KeyPart + ?Sized> KeyPart for &T {
    #[inline]
    fn write(&self, key: &mut KeyWriter) {
        (**self).write(key);
    }
}

macro_rules! parts_by_value {
    ($($number:ty)*) => {$(
        impl KeyPart for $number {
            fn write(&self, key: &mut KeyWriter) {
                // Writing to a buffer in memory cannot fail.
                let _ = write!(key, "{self}");
            }
        }

        impl ToKey for $number {
            fn to_key(&self) -> BuiltKey<'_> {
                list_of(|key| { key.part(self); })
            }
        }
    )*};
}
parts_by_value!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize bool);

impl KeyPart for char {
    fn write(&self, key: &mut KeyWriter) {
        key.text(self.encode_utf8(&mut [0; 4]));
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    fn write(&self, key: &mut KeyWriter) {
        let start = key.written().len();
        match self {
            None => key.text.push(b"~"),
            Some(part) => {
                part.write(key);
                // Some(None) is not None.
                if key.written().get(start) == Some(&b'~') {
                    key.text.insert(start, b'~');
                }
            }
        }
    }
}

impl<T: KeyPart> KeyPart for [T] {
    fn write(&self, key: &mut KeyWriter) {
        key.list(b'[', b']', |key| {
            self.iter().for_each(|part| {
                key.part(part);
            });
        });
    }
}

impl<T: KeyPart, const N: usize> KeyPart for [T; N] {
    fn write(&self, key: &mut KeyWriter) {
        self[..].write(key);
    }
}

impl<T: KeyPart> KeyPart for Vec<T> {
    fn write(&self, key: &mut KeyWriter) {
        self[..].write(key);
    }
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => {$(
        impl<$($name: KeyPart),*> KeyPart for ($($name,)*) {
            #[allow(non_snake_case, unused_variables, reason = "the tuples of all lengths share one macro")]
            fn write(&self, key: &mut KeyWriter) {
                let ($($name,)*) = self;
                key.list(b'(', b')', |key| { $(key.part($name);)* });
            }
        }

        impl<$($name: KeyPart),*> ToKey for ($($name,)*) {
            #[allow(non_snake_case, unused_variables, reason = "the tuples of all lengths share one macro")]
            fn to_key(&self) -> BuiltKey<'_> {
                let ($($name,)*) = self;
                list_of(|key| { $(key.part($name);)* })
            }
        }
    )*};
}
tuples! { ; A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }

fn list_of(parts: impl FnOnce(&mut KeyWriter)) -> BuiltKey<'static> {
    let mut key = KeyWriter::call("");
    parts(&mut key);
    key.finish()
}

/// What is escaped in text.
const SPECIAL: &[u8; 6] = b",()[]\\";

/// Whether nothing in these bytes has to be escaped; eight at a time, because every key is asked.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    !words.iter().chain([&last]).any(|word| has_special(u64::from_le_bytes(*word)))
}

#[inline]
const fn has_special(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const fn zero_byte(word: u64) -> u64 {
        word.wrapping_sub(EACH) & !word & (0x80 * EACH)
    }
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

    fn written(key: impl ToKey) -> String {
        key.to_key().as_key().to_string()
    }

    #[test]
    fn the_table_in_the_documentation() {
        assert_eq!(written("user:15"), "user:15");
        assert_eq!(written(("user", 15)), "(user,15)");
        assert_eq!(written(("user", "15")), "(user,'15)");
        assert_eq!(written(("a,b", "c")), "(a\\,b,c)");
        assert_eq!(written(15), "(15)");
        assert_eq!(written("(15)"), "'(15)");
        assert_eq!(written((true, None::<u8>, Some(1))), "(true,~,1)");
        assert_eq!(written((&[1, 2][..], ("x",))), "([1,2],(x))");
        assert_eq!(written(Field("users", 15)), "users[(15)]");
    }

    #[test]
    fn values_that_look_alike_differ() {
        let keys = [
            written("1"),
            written(1),
            written(("1",)),
            written("(1)"),
            written("'(1)"),
            written(("'1",)),
            written(-1),
            written(("-1",)),
            written(true),
            written(("true",)),
            written("true"),
            written(("a b", "c")),
            written(("a", "b c")),
            written(("a,b",)),
            written(("a", "b")),
            written(("a\\", "b")),
            written(("a\\,b",)),
            written((("a", "b"),)),
            written((["a", "b"],)),
            written(("[a,b]",)),
            written(("",)),
            written(("", "")),
            written(()),
            written(((),)),
            written((None::<&str>,)),
            written((Some("~"),)),
            written((Some(None::<u8>),)),
            written((Some(Some(None::<u8>)),)),
            written(KeyWriter::call("'x").finish()),
            written("x()"),
            written("\\'x()"),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[..i] {
                assert_ne!(a, b);
            }
        }
    }

    #[test]
    fn a_plain_text_never_meets_a_call() {
        let mut call = KeyWriter::call("images");
        call.part(&"alice");
        let call = call.finish();
        assert_eq!(call.as_key(), Key::name("images(alice)"));
        assert_ne!("images(alice)".to_key().as_key(), call.as_key());
        assert_eq!(call.as_key().to_key().as_key(), call.as_key());
    }

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

    #[test]
    fn plain_text_borrows() {
        let text = "a plain name";
        assert!(std::ptr::eq(text.to_key().as_key().as_bytes(), text.as_bytes()));
    }
}
