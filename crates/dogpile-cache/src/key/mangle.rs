//! Keys rewritten for stores that cannot take them as they are.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Rewrites names, always the same way: another name of the same entry.
///
/// A mangler that makes one name of two loses one of the entries, so use a hash that nobody has
/// broken where names come from strangers.
///
/// ```
/// use dogpile_cache::key::Mangle;
/// use std::borrow::Cow;
///
/// /// For a store that takes no spaces.
/// #[derive(Debug)]
/// struct NoSpaces;
///
/// impl Mangle for NoSpaces {
///     fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
///         name.iter().flat_map(|&b| match b {
///             b' ' => b"%20".to_vec(),
///             b'%' => b"%25".to_vec(),
///             other => vec![other],
///         }).collect()
///     }
/// }
///
/// assert_eq!(NoSpaces.mangle(b"a b"), &b"a%20b"[..]);
/// ```
pub trait Mangle: fmt::Debug + Send + Sync {
    /// The name to use instead.
    fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]>;
}

/// Leaves names shorter than `at_least` bytes as they are, and mangles the others.
///
/// ```
/// # #[cfg(feature = "sha")] {
/// use dogpile_cache::key::{Mangle, Sha1, only_when_long};
///
/// let mangler = only_when_long(41, Sha1);
/// assert_eq!(mangler.mangle(b"short"), &b"short"[..]);
/// assert_eq!(mangler.mangle(&[b'x'; 41]).len(), 40);
/// # }
/// ```
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
        if name.len() < self.at_least { Cow::Borrowed(name) } else { self.mangler.mangle(name) }
    }
}

impl<M: Mangle + ?Sized> Mangle for &M {
    fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        (**self).mangle(name)
    }
}

impl<M: Mangle + ?Sized> Mangle for Box<M> {
    fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        (**self).mangle(name)
    }
}

impl<M: Mangle + ?Sized> Mangle for Arc<M> {
    fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        (**self).mangle(name)
    }
}

/// The SHA-1 of the name, as 40 hexadecimal digits: what dogpile.cache calls `sha1_mangle_key`.
///
/// Collisions of SHA-1 can be made on purpose. Take [`Sha256`] where strangers choose the names.
#[cfg(feature = "sha")]
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to configure, and is written as a value"
)]
pub struct Sha1;

#[cfg(feature = "sha")]
impl Mangle for Sha1 {
    fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        use sha1::Digest;
        hex(&sha1::Sha1::digest(name))
    }
}

/// The SHA-256 of the name, as 64 hexadecimal digits.
#[cfg(feature = "sha")]
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to configure, and is written as a value"
)]
pub struct Sha256;

#[cfg(feature = "sha")]
impl Mangle for Sha256 {
    fn mangle<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        use sha2::Digest;
        hex(&sha2::Sha256::digest(name))
    }
}

#[cfg(feature = "sha")]
fn hex(digest: &[u8]) -> Cow<'static, [u8]> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    digest.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).collect()
}
