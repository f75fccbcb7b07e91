//! Numbers that only grow, shared by all processes.

use dogpile_core::{Counter, Error, ErrorKind, Key, Result};
use redis::Value;

use crate::error::{refused, unexpected};
use crate::link::Resend;
use crate::redis::Redis;
use crate::script::BUMP;
use crate::wire::Request;

/// The counters of a server: [`Redis::counter`](crate::Redis::counter).
///
/// They end at `i64::MAX`, where the numbers of the server do, and are as durable as the server:
/// one that restarts empty begins again at zero. So does a counter that the server evicts, as it does
/// with any key when its memory is full and its policy is one of `allkeys-*`: what was invalidated is
/// served again, and sessions that are counted there end. Counters have no time to live, so
/// `volatile-*` policies and `noeviction` spare them; or keep them on a server of their own.
#[derive(Clone, Debug)]
pub struct RedisCounter(Redis);

impl Redis {
    /// Counters on the same server: what shared invalidation and the generations of sessions stand on.
    #[must_use]
    pub fn counter(&self) -> RedisCounter {
        RedisCounter(self.clone())
    }
}

impl Counter for RedisCounter {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        let name = self.0.settings.names.counter(key.group(), key.as_bytes());
        let mut cmd = redis::cmd("GET");
        cmd.arg(&name);
        let request = Request::new(self.0.wire.part_of(&name), cmd);
        match self.0.wire.one(request).await? {
            Value::Nil => Ok(0),
            reply => number(&reply),
        }
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        if i64::try_from(at_least).is_err() {
            return Err(full());
        }
        let name = self.0.settings.names.counter(key.group(), key.as_bytes());
        let mut cmd = BUMP.call(&[&name]);
        cmd.arg(at_least);
        let request = Request::script(self.0.wire.part_of(&name), &BUMP, cmd);
        // Sent twice it would count twice, which `one more than the old` does not allow.
        match self.0.wire.one_as(request, Resend::MayNot).await {
            Ok(reply) => number(&reply),
            Err(error) => Err(match cause(&error) {
                Some(text) if text.contains("overflow") => full(),
                Some(text) if text.contains("not an integer") => {
                    refused("the key of the counter holds something else").with_source(error)
                }
                _ => error,
            }),
        }
    }
}

fn number(reply: &Value) -> Result<u64> {
    match reply {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(digits) => {
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok())
        }
        _ => None,
    }
    .ok_or_else(|| unexpected("a counter was expected", reply))
}

fn cause(error: &Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}

fn full() -> Error {
    Error::new(
        ErrorKind::Refused,
        "the counter cannot grow further: numbers of the server end at 2^63 - 1",
    )
}
