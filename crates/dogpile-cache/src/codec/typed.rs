//! Values of one type, as they are.

use dogpile_core::{Codec, Result};

/// The codec of a region in this process that holds values of one type.
///
/// What is stored is the value, so encoding and decoding are one `clone` each. Use it with a backend
/// of that type, such as `Memory<Arc<str>>`; [`Shared`](super::Shared) takes many types and costs
/// one more pointer.
///
/// ```
/// use dogpile_cache::codec::Typed;
/// use dogpile_core::Codec;
///
/// let stored: u64 = Typed.encode(&7_u64)?;
/// assert_eq!(Typed.decode(&stored)?, 7_u64);
/// # Ok::<(), dogpile_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to configure, and is written as a value"
)]
pub struct Typed;

impl<T: Clone> Codec<T> for Typed {
    type Stored = T;

    fn name(&self) -> &'static str {
        "typed"
    }

    fn encode(&self, value: &T) -> Result<T> {
        Ok(value.clone())
    }

    #[inline]
    fn decode(&self, stored: &T) -> Result<T> {
        Ok(stored.clone())
    }
}
