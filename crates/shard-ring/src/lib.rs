#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

extern crate alloc;
#[cfg(any(feature = "plot", feature = "snapshot", test))]
extern crate std;

mod arcs;
mod bounded;
mod diff;
mod error;
#[cfg(feature = "dogpile")]
mod locator;
#[cfg(feature = "serde")]
mod membership;
mod node;
mod owners;
#[cfg(feature = "plot")]
pub mod plot;
mod point;
mod position;
mod profile;
mod ring;
#[cfg(feature = "snapshot")]
mod snapshot;
mod state;
mod stats;
mod zones;

pub use self::arcs::Range;
pub use self::bounded::Permit;
pub use self::diff::{During, Move, Plan, owners_during};
pub use self::error::Error;
pub use self::node::Node;
pub use self::owners::Owners;
pub use self::position::Position;
pub use self::profile::{Ketama, Profile};
pub use self::ring::{Fingerprint, Ring};
#[cfg(feature = "snapshot")]
pub use self::snapshot::{Loaded, Snapshot};
pub use self::stats::{Share, Stats};
pub use self::zones::{Spread, Zones};
