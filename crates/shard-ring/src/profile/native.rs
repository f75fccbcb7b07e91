//! The native profile: XXH3.
//!
//! XXH3 is specified and frozen since xxHash 0.8.0, exists for every language, and hashes a short
//! key in two nanoseconds. Faster hashes exist (rapidhash takes one), and change their values from
//! version to version: a ring that outlives a release cannot stand on them.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The place of a key: `XXH3_64bits(key)`.
#[inline]
pub(super) fn hash_key(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// The points of a node: `XXH3_64bits_withSeed(name, i)` for i in 1..=count.
pub(super) fn points(name: &str, count: u32, each: impl FnMut(u64)) {
    let name = name.as_bytes();
    (1..=u64::from(count)).map(|seed| xxh3_64_with_seed(name, seed)).for_each(each);
}
