#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod buckets;
mod connect;
mod counter;
mod envelope;
mod error;
mod group;
mod hints;
mod layout;
mod lease;
mod link;
mod notify;
mod redis;
mod script;
mod stats;
mod wait;
mod wire;

pub use crate::buckets::Buckets;
pub use crate::connect::{Connect, Protocol};
pub use crate::counter::RedisCounter;
pub use crate::envelope::Envelope;
pub use crate::group::Group;
pub use crate::layout::GroupExpiry;
pub use crate::redis::Redis;
pub use crate::stats::Stats;
