//! What the memory backend keeps, and how a borrowed key finds it.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use dogpile_core::{Entry, Error, ErrorKind, Key, Result};
use quick_cache::Equivalent;

/// A key with its entry.
///
/// The cache underneath sees a key without a value: it would copy a value for every reader, and shows
/// a key in place, to be compared. So a reader looks at an entry where it lies.
pub(super) struct Kept<V> {
    /// The group and the name, one after the other.
    bytes: Box<[u8]>,
    /// Where the group ends, or [`NO_GROUP`].
    group: u32,
    weight: u32,
    entry: Entry<V>,
}

const NO_GROUP: u32 = u32::MAX;

impl<V> Kept<V> {
    pub(super) fn new(key: Key<'_>, entry: Entry<V>, weight: u32) -> Result<Self> {
        let (bytes, group) = match key.group() {
            None => (key.as_bytes().into(), NO_GROUP),
            Some(group) => {
                let end = u32::try_from(group.len()).unwrap_or(NO_GROUP);
                if end == NO_GROUP {
                    let message = "the name of a group is longer than 4 GiB";
                    return Err(Error::new(ErrorKind::Refused, message));
                }
                ([group, key.as_bytes()].concat().into(), end)
            }
        };
        Ok(Self { bytes, group, weight, entry })
    }

    pub(super) fn weight(&self) -> u32 {
        self.weight
    }

    pub(super) fn key(&self) -> Key<'_> {
        match self.bytes.split_at_checked(self.group as usize) {
            Some((group, name)) if self.group != NO_GROUP => Key::field(group, name),
            _ => Key::name(&self.bytes),
        }
    }

    #[inline(always)]
    fn is(&self, key: Key<'_>) -> bool {
        match key.group() {
            None => self.group == NO_GROUP && same(&self.bytes, key.as_bytes()),
            Some(_) => self.is_field(key),
        }
    }

    #[inline(never)]
    fn is_field(&self, key: Key<'_>) -> bool {
        self.key() == key
    }
}

/// Equality of names. Most are so short that the call of `memcmp` would take longer than the look.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    match a.len() {
        8..=16 => a.len() == b.len() && ends::<8>(a) == ends::<8>(b),
        17..=32 => a.len() == b.len() && ends::<16>(a) == ends::<16>(b),
        _ => a == b,
    }
}

/// The first and the last `N` bytes, which may overlap.
#[inline(always)]
fn ends<const N: usize>(name: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
    (name.first_chunk(), name.last_chunk())
}

impl<V> PartialEq for Kept<V> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.key())
    }
}

impl<V> Eq for Kept<V> {}

impl<V> Hash for Kept<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Named(self.key()).hash(state);
    }
}

/// The key of an entry that is not looked at.
pub(super) struct Named<'a>(pub(super) Key<'a>);

impl Hash for Named<'_> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<V> Equivalent<Kept<V>> for Named<'_> {
    fn equivalent(&self, kept: &Kept<V>) -> bool {
        kept.is(self.0)
    }
}

/// A key that, when it is found, shows the entry under it.
pub(super) struct Look<'a, F>(Named<'a>, Cell<Option<F>>);

impl<'a, F> Look<'a, F> {
    pub(super) fn new(key: Key<'a>, look: F) -> Self {
        Self(Named(key), Cell::new(Some(look)))
    }
}

impl<F> Hash for Look<'_, F> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<V, F: FnOnce(&Entry<V>)> Equivalent<Kept<V>> for Look<'_, F> {
    #[inline(always)]
    fn equivalent(&self, kept: &Kept<V>) -> bool {
        let found = kept.is(self.0.0);
        if found && let Some(look) = self.1.take() {
            look(&kept.entry);
        }
        found
    }
}
