//! Profiles: how names become points, and keys places.

use alloc::borrow::Cow;
use alloc::format;
use core::fmt;
use core::str::FromStr;

use crate::{Error, Position};

mod ketama;
mod md5;
mod native;

pub use self::ketama::Ketama;

/// How a [`Ring`](crate::Ring) hashes: a named contract that never changes.
///
/// | profile | [name](Profile::name) | a point | a key | the owner |
/// |---|---|---|---|---|
/// | [`md5`](Profile::md5) | `md5-be128` | md5 of `name:i`, 128 bits, big-endian | md5 | first point after the key |
/// | [`native`](Profile::native) | `xxh3-64-v1` | XXH3 of the name, seeds from 1 | XXH3 | first point at or after it |
/// | [`ketama`](Profile::ketama) | `ketama-…` | as its program | as its program | first point at or after it |
///
/// Behind the last point comes the first. Keys are bytes, names are UTF-8; `std::hash::Hash`, which
/// differs between platforms and versions, has no part in it.
///
/// In the first two a node of weight `w` has `w` times the points of one of weight 1, whatever the
/// others weigh, so that a change of one node moves keys only from or to it. In ketama the points
/// of a node depend on the weights of all, as they do in the programs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Profile {
    kind: Kind,
    points: u32,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Kind {
    Md5,
    Native,
    Ketama(Ketama),
}

/// What the points of a node may depend on besides itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Crowd {
    pub(crate) nodes: usize,
    pub(crate) weight: u64,
    pub(crate) heaviest: u32,
}

impl Profile {
    /// The published md5 ring, with its 100 points a node.
    #[must_use]
    pub const fn md5() -> Self {
        Self { kind: Kind::Md5, points: 100 }
    }

    /// The fast one, for those who need no compatibility: XXH3, with 100 points a node.
    #[must_use]
    pub const fn native() -> Self {
        Self { kind: Kind::Native, points: 100 }
    }

    /// What some program does under the name of ketama.
    #[must_use]
    pub const fn ketama(dialect: Ketama) -> Self {
        Self { kind: Kind::Ketama(dialect), points: 0 }
    }

    /// Gives each node this many points per unit of weight. Shares get more even with the square
    /// root of it: [`Ring::points_for_peak`](crate::Ring::points_for_peak) tells how many it takes.
    ///
    /// # Errors
    /// [`Error::ZeroReplicas`] for 0, and [`Error::FixedPoints`] for ketama.
    ///
    /// ```
    /// use shard_ring::{Error, Profile};
    ///
    /// assert_eq!(Profile::md5().with_points(400)?.points(), Some(400));
    /// assert_eq!(Profile::md5().with_points(0), Err(Error::ZeroReplicas));
    /// # Ok::<(), Error>(())
    /// ```
    pub const fn with_points(mut self, points: u32) -> Result<Self, Error> {
        if matches!(self.kind, Kind::Ketama(_)) {
            return Err(Error::FixedPoints);
        }
        if points == 0 {
            return Err(Error::ZeroReplicas);
        }
        self.points = points;
        Ok(self)
    }

    /// The points of a node of weight 1, where the profile lets you choose.
    #[must_use]
    pub const fn points(&self) -> Option<u32> {
        match self.kind {
            Kind::Md5 | Kind::Native => Some(self.points),
            Kind::Ketama(_) => None,
        }
    }

    /// The name of the contract, without the number of points.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Md5 => "md5-be128",
            Kind::Native => "xxh3-64-v1",
            Kind::Ketama(dialect) => Ketama::ALL
                .iter()
                .find(|(_, other)| *other == dialect)
                .map_or("ketama", |(name, _)| *name),
        }
    }

    /// Where a key lies on every ring of this profile.
    #[inline]
    #[must_use]
    pub fn position(&self, key: &[u8]) -> Position {
        match self.kind {
            Kind::Native => Position::from_u64(native::hash_key(key)),
            Kind::Md5 => Position::new(u128::from_be_bytes(md5::digest(key))),
            Kind::Ketama(dialect) => Position::from_u32(dialect.hash_key(key)),
        }
    }

    /// The places of many keys, in order.
    pub(crate) fn positions<K: AsRef<[u8]>>(&self, keys: &[K], mut each: impl FnMut(Position)) {
        if let Kind::Md5 = self.kind {
            md5::many(keys, |digest| each(Position::new(u128::from_be_bytes(digest))));
        } else {
            keys.iter().for_each(|key| each(self.position(key.as_ref())));
        }
    }

    /// Whether a key that lies on a point belongs to the next one.
    pub(crate) const fn is_strict(&self) -> bool {
        matches!(self.kind, Kind::Md5)
    }

    /// How many of the 128 bits of a position this profile uses, from the top.
    pub(crate) const fn bits(&self) -> u32 {
        match self.kind {
            Kind::Md5 => 128,
            Kind::Native => 64,
            Kind::Ketama(_) => 32,
        }
    }

    /// Whether of two points on one place the first inserted wins, and not the smaller name.
    pub(crate) fn first_inserted_wins(&self) -> bool {
        matches!(self.kind, Kind::Ketama(dialect) if dialect.first_inserted_wins())
    }

    /// Whether the points of a node depend on the other nodes.
    pub(crate) const fn depends_on_crowd(&self) -> bool {
        matches!(self.kind, Kind::Ketama(_))
    }

    pub(crate) fn check_name(&self, name: &str) -> Result<(), Error> {
        match self.kind {
            Kind::Ketama(dialect) if dialect.is_address() && !ketama::is_address(name) => {
                Err(Error::BadAddress(name.into()))
            }
            _ => Ok(()),
        }
    }

    /// How many points a node has.
    pub(crate) fn count(&self, weight: u32, crowd: &Crowd) -> u64 {
        match self.kind {
            Kind::Md5 | Kind::Native => u64::from(self.points) * u64::from(weight),
            Kind::Ketama(dialect) => u64::from(dialect.count(weight, crowd)),
        }
    }

    /// The points of a node, in no order. The node has passed the check of sizes.
    #[expect(clippy::cast_possible_truncation, reason = "a ring has fewer points than 2^32")]
    pub(crate) fn points_of(
        &self,
        name: &str,
        weight: u32,
        crowd: &Crowd,
        mut each: impl FnMut(Position),
    ) {
        let count = self.count(weight, crowd) as u32;
        match self.kind {
            Kind::Native => native::points(name, count, |point| each(Position::from_u64(point))),
            Kind::Md5 => md5::numbered(format!("{name}:").as_bytes(), count, |digest| {
                each(Position::new(u128::from_be_bytes(digest)));
            }),
            Kind::Ketama(dialect) => {
                dialect.points(name, weight, crowd, |point| each(Position::from_u32(point)));
            }
        }
    }
}

impl Default for Profile {
    /// [`native`](Profile::native).
    fn default() -> Self {
        Self::native()
    }
}

/// The name, and behind a slash the points where they can be chosen: `md5-be128/100`.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Cow<'_, str> = match self.points() {
            Some(points) => format!("{}/{points}", self.name()).into(),
            None => self.name().into(),
        };
        f.pad(&text)
    }
}

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for Profile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownProfile(text.into());
        let (name, points) = match text.split_once('/') {
            Some((name, points)) => (name, Some(points.parse().map_err(|_| unknown())?)),
            None => (text, None),
        };
        let profile = match name {
            "md5-be128" => Self::md5(),
            "xxh3-64-v1" => Self::native(),
            _ => Ketama::ALL
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, dialect)| Self::ketama(*dialect))
                .ok_or_else(unknown)?,
        };
        points.map_or(Ok(profile), |points| profile.with_points(points))
    }
}
