//! One string that tells whether two hosts route alike.

use core::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::Ring;

/// A fingerprint of a membership: profile, names, weights and zones, in no order.
///
/// Hosts that show the same one route the same keys to the same names. It is no proof against
/// somebody who looks for two memberships of one fingerprint.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// As a number.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl<N> Ring<N> {
    /// The fingerprint of the membership. The order of insertion, payloads, marks and the epoch have
    /// no part in it.
    ///
    /// It is the 128-bit XXH3 of the [profile](crate::Profile) as text and of the nodes in the order
    /// of their names: name, weight, zone. Each text has its length before it, in eight bytes,
    /// little-endian, as the weight; a node in no zone has `u64::MAX` for the length of it.
    ///
    /// ```
    /// use shard_ring::{Profile, Ring};
    ///
    /// let one = Ring::with_nodes(Profile::md5(), [("a", 1), ("b", 2)])?;
    /// let other = Ring::with_nodes(Profile::md5(), [("b", "host"), ("a", "host")])?;
    /// assert_eq!(one.fingerprint(), other.fingerprint());
    /// assert_eq!(one.fingerprint().to_string(), "35afe9bbe54ac68ebb0babe6fb58a80e");
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Xxh3::new();
        let text = |hash: &mut Xxh3, text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        text(&mut hash, &alloc::format!("{}", self.profile));
        let sorted = self.by_name.iter().filter_map(|number| self.member(*number as usize));
        for node in sorted.map(|member| &member.node) {
            text(&mut hash, node.name());
            hash.update(&u64::from(node.weight()).to_le_bytes());
            match node.zone() {
                Some(zone) => text(&mut hash, zone),
                None => hash.update(&u64::MAX.to_le_bytes()),
            }
        }
        Fingerprint(hash.digest128())
    }
}
