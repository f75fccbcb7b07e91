//! A connection that somebody else made, and keeps alive.

use std::fmt;
use std::sync::Arc;

use dogpile_core::{BoxFuture, Result};
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, Value};

use super::{Line, Link, Messages, Resend};
use crate::error::told;

/// Any connection of the `redis` crate to one server. It hears no messages, because who made it has
/// them.
pub(crate) struct Given<C>(pub(crate) C);

impl<C> fmt::Debug for Given<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a given connection")
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> Link for Given<C> {
    fn part_of(&self, _: &[u8]) -> usize {
        0
    }

    fn gathers(&self) -> Option<&Arc<Line>> {
        None
    }

    fn send(&self, command: Cmd, _: Resend) -> BoxFuture<'_, Result<Value>> {
        Box::pin(async move { self.0.clone().req_packed_command(&command).await.map_err(told) })
    }

    fn send_many<'a>(
        &'a self,
        commands: &'a Pipeline,
        _: Resend,
    ) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(async move {
            let count = commands.len();
            self.0.clone().req_packed_commands(commands, 0, count).await.map_err(told)
        })
    }

    fn publish(&self) -> &'static str {
        "PUBLISH"
    }

    fn messages(&self) -> Option<Messages<'_>> {
        None
    }
}
