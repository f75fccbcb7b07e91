#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod backend;
#[cfg(feature = "classic")]
mod classic;
mod connect;
mod counter;
mod error;
mod expiry;
mod fleet;
mod greeting;
mod health;
mod inspect;
mod key;
mod lease;
mod mark;
mod memcached;
mod meta;
mod random;
mod read;
mod server;
mod socket;
mod stats;
#[cfg(feature = "tls")]
mod tls;
mod value;
mod wait;

pub use crate::connect::{Connect, Protocol};
pub use crate::counter::MemcachedCounter;
pub use crate::inspect::{Inspection, LeaseState};
pub use crate::key::KeyNames;
pub use crate::memcached::{Memcached, WhenDown};
pub use crate::stats::ServerStats;
pub use crate::value::{Compression, Split};
