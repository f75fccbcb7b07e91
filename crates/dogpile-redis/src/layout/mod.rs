//! Under which keys of the server entries are kept, and the commands for them.

mod hash;
mod names;
mod string;

use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{Error, ErrorKind, Result};
use redis::Value;

use crate::error::unexpected;

pub use self::hash::GroupExpiry;
pub(crate) use self::hash::{Fields, Stored, is_marker};
#[cfg(feature = "cluster")]
pub(crate) use self::names::tag;
pub(crate) use self::names::{Names, token_of};
pub(crate) use self::string::Plain;

/// The bytes of a reply, if there are any.
pub(crate) fn bytes(reply: Value) -> Result<Option<Bytes>> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes.into())),
        Value::SimpleString(text) => Ok(Some(text.into())),
        // What is kept as a number may come back as one.
        Value::Int(number) => Ok(Some(number.to_string().into())),
        reply => Err(unexpected("a value was expected", &reply)),
    }
}

/// The replies inside of a reply.
pub(crate) fn list(reply: Value, count: usize) -> Result<Vec<Value>> {
    match reply {
        Value::Array(replies) if replies.len() == count => Ok(replies),
        reply => Err(unexpected("as many answers as questions were expected", &reply)),
    }
}

/// Whether a script carried out what it was asked to.
pub(crate) fn done(reply: &Value) -> Result<bool> {
    match reply {
        Value::Int(number) => Ok(*number == 1),
        reply => Err(unexpected("a yes or no was expected", reply)),
    }
}

/// A time to live in milliseconds, at least one, or nothing for one that is as good as for ever.
pub(crate) fn millis(d: Duration) -> Option<u64> {
    const AGES: u128 = 1_000 * 365 * 86_400_000;
    let millis = d.as_nanos().div_ceil(1_000_000);
    (millis < AGES).then(|| u64::try_from(millis).unwrap_or(u64::MAX).max(1))
}

/// The same for something that has to end: a lease.
pub(crate) fn lease_millis(d: Duration) -> u64 {
    const YEAR: u64 = 365 * 86_400_000;
    millis(d).unwrap_or(YEAR).min(YEAR)
}

/// The most bytes that a string of the server can have.
const MOST: usize = 512 << 20;

pub(crate) fn check_size(stored: &Bytes) -> Result<()> {
    if stored.len() <= MOST {
        return Ok(());
    }
    let what =
        format!("the stored form has {} bytes, and a server keeps at most {MOST}", stored.len());
    Err(Error::new(ErrorKind::TooLarge, what))
}
