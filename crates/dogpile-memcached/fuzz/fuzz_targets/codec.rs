//! The codec, out of the crate that keeps it to itself.
#![allow(dead_code, reason = "each target uses its part")]

pub(crate) use crate::meta::model;

/// What the codec needs of the rest of the crate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    pub(crate) flags: u32,
    pub(crate) head: Vec<u8>,
    pub(crate) body: bytes::Bytes,
}

impl Stored {
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }
}
