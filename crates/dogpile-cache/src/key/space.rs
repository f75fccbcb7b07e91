//! Where the keys of a region lie in its store.

use std::borrow::Cow;
use std::sync::Arc;

use dogpile_core::Key;

use super::Mangle;

/// A prefix and a mangler: the part of a store's keys that belongs to one region.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySpace {
    pub(crate) prefix: Vec<u8>,
    pub(crate) mangler: Option<Arc<dyn Mangle>>,
}

impl KeySpace {
    /// Whether keys stay as they are.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.prefix.is_empty() && self.mangler.is_none()
    }

    /// The key in the store.
    #[inline]
    pub(crate) fn place<'a>(&self, key: Key<'a>) -> Placed<'a> {
        if self.is_bare() {
            return Placed::AsIs(key);
        }
        self.build(key)
    }

    /// The group in the store.
    pub(crate) fn place_group(&self, group: &[u8]) -> Vec<u8> {
        [&self.prefix[..], &self.mangled(group)].concat()
    }

    fn build(&self, key: Key<'_>) -> Placed<'static> {
        let mut text = Text::new();
        text.push(&self.prefix);
        let group = key.group().map(|group| {
            text.push(&self.mangled(group));
            text.as_bytes().len()
        });
        text.push(&self.mangled(key.as_bytes()));
        Placed::Built { group, text }
    }

    fn mangled<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.mangler {
            Some(mangler) => mangler.mangle(name),
            None => Cow::Borrowed(name),
        }
    }
}

/// A key in the store, borrowed where it is the caller's and in place where it is short.
#[derive(Clone)]
pub(crate) enum Placed<'a> {
    AsIs(Key<'a>),
    Built { group: Option<usize>, text: Text },
}

impl Placed<'_> {
    #[inline]
    pub(crate) fn as_key(&self) -> Key<'_> {
        match self {
            Self::AsIs(key) => *key,
            Self::Built { group: None, text } => Key::name(text.as_bytes()),
            Self::Built { group: Some(end), text } => {
                let (group, name) = text.as_bytes().split_at(*end);
                Key::field(group, name)
            }
        }
    }

    /// The same key, independent of what it was borrowed from; short ones need no allocation.
    pub(crate) fn into_owned(self) -> Placed<'static> {
        match self {
            Self::AsIs(key) => {
                let mut text = Text::new();
                let group = key.group().map(|group| {
                    text.push(group);
                    group.len()
                });
                text.push(key.as_bytes());
                Placed::Built { group, text }
            }
            Self::Built { group, text } => Placed::Built { group, text },
        }
    }
}

/// Bytes that need no allocation while they are few.
#[derive(Clone)]
pub(crate) enum Text {
    Inline { len: usize, bytes: [u8; Self::INLINE] },
    Heap(Vec<u8>),
}

impl Text {
    const INLINE: usize = 64;

    fn new() -> Self {
        Self::Inline { len: 0, bytes: [0; Self::INLINE] }
    }

    fn push(&mut self, more: &[u8]) {
        match self {
            Self::Heap(bytes) => bytes.extend_from_slice(more),
            Self::Inline { len, bytes } => match bytes.get_mut(*len..*len + more.len()) {
                Some(room) => {
                    room.copy_from_slice(more);
                    *len += more.len();
                }
                None => *self = Self::Heap([&bytes[..*len], more].concat()),
            },
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => &bytes[..*len],
            Self::Heap(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Reverse;

    impl Mangle for Reverse {
        fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
            name.iter().rev().copied().collect()
        }
    }

    #[test]
    fn a_bare_space_borrows_the_key() {
        let name = String::from("a name");
        let placed = KeySpace::default().place(Key::name(&name)).as_key().as_bytes().as_ptr();
        assert_eq!(placed, name.as_ptr());
    }

    #[test]
    fn a_prefix_stays_readable_before_what_is_mangled() {
        let space = KeySpace { prefix: b"app:".to_vec(), mangler: Some(Arc::new(Reverse)) };
        assert_eq!(space.place(Key::name("abc")).as_key(), Key::name("app:cba"));
        let field = Key::field("users", "15");
        assert_eq!(space.place(field).as_key(), Key::field("app:sresu", "51"));
        assert_eq!(space.place_group(b"users"), b"app:sresu");
    }

    #[test]
    fn owned_keys_are_equal_and_of_any_length() {
        for length in [0, 1, 63, 64, 65, 1_000] {
            let name = vec![b'x'; length];
            for key in [Key::name(&name), Key::field("group", &name), Key::field(&name, "n")] {
                let space = KeySpace::default();
                assert_eq!(space.place(key).into_owned().as_key(), key);
                let prefixed = KeySpace { prefix: b"p".to_vec(), mangler: None };
                let placed = prefixed.place(key);
                assert_eq!(placed.as_key().group().is_some(), key.group().is_some());
                assert_eq!(placed.clone().into_owned().as_key(), placed.as_key());
            }
        }
    }
}
