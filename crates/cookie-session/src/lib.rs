#![doc = include_str!("../README.md")]

mod error;
mod key;
mod token;

pub use crate::error::{Error, ErrorKind};
pub use crate::key::{KeyRing, KeyState, RootKey};
