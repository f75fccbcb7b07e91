//! The ketama family: one name, and a dialect per program.
//!
//! Each was followed to the byte; where programs compute in `float`, so does this, because the
//! rounding decides how many points a server gets: 25 equal servers get 156 points each from
//! libmemcached and twemproxy, not 160.
//!
//! | dialect | program and version |
//! |---|---|
//! | `Libketama` | libketama (RJ/ketama) |
//! | `Libmemcached*`, `Spymemcached` | libmemcached 1.1.4, `memcached_generate_hash` |
//! | `Twemproxy*` | twemproxy 0.5.0 (nutcracker) |

use alloc::borrow::Cow;
use alloc::format;

use super::{Crowd, md5};

/// Which program's ketama.
///
/// The programs agree on the idea and on little else: on what of a server is hashed, into how many
/// points, and how a key is hashed. Routing is byte-exact with the program named.
///
/// In all of them but the `Named` ones the name of a node is its address, `host:port` (the last
/// colon separates; an IPv6 address stands without brackets), and 11211 is written out even where
/// the program leaves it away.
///
/// Points of two servers that fall on one place: libmemcached prefers the server that comes first
/// in its list, which is the order of insertion here. The other programs leave it to `qsort`; here
/// the smaller name wins.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Ketama {
    /// libketama itself: `host:port` with any port, weights are its "memory".
    Libketama,
    /// libmemcached with distribution `KETAMA` and its default hash, `one_at_a_time`, for keys and
    /// points; as soon as one weight is above 1 the points are those of
    /// [`LibmemcachedWeighted`](Ketama::LibmemcachedWeighted).
    Libmemcached,
    /// libmemcached with distribution `KETAMA` and `HASH_MD5`: 100 points a server; as soon as one
    /// weight is above 1, the same as [`LibmemcachedWeighted`](Ketama::LibmemcachedWeighted).
    LibmemcachedMd5,
    /// libmemcached with `KETAMA_WEIGHTED`.
    LibmemcachedWeighted,
    /// libmemcached with distribution `KETAMA_SPY`, weighted: the routing of spymemcached, the Java
    /// client, for servers given by address.
    Spymemcached,
    /// twemproxy with `distribution: ketama` and its default hash, `fnv1a_64`, for servers without
    /// names.
    Twemproxy,
    /// twemproxy with `hash: md5`, for servers without names.
    TwemproxyMd5,
    /// twemproxy with its default hash, for servers with names: the name is hashed as it is. A
    /// server without a name stands here as `host` if its port is 11211, or else as `host:port`.
    TwemproxyNamed,
    /// As [`TwemproxyNamed`](Ketama::TwemproxyNamed), with `hash: md5`.
    TwemproxyNamedMd5,
}

impl Ketama {
    /// All dialects.
    pub(super) const ALL: [(&'static str, Self); 9] = [
        ("ketama-libketama", Self::Libketama),
        ("ketama-libmemcached", Self::Libmemcached),
        ("ketama-libmemcached-md5", Self::LibmemcachedMd5),
        ("ketama-libmemcached-weighted", Self::LibmemcachedWeighted),
        ("ketama-spy", Self::Spymemcached),
        ("ketama-twemproxy", Self::Twemproxy),
        ("ketama-twemproxy-md5", Self::TwemproxyMd5),
        ("ketama-twemproxy-named", Self::TwemproxyNamed),
        ("ketama-twemproxy-named-md5", Self::TwemproxyNamedMd5),
    ];

    pub(super) fn is_address(self) -> bool {
        !matches!(self, Self::TwemproxyNamed | Self::TwemproxyNamedMd5)
    }

    /// Whether of two points on one place the first inserted wins, and not the smaller name.
    pub(super) fn first_inserted_wins(self) -> bool {
        matches!(
            self,
            Self::Libmemcached
                | Self::LibmemcachedMd5
                | Self::LibmemcachedWeighted
                | Self::Spymemcached
        )
    }

    #[inline]
    pub(super) fn hash_key(self, key: &[u8]) -> u32 {
        match self {
            Self::Libmemcached => one_at_a_time(key),
            Self::Twemproxy | Self::TwemproxyNamed => fnv1a_64_in_32(key),
            _ => quarter(&md5::digest(key), 0),
        }
    }

    /// Whether a server has 100 points, each a hash of its own, whatever its weight.
    fn is_unweighted(self, crowd: &Crowd) -> bool {
        matches!(self, Self::Libmemcached | Self::LibmemcachedMd5) && crowd.heaviest <= 1
    }

    /// How many points a server has among others.
    #[expect(clippy::cast_possible_truncation, reason = "the programs round to float here")]
    #[expect(clippy::cast_sign_loss, reason = "weights are positive")]
    #[expect(clippy::cast_precision_loss, reason = "the programs round to float here")]
    pub(super) fn count(self, weight: u32, crowd: &Crowd) -> u32 {
        if self.is_unweighted(crowd) {
            return 100;
        }
        let nodes = crowd.nodes as f32;
        let share = weight as f32 / crowd.weight as f32;
        let digests = match self {
            // pct is a float, 40.0 a double, and floorf takes a float.
            Self::Libketama => (f64::from(share) * 40.0 * f64::from(nodes)) as f32,
            // All floats, but for a constant that is a double.
            Self::Twemproxy
            | Self::TwemproxyMd5
            | Self::TwemproxyNamed
            | Self::TwemproxyNamedMd5 => {
                (f64::from(share * 160.0 / 4.0 * nodes) + 0.000_000_000_1) as f32
            }
            _ => share * 160.0 / 4.0 * nodes + 0.000_000_000_1_f32,
        };
        // Casting rounds down, as floorf does with what is positive.
        (digests as u32) * 4
    }

    /// The points of a server, in no order.
    pub(super) fn points(self, name: &str, weight: u32, crowd: &Crowd, mut each: impl FnMut(u32)) {
        let count = self.count(weight, crowd);
        let prefix = self.prefix(name);
        let prefix = prefix.as_bytes();
        if !self.is_unweighted(crowd) {
            md5::numbered(prefix, count / 4, |digest| {
                (0..4).for_each(|part| each(quarter(&digest, part)));
            });
        } else if self == Self::LibmemcachedMd5 {
            md5::numbered(prefix, count, |digest| each(quarter(&digest, 0)));
        } else {
            let text = core::str::from_utf8(prefix).unwrap_or_default();
            (0..count).for_each(|at| each(one_at_a_time(format!("{text}{at}").as_bytes())));
        }
    }

    /// What stands before the number in what is hashed.
    fn prefix(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Spymemcached => format!("/{name}-").into(),
            Self::Libketama | Self::TwemproxyNamed | Self::TwemproxyNamedMd5 => {
                format!("{name}-").into()
            }
            _ => format!("{}-", name.strip_suffix(":11211").unwrap_or(name)).into(),
        }
    }
}

/// Four bytes of a digest, least significant first.
#[inline]
fn quarter(digest: &[u8; 16], part: usize) -> u32 {
    let (quarters, _) = digest.as_chunks::<4>();
    u32::from_le_bytes(quarters[part])
}

/// Jenkins' one-at-a-time as libmemcached computes it on x86: bytes from 0x80 are negative.
fn one_at_a_time(bytes: &[u8]) -> u32 {
    let mut hash = 0_u32;
    for &byte in bytes {
        hash = hash.wrapping_add(signed(byte));
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

/// FNV-1a with the 64-bit constants cut to 32 bits, as twemproxy computes it on x86: bytes from 0x80
/// are negative.
fn fnv1a_64_in_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x8422_2325, |hash: u32, &byte| (hash ^ signed(byte)).wrapping_mul(0x1b3))
}

/// A `char` as C widens it where `char` is signed.
fn signed(byte: u8) -> u32 {
    i32::from(byte.cast_signed()).cast_unsigned()
}

/// Whether a name is `host:port`, in the one way to write it.
pub(super) fn is_address(name: &str) -> bool {
    name.rsplit_once(':').is_some_and(|(host, port)| {
        let canonical = port.parse::<u16>().is_ok_and(|number| format!("{number}") == port);
        !host.is_empty() && canonical
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(nodes: u32) -> Crowd {
        Crowd { nodes: nodes as usize, weight: u64::from(nodes), heaviest: 1 }
    }

    #[test]
    fn some_numbers_of_equal_servers_lose_a_digest_to_rounding() {
        for dialect in [Ketama::LibmemcachedWeighted, Ketama::TwemproxyMd5] {
            for nodes in [25, 47, 50, 55, 61, 71, 94, 100] {
                assert_eq!(dialect.count(1, &equal(nodes)), 156, "{nodes} servers");
            }
            let short = (1..=2_000).filter(|&nodes| dialect.count(1, &equal(nodes)) == 156);
            assert_eq!(short.count(), 207);
        }
        for nodes in [61, 122, 237] {
            assert_eq!(Ketama::Libketama.count(1, &equal(nodes)), 156, "{nodes} servers");
        }
        assert_eq!(Ketama::Libketama.count(1, &equal(25)), 160);
    }

    #[test]
    fn addresses_are_written_in_one_way() {
        for good in ["a:0", "a:65535", "::1:11211", "10.0.0.1:80"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "a", "a:", ":1", "a:01", "a:+1", "a:65536", "a:b", "a:1 "] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
