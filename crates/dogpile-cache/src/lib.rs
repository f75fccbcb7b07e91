#![doc = include_str!("../README.md")]

mod clock;
mod region;

pub mod backend;
pub mod codec;
pub mod config;
pub mod key;
pub mod layer;

pub use crate::clock::CoarseClock;
pub use crate::region::{
    CallOptions, Counts, Event, Expiry, Invalidation, Observe, Options, Region, Stats, WhenDown,
};

pub use dogpile_core::{
    Backend, BuiltKey, Clock, Codec, Entry, Error, ErrorKind, Field, Key, KeyBuf, KeyPart,
    KeyWriter, ReadThrough, Result, SystemClock, Timestamp, ToKey,
};
