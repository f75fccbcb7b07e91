//! The meta protocol: <https://github.com/memcached/memcached/blob/master/doc/protocol.txt>.

mod connection;
mod driver;
#[cfg(test)]
mod model;
mod opaque;
mod reply;
mod request;

pub(crate) use self::connection::{Connection, Failure};
pub(crate) use self::opaque::Opaque;
pub(crate) use self::reply::{Malformed, Marks, Parser, Reply, Status};
pub(crate) use self::request::{Command, Mode, Outgoing};
