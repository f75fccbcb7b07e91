//! What commands travel through: one server, a cluster, or a connection that somebody else made.

mod attempts;
mod batch;
#[cfg(feature = "cluster")]
mod cluster;
mod given;
#[cfg(feature = "sentinel")]
mod sentinel;
mod single;

use std::fmt;
use std::sync::Arc;

use dogpile_core::{BoxFuture, Result};
use redis::{Cmd, Pipeline, Value};
use tokio::runtime::Handle;

use crate::error::refused;
use crate::notify::Notices;

pub(crate) use self::batch::send as send_gathered;
pub(crate) use self::given::Given;
pub(crate) use self::single::{Line, Open, Push, Single};

/// A way to the server or the servers.
///
/// Implementers answer within the timeouts they were given, connect again by themselves, and follow
/// what a cluster redirects. A reply that is an error of the server is a [`Value::ServerError`]
/// inside an `Ok`; an `Err` is a failure of the way itself.
pub(crate) trait Link: fmt::Debug + Send + Sync {
    /// Where a key lives. Commands whose keys live in the same part travel together, and keys of the
    /// same part may share a command: the number of the slot in a cluster, and always 0 on one server.
    fn part_of(&self, key: &[u8]) -> usize;

    /// What gathers commands that may be sent again and sends them together; `None` where they go one
    /// by one.
    fn gathers(&self) -> Option<&Arc<Line>>;

    /// Sends one command.
    fn send(&self, command: Cmd, resend: Resend) -> BoxFuture<'_, Result<Value>>;

    /// Sends commands of one part together, in one round trip, and answers as many replies.
    fn send_many<'a>(
        &'a self,
        commands: &'a Pipeline,
        resend: Resend,
    ) -> BoxFuture<'a, Result<Vec<Value>>>;

    /// `PUBLISH`, `SPUBLISH` in a cluster, or nothing where messages are not wanted. Who hears none
    /// publishes all the same, for those who do.
    fn publish(&self) -> &'static str;

    /// How messages are heard; `None` where they are not.
    fn messages(&self) -> Option<Messages<'_>>;
}

/// Whether what was perhaps carried out may be sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resend {
    /// Carried out twice, it is as if carried out once.
    May,
    /// It counts how often it is carried out.
    MayNot,
}

/// The runtime that polls the caller: connections and timers need one.
pub(crate) fn runtime() -> Result<Handle> {
    Handle::try_current().map_err(|error| {
        refused(
            "no tokio runtime polls this call: make it in a task of one or in its `block_on`, or in the \
             scope of its `enter`",
        )
        .with_source(error)
    })
}

/// The messages of a link that hears them.
#[derive(Clone, Copy)]
pub(crate) struct Messages<'a> {
    /// Who waits for which channel.
    pub(crate) notices: &'a Notices,
    /// What makes the link hear a channel, and no longer.
    pub(crate) hearing: &'a dyn Hearing,
}

/// Listening to channels. What is heard goes to [`Notices::heard`], and a connection that was lost to
/// [`Notices::lost`].
pub(crate) trait Hearing: Send + Sync {
    fn subscribe<'a>(&'a self, channel: &'a [u8]) -> BoxFuture<'a, Result<()>>;
    fn unsubscribe<'a>(&'a self, channel: &'a [u8]) -> BoxFuture<'a, Result<()>>;
}
