//! Numbers that nobody can foresee.

use std::hash::{BuildHasher, RandomState};

/// 128 random bits. The hashers of the standard library take their seeds from the system's source of
/// randomness.
pub(crate) fn random() -> u128 {
    let draw = || u128::from(RandomState::new().hash_one(std::process::id()));
    draw() << 64 | draw()
}
