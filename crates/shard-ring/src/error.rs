//! What can be wrong with a membership.

use alloc::boxed::Box;
use core::fmt;

/// Why a change of a [`Ring`](crate::Ring) was refused. The ring is as it was before.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Another node of the ring has this name.
    DuplicateName(Box<str>),
    /// No node of the ring has this name.
    UnknownName(Box<str>),
    /// The ring has no node, or none that is not marked down.
    Empty,
    /// A ring with no points for a node routes nothing to it.
    ZeroReplicas,
    /// A node of weight 0 owns nothing; leave it out, or mark it down.
    ZeroWeight(Box<str>),
    /// The points of all nodes together exceed [`Ring::MAX_POINTS`](crate::Ring::MAX_POINTS), or
    /// there are more nodes or weight than the profile's program can count.
    TooLarge,
    /// This profile hashes addresses: the name has to be `host:port`, with the port in decimal.
    BadAddress(Box<str>),
    /// The number of points is fixed by the program that this profile follows.
    FixedPoints,
    /// There is no profile of this name.
    UnknownProfile(Box<str>),
    /// Two rings of different profiles have no ranges in common.
    DifferentProfiles,
    /// A bound below 100 % of the mean leaves no room for all.
    BoundTooLow(u32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateName(name) => write!(f, "a node named {name:?} is already in the ring"),
            Self::UnknownName(name) => write!(f, "no node is named {name:?}"),
            Self::Empty => f.write_str("the ring has no node that could be asked"),
            Self::ZeroReplicas => f.write_str("a node needs at least one point"),
            Self::ZeroWeight(name) => {
                write!(f, "node {name:?} has weight 0: leave it out, or mark it down")
            }
            Self::TooLarge => f.write_str("more nodes, weight or points than a ring can hold"),
            Self::BadAddress(name) => {
                write!(f, "this profile hashes addresses, and {name:?} is not host:port")
            }
            Self::FixedPoints => f.write_str("this profile has a fixed number of points"),
            Self::UnknownProfile(name) => write!(f, "no profile is named {name:?}"),
            Self::DifferentProfiles => f.write_str("the rings have different profiles"),
            Self::BoundTooLow(percent) => {
                write!(f, "a bound of {percent} % is below the mean: give 100 or more")
            }
        }
    }
}

impl core::error::Error for Error {}
