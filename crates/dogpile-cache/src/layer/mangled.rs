//! Names rewritten.

use dogpile_core::{Key, KeyBuf, Result};

use super::{MapKey, Transform};
use crate::key::Mangle;

/// A layer that rewrites every key by a [`Mangle`], for a store that does not take every name:
/// memcached refuses spaces and names of more than 250 bytes.
///
/// The group and the name of a field are rewritten each by itself, so groups stay groups.
///
/// ```
/// # #[cfg(feature = "sha")] {
/// use dogpile_cache::key::{Sha256, only_when_long};
/// use dogpile_cache::layer::{LayerExt, Mangled};
/// # use dogpile_core::Backend;
///
/// fn any_name<B: Backend>(store: B) -> impl Backend<Value = B::Value> {
///     store.layer(Mangled::new(only_when_long(200, Sha256)))
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Mangled<M>(M);

impl<M: Mangle> Mangled<M> {
    /// Rewrites keys by `mangler`.
    #[must_use]
    pub fn new(mangler: M) -> Self {
        Self(mangler)
    }
}

impl<M: Mangle> MapKey for Mangled<M> {
    fn key(&self, key: Key<'_>) -> Result<Option<KeyBuf>> {
        let name = self.0.mangle(key.as_bytes());
        Ok(Some(match key.group() {
            Some(group) => Key::field(&self.0.mangle(group), &name).into(),
            None => Key::name(&name).into(),
        }))
    }
}

impl<M: Mangle, V: Clone + Send + Sync + 'static> Transform<V> for Mangled<M> {
    type Value = V;

    fn encode(&self, _: Key<'_>, value: &V) -> Result<V> {
        Ok(value.clone())
    }

    fn decode(&self, _: Key<'_>, value: V) -> Result<V> {
        Ok(value)
    }
}
