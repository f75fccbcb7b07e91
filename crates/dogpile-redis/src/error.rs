//! What the server and its client say, in the words of the workspace.

use dogpile_core::{Error, ErrorKind};
use redis::{ErrorKind as Kind, RedisError, ServerErrorKind as Server};

/// The error of a command.
pub(crate) fn told(error: RedisError) -> Error {
    let (kind, what) = meaning(&error);
    Error::new(kind, what).with_source(error)
}

/// The error of an attempt to connect to `address`.
pub(crate) fn unconnected(address: &str, error: RedisError) -> Error {
    let (kind, what) = match error.kind() {
        Kind::AuthenticationFailed | Kind::InvalidClientConfig => (
            ErrorKind::Refused,
            format!(
                "the server at {address} does not accept this connection; check user, password, database and TLS"
            ),
        ),
        _ if is_denied(&error) => (ErrorKind::Refused, denied().to_owned()),
        _ => (ErrorKind::Unavailable, format!("the server at {address} cannot be reached")),
    };
    Error::new(kind, what).with_source(error)
}

pub(crate) fn refused(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Refused, what)
}

pub(crate) fn unexpected(what: &str, value: &redis::Value) -> Error {
    let shown: String = format!("{value:?}").chars().take(100).collect();
    Error::new(ErrorKind::Unavailable, format!("{what}: the server answered {shown}"))
}

fn meaning(error: &RedisError) -> (ErrorKind, &'static str) {
    match error.kind() {
        Kind::Io if error.is_timeout() => {
            (ErrorKind::TimedOut, "the server did not answer within the time allowed")
        }
        Kind::Io => (ErrorKind::Unavailable, "the connection to the server is gone"),
        _ if is_denied(error) => (ErrorKind::Refused, denied()),
        Kind::Server(Server::CrossSlot) => (
            ErrorKind::Refused,
            "the keys of one step are in different slots of the cluster, where Python's locks are: \
             leave `with_python_locks` out",
        ),
        Kind::Server(Server::BusyLoading) => {
            (ErrorKind::Unavailable, "the server is still loading its data")
        }
        Kind::Server(Server::ReadOnly) => {
            (ErrorKind::Unavailable, "the server is a replica and takes no writes")
        }
        Kind::Server(Server::TryAgain) => {
            (ErrorKind::Unavailable, "the slot of this key is being moved to another node")
        }
        Kind::Server(Server::MasterDown | Server::ClusterDown)
        | Kind::ClusterConnectionNotFound => {
            (ErrorKind::Unavailable, "the part of the cluster that has this key is down")
        }
        _ => match error.code() {
            Some("WRONGTYPE") => (
                ErrorKind::Refused,
                "the key holds another type of value, written by somebody else; it is left alone: \
                 delete it, or choose another prefix",
            ),
            Some("OOM") => (
                ErrorKind::Unavailable,
                "the server's memory is full: raise maxmemory or choose an eviction policy",
            ),
            Some("MISCONF") => {
                (ErrorKind::Unavailable, "the server takes no writes because it cannot save them")
            }
            Some("BUSY") => (ErrorKind::Unavailable, "the server is busy running a script"),
            _ if error.to_string().contains("OOM command not allowed") => (
                ErrorKind::Unavailable,
                "the server's memory is full: raise maxmemory or choose an eviction policy",
            ),
            _ if error.to_string().contains("WRONGTYPE") => (
                ErrorKind::Refused,
                "the key holds another type of value, written by somebody else; it is left alone: \
                 delete it, or choose another prefix",
            ),
            _ => (ErrorKind::Unavailable, "the server refused a command"),
        },
    }
}

/// Whether the server knows who asks, and does not let him.
pub(crate) fn is_denied(error: &RedisError) -> bool {
    let in_script = || {
        let text = error.to_string();
        text.contains("ACL failure in script") || text.contains("can't run this command")
    };
    matches!(error.kind(), Kind::AuthenticationFailed | Kind::Server(Server::NoPerm))
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
        || in_script()
}

const fn denied() -> &'static str {
    "the server does not let this user do that; check user, password and ACL"
}
