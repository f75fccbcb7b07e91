//! What goes wrong, in the words of the workspace.

use std::io;
use std::time::Duration;

use dogpile_core::{Error, ErrorKind};

pub(crate) fn refused(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Refused, what)
}

pub(crate) fn unavailable(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

/// The connection broke while it was used.
pub(crate) fn lost(server: &str, error: io::Error) -> Error {
    unavailable(format!("the connection to {server} is gone")).with_source(error)
}

/// The server closed the connection.
pub(crate) fn closed(server: &str) -> Error {
    unavailable(format!("{server} closed the connection"))
}

/// The same, and what it was asked is not asked again.
pub(crate) fn unsure(server: &str) -> Error {
    unavailable(format!(
        "{server} closed the connection before it answered: what it was asked to do may have been done"
    ))
}

pub(crate) fn unanswered(server: &str, allowed: Duration) -> Error {
    Error::new(ErrorKind::TimedOut, format!("{server} did not answer within {allowed:?}"))
}

/// The server said something that is no answer to what it was asked, so nothing that follows on this
/// connection can be trusted.
pub(crate) fn garbled(server: &str, what: impl AsRef<str>) -> Error {
    let what = what.as_ref();
    unavailable(format!(
        "{server} does not speak memcached's protocol: {what}; the connection is dropped"
    ))
}

/// What a `SERVER_ERROR` means.
pub(crate) fn told(server: &str, message: &[u8]) -> Error {
    let said = String::from_utf8_lossy(message);
    if said.contains("too large") {
        return Error::new(
            ErrorKind::TooLarge,
            format!(
                "{server} takes no value of this size, and dropped the one before: its limit (-I) is lower than it said"
            ),
        );
    }
    if said.contains("out of memory") {
        return full(server);
    }
    unavailable(format!("{server} refused a command: {said}"))
}

pub(crate) fn full(server: &str) -> Error {
    unavailable(format!(
        "{server} has no memory for the value: it runs without eviction (-M), or every item of this size is in use"
    ))
}

pub(crate) fn too_large(value: usize, stored: usize, limit: usize, hint: &str) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "the value has {value} bytes, {stored} as it would be stored, and at most {limit} are kept: {hint}"
        ),
    )
}

pub(crate) fn corrupt(how: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("what is stored is no entry: {how}"))
}
