#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod all;
mod clock;
#[cfg(feature = "macros")]
mod macros;
mod region;

pub mod backend;
pub mod codec;
#[cfg(feature = "config")]
pub mod config;
pub mod key;
pub mod layer;
pub mod python;

pub use crate::clock::CoarseClock;
#[cfg(feature = "macros")]
#[doc(hidden)]
pub use crate::macros::support as __private;
#[cfg(feature = "macros")]
pub use crate::macros::{cached, cached_multi};
pub use crate::region::{
    CallOptions, Counts, Event, Expiry, Invalidation, Observe, Options, Region, Stats, WhenDown,
};

pub use dogpile_core::{
    Backend, BuiltKey, Clock, Codec, Entry, Error, ErrorKind, Field, Key, KeyBuf, KeyPart,
    KeyWriter, ReadThrough, Result, SystemClock, Timestamp, ToKey,
};
