#![doc = include_str!("../README.md")]

mod backend;
mod boxed;
mod clock;
mod codec;
mod counter;
mod entry;
mod error;
mod forward;
mod key;
mod key_writer;
mod lease;
mod locator;
mod lock;
mod read_through;
mod to_key;
mod words;

pub use crate::backend::{Backend, BackendExt, SetOptions};
pub use crate::boxed::{
    BoxFuture, DynBackend, DynCounter, DynLeaseBackend, DynLock, DynReadThrough,
};
pub use crate::clock::{Clock, RECENT_LAG, SystemClock, Timestamp};
pub use crate::codec::Codec;
pub use crate::counter::Counter;
pub use crate::entry::{Age, Entry, Freshness, Policy};
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::key::{Key, KeyBuf};
pub use crate::key_writer::KeyWriter;
pub use crate::lease::{Answer, Ask, LeaseBackend};
pub use crate::locator::Locator;
pub use crate::lock::{Held, Lease, Lock};
pub use crate::read_through::{Made, ReadThrough, Request, Served, ServedBy};
pub use crate::to_key::{BuiltKey, Field, KeyPart, ToKey};
