//! Places on the circle.

use core::fmt;

/// A place on the circle: what a key is hashed to.
///
/// Hash a key once and ask any number of rings of the same profile. A position of another profile
/// is a position all the same: it is routed, to somewhere else.
///
/// ```
/// use shard_ring::{Profile, Ring};
///
/// let mut ring = Ring::new(Profile::native());
/// ring.insert("a", 1)?;
/// ring.insert("b", 2)?;
/// let position = ring.profile().position(b"user:15");
/// assert_eq!(ring.node_at(position), ring.node("user:15"));
/// # Ok::<(), shard_ring::Error>(())
/// ```
///
/// The circle has 2^128 places; a profile with a shorter hash uses the upper bits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position(u128);

impl Position {
    /// The place of this number on a circle of 2^128 places.
    #[inline]
    #[must_use]
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// The place of a 64-bit hash, as that of the native profile.
    #[inline]
    #[must_use]
    pub const fn from_u64(hash: u64) -> Self {
        Self((hash as u128) << 64)
    }

    /// The place of a 32-bit hash, as that of ketama.
    #[inline]
    #[must_use]
    pub const fn from_u32(hash: u32) -> Self {
        Self((hash as u128) << 96)
    }

    /// The number of the place.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The upper bits, by which points are searched.
    #[inline]
    pub(crate) const fn high(self) -> u32 {
        (self.0 >> 96) as u32
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
