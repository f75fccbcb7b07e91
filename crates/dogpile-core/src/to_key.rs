//! Keys built from values, so that different values never share a key.

use std::borrow::{Borrow, Cow};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::key::Buffer;
use crate::{Key, KeyBuf, KeyWriter, words};

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
    /// A plain name that was written.
    pub(crate) const fn named(text: Buffer) -> Self {
        Self(Built::Written { group: None, text })
    }

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
        match bytes.first() == Some(&b'\'') || words::contains(bytes, b'(') {
            true => marked(bytes),
            false => BuiltKey(Built::Borrowed(Key::name(bytes))),
        }
    }
}

#[cold]
fn marked(text: &[u8]) -> BuiltKey<'static> {
    let mut marked = Buffer::new();
    marked.push(b"'");
    marked.push(text);
    BuiltKey::named(marked)
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

macro_rules! behind {
    ($($pointer:ty),*) => {$(
        impl<T: ToKey + ?Sized> ToKey for $pointer {
            #[inline]
            fn to_key(&self) -> BuiltKey<'_> {
                (**self).to_key()
            }
        }

        impl<T: KeyPart + ?Sized> KeyPart for $pointer {
            #[inline]
            fn write(&self, key: &mut KeyWriter) {
                (**self).write(key);
            }
        }
    )*};
}
behind!(&T, Arc<T>, Box<T>);

impl<T: ToKey + ToOwned + ?Sized> ToKey for Cow<'_, T> {
    fn to_key(&self) -> BuiltKey<'_> {
        (**self).to_key()
    }
}

impl<T: KeyPart + ToOwned + ?Sized> KeyPart for Cow<'_, T> {
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
    fn a_pointer_is_what_it_points_to() {
        let shared: Arc<str> = "a".into();
        assert_eq!(written(&shared), "a");
        assert_eq!(written((shared, Box::new(1), Cow::Borrowed("b"))), "(a,1,b)");
    }

    #[test]
    fn plain_text_borrows() {
        let text = "a plain name";
        assert!(std::ptr::eq(text.to_key().as_key().as_bytes(), text.as_bytes()));
    }
}
