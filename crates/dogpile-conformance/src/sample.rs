//! Values to store.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// A type of values that a suite can make up.
///
/// Backends are generic in what they keep; a suite runs with any type that implements this.
///
/// ```
/// use dogpile_conformance::Sample;
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct User {
///     name: String,
/// }
///
/// impl Sample for User {
///     fn sample(seed: usize, size: usize) -> Self {
///         Self { name: String::sample(seed, size) }
///     }
/// }
///
/// assert_eq!(User::sample(1, 64), User::sample(1, 64));
/// assert_ne!(User::sample(1, 64), User::sample(2, 64));
/// ```
pub trait Sample: Clone + fmt::Debug + PartialEq + Send + Sync + 'static {
    /// A value made from `seed`, of about `size` bytes where the type has values of many sizes.
    ///
    /// # Behavior
    /// - Equal arguments give equal values; with a `size` of 16 or more, different seeds give
    ///   different values.
    fn sample(seed: usize, size: usize) -> Self;
}

impl Sample for u64 {
    fn sample(seed: usize, _: usize) -> Self {
        seed as Self
    }
}

impl Sample for Vec<u8> {
    /// Exactly `size` bytes, among them every byte there is once `size` allows it.
    fn sample(seed: usize, size: usize) -> Self {
        let mut bytes = (seed as u64).to_le_bytes().to_vec();
        bytes.extend(
            (8..size).map(|at| (at.wrapping_mul(31) ^ seed.wrapping_mul(7)).to_le_bytes()[0]),
        );
        bytes.truncate(size);
        bytes
    }
}

impl Sample for Bytes {
    /// Exactly `size` bytes, as of `Vec<u8>`.
    fn sample(seed: usize, size: usize) -> Self {
        Vec::sample(seed, size).into()
    }
}

impl Sample for Arc<[u8]> {
    /// Exactly `size` bytes, as of `Vec<u8>`.
    fn sample(seed: usize, size: usize) -> Self {
        Vec::sample(seed, size).into()
    }
}

impl Sample for String {
    /// Exactly `size` bytes of text.
    fn sample(seed: usize, size: usize) -> Self {
        let mut text = format!("{seed:016x}");
        text.extend(('a'..='z').cycle().take(size.saturating_sub(text.len())));
        text.truncate(size);
        text
    }
}

impl Sample for Arc<str> {
    /// Exactly `size` bytes of text.
    fn sample(seed: usize, size: usize) -> Self {
        String::sample(seed, size).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_their_size_and_differ() {
        for size in [0, 1, 8, 9, 64, 65_536] {
            assert_eq!(Vec::<u8>::sample(3, size).len(), size);
            assert_eq!(String::sample(3, size).len(), size);
        }
        for seed in 1..300 {
            assert_ne!(Bytes::sample(0, 16), Bytes::sample(seed, 16));
            assert_ne!(String::sample(0, 16), String::sample(seed, 16));
        }
    }
}
