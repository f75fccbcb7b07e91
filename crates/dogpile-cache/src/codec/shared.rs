//! Values of any type, as they are.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

use dogpile_core::{Codec, Error, ErrorKind, Result};

/// The codec of a region in this process that holds values of many types.
///
/// Nothing is serialised: what is stored is the value behind a shared pointer, and a hit is one
/// `clone` of it. Keep what is large in an `Arc`. A value under a key that is read as another type
/// than it was written is [`ErrorKind::Corrupt`], which a region takes for a miss.
///
/// ```
/// use dogpile_cache::codec::{Object, Shared};
/// use dogpile_core::Codec;
/// use std::sync::Arc;
///
/// let page: Arc<str> = "<html>".into();
/// let stored: Object = Shared.encode(&page)?;
/// assert!(Arc::ptr_eq(&page, &Shared.decode(&stored)?));
///
/// let wrong: Result<u64, _> = Shared.decode(&stored);
/// assert!(wrong.is_err());
/// # Ok::<(), dogpile_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to configure, and is written as a value"
)]
pub struct Shared;

/// A value of any type behind a shared pointer: what [`Shared`] stores.
#[derive(Clone)]
pub struct Object(Kept);

/// `Arc<[u8]>` and `Arc<str>` are shared pointers already: a second one around them would
/// cost a hit a sixth of its time.
#[derive(Clone)]
enum Kept {
    Any(Arc<dyn Any + Send + Sync>),
    Bytes(Arc<[u8]>),
    Text(Arc<str>),
}

impl Object {
    /// A value that has forgotten its type.
    #[must_use]
    pub fn new<T: Send + Sync + 'static>(value: T) -> Self {
        let any: &dyn Any = &value;
        if let Some(bytes) = any.downcast_ref::<Arc<[u8]>>() {
            Self(Kept::Bytes(Arc::clone(bytes)))
        } else if let Some(text) = any.downcast_ref::<Arc<str>>() {
            Self(Kept::Text(Arc::clone(text)))
        } else {
            Self(Kept::Any(Arc::new(value)))
        }
    }

    /// The value, if it is a `T`.
    #[must_use]
    #[inline]
    pub fn downcast_ref<T: Send + Sync + 'static>(&self) -> Option<&T> {
        match &self.0 {
            Kept::Any(any) => any.downcast_ref(),
            Kept::Bytes(bytes) => (bytes as &dyn Any).downcast_ref(),
            Kept::Text(text) => (text as &dyn Any).downcast_ref(),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Object(..)")
    }
}

impl<T: Clone + Send + Sync + 'static> Codec<T> for Shared {
    type Stored = Object;

    fn name(&self) -> &'static str {
        "shared"
    }

    fn encode(&self, value: &T) -> Result<Object> {
        Ok(Object::new(value.clone()))
    }

    #[inline]
    fn decode(&self, stored: &Object) -> Result<T> {
        match stored.downcast_ref::<T>() {
            Some(value) => Ok(value.clone()),
            None => Err(wrong_type(type_name::<T>())),
        }
    }
}

#[cold]
fn wrong_type(wanted: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the stored value is not a {wanted}"))
}
