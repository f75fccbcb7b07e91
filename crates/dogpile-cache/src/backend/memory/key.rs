//! Keys as the memory backend keeps them.

use std::hash::{Hash, Hasher};

use dogpile_core::{Error, ErrorKind, Key, Result};
use quick_cache::Equivalent;

/// A key and the weight of its entry, in three words.
pub(super) struct StoredKey {
    /// The group and the name, one after the other.
    bytes: Box<[u8]>,
    /// Where the group ends, or [`NO_GROUP`](Self::NO_GROUP).
    group: u32,
    weight: u32,
}

impl StoredKey {
    const NO_GROUP: u32 = u32::MAX;

    pub(super) fn new(key: Key<'_>, weight: u32) -> Result<Self> {
        let (bytes, group) = match key.group() {
            None => (key.as_bytes().into(), Self::NO_GROUP),
            Some(group) => {
                let end = u32::try_from(group.len()).unwrap_or(Self::NO_GROUP);
                if end == Self::NO_GROUP {
                    let message = "the name of a group is longer than 4 GiB";
                    return Err(Error::new(ErrorKind::Refused, message));
                }
                ([group, key.as_bytes()].concat().into(), end)
            }
        };
        Ok(Self { bytes, group, weight })
    }

    pub(super) fn weight(&self) -> u32 {
        self.weight
    }

    pub(super) fn group(&self) -> Option<&[u8]> {
        self.as_key().group()
    }

    fn as_key(&self) -> Key<'_> {
        match self.bytes.split_at_checked(self.group as usize) {
            Some((group, name)) if self.group != Self::NO_GROUP => Key::field(group, name),
            _ => Key::name(&self.bytes),
        }
    }
}

impl PartialEq for StoredKey {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.group == other.group && self.bytes == other.bytes
    }
}

impl Eq for StoredKey {}

impl Hash for StoredKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Lookup(self.as_key()).hash(state);
    }
}

/// A borrowed key that finds its [`StoredKey`] without being copied.
pub(super) struct Lookup<'a>(pub(super) Key<'a>);

impl Hash for Lookup<'_> {
    /// A plain name is hashed as it is; keys of equal hash are told apart by comparing them.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(group) = self.0.group() {
            state.write(group);
        }
        state.write(self.0.as_bytes());
    }
}

impl Equivalent<StoredKey> for Lookup<'_> {
    #[inline]
    fn equivalent(&self, stored: &StoredKey) -> bool {
        match self.0.group() {
            None => stored.group == StoredKey::NO_GROUP && *self.0.as_bytes() == *stored.bytes,
            Some(_) => self.0 == stored.as_key(),
        }
    }
}
