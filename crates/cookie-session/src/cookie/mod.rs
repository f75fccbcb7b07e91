//! The cookie around a token: its attributes, reading it from requests, writing it into responses.

mod attributes;
mod chunk;
pub mod kind;
mod request;
mod response;

pub use self::attributes::Attributes;
pub(crate) use self::chunk::SeenChunks;
pub(crate) use self::request::{Candidate, Candidates};
pub(crate) use self::response::{TokenText, check_fits, remove_cookie, set_cookie};

/// What a browser keeps of a cookie. RFC 6265bis counts the name and the value; proxies and older
/// browsers count the whole line, and so do we.
pub(crate) const MAX_BYTES: usize = 4096;
