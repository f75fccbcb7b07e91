//! Between a value and what is stored of it.

use std::fmt;

use crate::Result;

/// Turns values of type `T` into their stored form and back.
///
/// A codec is a value given to a region, and not a trait of the user's type: any type can be stored
/// in any form, and no orphan rule is in the way.
///
/// ```
/// use bytes::Bytes;
/// use dogpile_core::{Codec, Error, ErrorKind, Result};
///
/// /// Numbers as four bytes, most significant first.
/// #[derive(Debug)]
/// struct BigEndian;
///
/// impl Codec<u32> for BigEndian {
///     type Stored = Bytes;
///
///     fn name(&self) -> &'static str {
///         "be32"
///     }
///     fn encode(&self, value: &u32) -> Result<Bytes> {
///         Ok(Bytes::copy_from_slice(&value.to_be_bytes()))
///     }
///     fn decode(&self, stored: &Bytes) -> Result<u32> {
///         let four = stored[..].try_into().map_err(|_| Error::new(ErrorKind::Corrupt, "not four bytes"))?;
///         Ok(u32::from_be_bytes(four))
///     }
/// }
///
/// assert_eq!(BigEndian.decode(&BigEndian.encode(&7)?)?, 7);
/// assert_eq!(BigEndian.decode(&Bytes::new()).unwrap_err().kind(), ErrorKind::Corrupt);
/// # Ok::<(), Error>(())
/// ```
pub trait Codec<T>: fmt::Debug + Send + Sync {
    /// The stored form: `bytes::Bytes` for anything that leaves the process.
    type Stored;

    /// The name of the format, for configurations, metrics and messages.
    fn name(&self) -> &'static str;

    /// The stored form of a value.
    ///
    /// # Behavior
    /// - What is encoded decodes to an equal value, in every process and every later version that
    ///   uses a codec of the same name.
    /// - A value it cannot represent is [`ErrorKind::Encode`](crate::ErrorKind::Encode), and the
    ///   message names the field.
    ///
    /// # Errors
    /// As above.
    fn encode(&self, value: &T) -> Result<Self::Stored>;

    /// The value of a stored form.
    ///
    /// # Behavior
    /// - Whatever the bytes, it does not panic and does not allocate out of proportion to them.
    /// - Damaged or foreign bytes are [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt).
    ///
    /// # Errors
    /// As above.
    fn decode(&self, stored: &Self::Stored) -> Result<T>;
}
