//! The keys that dogpile.cache makes of function calls.

use std::borrow::Cow;
use std::fmt::{self, Write};

use dogpile_core::{Key, KeyBuf};

use super::number::write_float;
use crate::key::Mangle;

/// The keys of one Python function that is cached by `cache_on_arguments` or
/// `cache_multi_on_arguments`.
///
/// A method's `self` and a class method's `cls` are not arguments here, as they are not there.
///
/// These keys are as ambiguous as the originals: `("a b", "c")` and `("a", "b c")` are one key, and
/// so are `1` and `"1"`. Use them to share a cache, and [`ToKey`](crate::ToKey) for everything else.
///
/// ```
/// use dogpile_cache::Key;
/// use dogpile_cache::python::FunctionKey;
///
/// let one = FunctionKey::new("myapp.tools", "one").with_namespace("foo");
/// assert_eq!(one.of(&[&3, &4]).as_key(), Key::name("myapp.tools:one|foo|3 4"));
/// assert_eq!(one.each(&[&2, &8])[1].as_key(), Key::name("myapp.tools:one|foo|8"));
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct FunctionKey {
    start: String,
}

impl FunctionKey {
    /// The function of this name (`__name__`) in this module (`__module__`).
    #[must_use]
    pub fn new(module: &str, function: &str) -> Self {
        Self { start: format!("{module}:{function}|") }
    }

    /// The `namespace` that the decorator was given.
    #[must_use]
    pub fn with_namespace(mut self, namespace: &str) -> Self {
        self.start.push_str(namespace);
        self.start.push('|');
        self
    }

    /// The key of a call: what `function_key_generator` makes of the positional arguments.
    #[must_use]
    pub fn of(&self, arguments: &[&dyn PythonStr]) -> KeyBuf {
        self.joined(arguments.iter().copied())
    }

    /// One key for each argument: what `function_multi_key_generator` makes.
    #[must_use]
    pub fn each(&self, arguments: &[&dyn PythonStr]) -> Vec<KeyBuf> {
        arguments.iter().map(|argument| self.of(&[*argument])).collect()
    }

    /// The key of a call by name: what `kwarg_function_key_generator` makes. Name every argument,
    /// also those that the call leaves at their default.
    #[must_use]
    pub fn of_named(&self, arguments: &[(&str, &dyn PythonStr)]) -> KeyBuf {
        let mut arguments = arguments.to_vec();
        arguments.sort_by_key(|(name, _)| *name);
        self.joined(arguments.into_iter().map(|(_, value)| value))
    }

    fn joined<'a>(&self, arguments: impl Iterator<Item = &'a dyn PythonStr>) -> KeyBuf {
        let mut key = self.start.clone();
        for (at, argument) in arguments.enumerate() {
            if at > 0 {
                key.push(' ');
            }
            argument.write(&mut key);
        }
        KeyBuf::from(Key::name(&key))
    }
}

/// What Python's `str()` says of a value: text as it is, `True`, `None`, `0.5`, `1e+16`.
pub trait PythonStr {
    /// Writes it.
    fn write(&self, out: &mut String);
}

impl fmt::Debug for dyn PythonStr + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl PythonStr for str {
    fn write(&self, out: &mut String) {
        out.push_str(self);
    }
}

impl PythonStr for String {
    fn write(&self, out: &mut String) {
        out.push_str(self);
    }
}

impl PythonStr for bool {
    fn write(&self, out: &mut String) {
        out.push_str(if *self { "True" } else { "False" });
    }
}

impl PythonStr for f64 {
    fn write(&self, out: &mut String) {
        write_float(out, *self);
    }
}

impl<T: PythonStr> PythonStr for Option<T> {
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("None"),
        }
    }
}

impl<T: PythonStr + ?Sized> PythonStr for &T {
    fn write(&self, out: &mut String) {
        (**self).write(out);
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl PythonStr for $integer {
            fn write(&self, out: &mut String) {
                // Writing to text in memory cannot fail.
                let _ = write!(out, "{self}");
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

/// Leaves names shorter than `at_least` characters as they are: what `length_conditional_mangler`
/// does. It counts characters, where [`key::only_when_long`](crate::key::only_when_long) counts
/// bytes.
pub fn only_when_long<M: Mangle>(at_least: usize, mangler: M) -> OnlyWhenLong<M> {
    OnlyWhenLong { at_least, mangler }
}

/// What [`only_when_long`] makes.
#[derive(Clone, Copy, Debug)]
pub struct OnlyWhenLong<M> {
    at_least: usize,
    mangler: M,
}

impl<M: Mangle> Mangle for OnlyWhenLong<M> {
    fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        let characters = name.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        if characters < self.at_least { Cow::Borrowed(name) } else { self.mangler.mangle(name) }
    }
}
