//! A namespace in front of every key.

use std::fmt;

use dogpile_core::{Key, KeyBuf, Result};

use super::{MapKey, Transform};

/// A layer that puts a namespace in front of every key, so that several programs can share a store.
///
/// A field of a group gets it in front of the group, so the groups of two namespaces differ, too.
/// It is written as it is, without a separator: end it with one that does not occur in it, as in
/// `"billing:"`.
///
/// ```
/// use dogpile_cache::layer::{MapKey, Prefix};
/// use dogpile_core::{Key, KeyBuf};
///
/// let prefix = Prefix::new("billing:");
/// assert_eq!(prefix.key(Key::name("user"))?, Some(KeyBuf::from(Key::name("billing:user"))));
/// assert_eq!(prefix.key(Key::field("users", "1"))?, Some(KeyBuf::from(Key::field("billing:users", "1"))));
/// # Ok::<(), dogpile_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Prefix(Box<[u8]>);

impl Prefix {
    /// Puts `prefix` in front of every key.
    #[must_use]
    pub fn new<P: AsRef<[u8]> + ?Sized>(prefix: &P) -> Self {
        Self(prefix.as_ref().into())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({})", Key::name(&self.0))
    }
}

impl MapKey for Prefix {
    fn key(&self, key: Key<'_>) -> Result<Option<KeyBuf>> {
        let prefixed = |text| [&self.0[..], text].concat();
        Ok(Some(match key.group() {
            Some(group) => Key::field(&prefixed(group), key.as_bytes()).into(),
            None => Key::name(&prefixed(key.as_bytes())).into(),
        }))
    }
}

impl<V: Clone + Send + Sync + 'static> Transform<V> for Prefix {
    type Value = V;

    fn encode(&self, _: Key<'_>, value: &V) -> Result<V> {
        Ok(value.clone())
    }

    fn decode(&self, _: Key<'_>, value: V) -> Result<V> {
        Ok(value)
    }
}
