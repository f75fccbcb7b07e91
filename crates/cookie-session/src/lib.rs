#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod __private;
mod cookie;
mod error;
mod key;
mod token;

pub use crate::cookie::{Attributes, kind};
pub use crate::error::{Error, ErrorKind};
pub use crate::key::{KeyEntry, KeyFile, KeyRing, KeyState, RootKey};
