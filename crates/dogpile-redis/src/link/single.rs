//! One server, and a connection to it that is made anew when it is lost.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use dogpile_core::{BoxFuture, Error, ErrorKind, Result};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, PushInfo, PushKind, RedisError, RetryMethod, Value,
};
use tokio::time::timeout;

use super::attempts::Attempts;
use super::batch::Batch;
use super::{Hearing, Link, Messages, Resend, runtime};
use crate::connect::Connect;
use crate::error::told;
use crate::notify::Notices;
use crate::stats::{Counts, add};

/// Makes connections to the server that is in charge now: the one at an address, or the master that
/// Sentinels name.
pub(crate) trait Open: fmt::Debug + Send + Sync {
    /// A connection, set up and ready, or why there is none. Whether it speaks RESP3 says the second.
    fn open<'a>(
        &'a self,
        config: &'a AsyncConnectionConfig,
        push: &'a (dyn Fn() -> Push + Send + Sync),
    ) -> BoxFuture<'a, Result<(MultiplexedConnection, bool)>>;
}

/// Takes what the server sends without being asked.
pub(crate) type Push = Box<dyn Fn(PushInfo) -> Result<(), ()> + Send + Sync>;

/// The connection to one server at a time, shared by all callers.
pub(crate) struct Single(Arc<Line>);

/// What commands go through, and what gathers them.
pub(crate) struct Line {
    open: Box<dyn Open>,
    options: Connect,
    state: Arc<RwLock<State>>,
    attempts: Attempts,
    notices: Arc<Notices>,
    counts: Arc<Counts>,
    pub(super) batch: Batch,
}

#[derive(Default)]
struct State {
    /// Tells connections apart, so that only the one that failed is given up.
    generation: u64,
    connection: Option<MultiplexedConnection>,
    hears: bool,
}

impl Single {
    pub(crate) fn new(open: Box<dyn Open>, options: Connect, counts: Arc<Counts>) -> Self {
        Self(Arc::new(Line {
            open,
            options,
            state: Arc::default(),
            attempts: Attempts::default(),
            notices: Arc::new(Notices::default()),
            counts,
            batch: Batch::default(),
        }))
    }

    /// Connects now, and says so if it cannot.
    pub(crate) async fn connect(&self) -> Result<()> {
        runtime()?;
        self.0.in_time(Instant::now(), self.0.connection()).await.map(|_| ())
    }
}

impl Line {
    fn present(&self) -> Option<(u64, MultiplexedConnection)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Some((state.generation, state.connection.clone()?))
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection)> {
        let connect = |generation| self.connect(generation);
        self.attempts.share(self.options.connect_timeout, || self.present(), connect).await
    }

    async fn connect(&self, generation: u64) -> Result<(u64, MultiplexedConnection)> {
        let (state, notices) = (Arc::clone(&self.state), Arc::clone(&self.notices));
        let push = move || -> Push {
            let (state, notices) = (Arc::clone(&state), Arc::clone(&notices));
            Box::new(move |info: PushInfo| {
                match info.kind {
                    PushKind::Message | PushKind::SMessage => {
                        if let Some(Value::BulkString(channel)) = info.data.first() {
                            notices.heard(channel);
                        }
                    }
                    PushKind::Disconnection => give_up(&state, &notices, generation),
                    _ => {}
                }
                Ok(())
            })
        };
        let Connect { connect_timeout, response_timeout, total_timeout, .. } = self.options;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect_timeout))
            .set_response_timeout(Some(response_timeout.min(total_timeout)));
        let (connection, hears) = self.open.open(&config, &push).await?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(present) = &state.connection {
            // Another attempt was faster, and whoever listens does so through its connection.
            return Ok((state.generation, present.clone()));
        }
        if state.generation > 0 {
            add(&self.counts.reconnects, 1);
        }
        *state = State { generation, connection: Some(connection.clone()), hears };
        Ok((generation, connection))
    }

    /// What `send` answers through the connection there is, or through a new one if that is lost.
    async fn through<T, F, Fut>(&self, resend: Resend, send: F) -> Result<T>
    where
        F: Fn(MultiplexedConnection) -> Fut,
        Fut: Future<Output = Result<T, RedisError>>,
        T: Failover,
    {
        let began = Instant::now();
        if let Some((generation, connection)) = self.present()
            && let Some(reply) = self.answered(generation, resend, send(connection).await)?
        {
            return Ok(reply);
        }
        // Boxed, so that a call that needs no new connection carries nothing of that.
        let anew = Box::pin(async {
            let (generation, connection) = self.connection().await?;
            send(connection).await.map_err(|error| {
                if error.is_io_error() {
                    give_up(&self.state, &self.notices, generation);
                }
                told(error)
            })
        });
        self.in_time(began, anew).await
    }

    /// What came of a call through the connection there was, or `None` if it is to be made again.
    fn answered<T: Failover>(
        &self,
        generation: u64,
        resend: Resend,
        answer: Result<T, RedisError>,
    ) -> Result<Option<T>> {
        match answer {
            Ok(reply) if !reply.comes_from_a_replica() => Ok(Some(reply)),
            Ok(reply) => {
                // The master has changed: whoever opens connections asks who it is.
                give_up(&self.state, &self.notices, generation);
                Ok((resend == Resend::MayNot).then_some(reply))
            }
            Err(error) => {
                let is_lost = error.is_io_error() || error.is_unrecoverable_error();
                if is_lost {
                    give_up(&self.state, &self.notices, generation);
                }
                let again =
                    error.is_io_error() || matches!(error.retry_method(), RetryMethod::Reconnect);
                if !again || error.is_timeout() || resend == Resend::MayNot {
                    return Err(told(error));
                }
                Ok(None)
            }
        }
    }

    /// What becomes of the rest of a call that `began` then.
    async fn in_time<T>(&self, began: Instant, work: impl Future<Output = Result<T>>) -> Result<T> {
        let allowed = self.options.total_timeout;
        let left = allowed.saturating_sub(began.elapsed());
        timeout(left, work).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::TimedOut,
                format!("the server did not answer within {allowed:?}"),
            ))
        })
    }
}

/// Lets go of a connection that failed, unless it has been replaced already.
fn give_up(state: &RwLock<State>, notices: &Notices, generation: u64) {
    let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
    if state.generation == generation && state.connection.take().is_some() {
        drop(state);
        notices.lost();
    }
}

/// A reply that may say that its server is in charge no longer.
trait Failover {
    fn comes_from_a_replica(&self) -> bool;
}

impl Failover for Value {
    fn comes_from_a_replica(&self) -> bool {
        matches!(self, Self::ServerError(error) if error.code() == "READONLY" || error.code() == "MASTERDOWN")
    }
}

impl Failover for Vec<Value> {
    fn comes_from_a_replica(&self) -> bool {
        self.iter().any(Failover::comes_from_a_replica)
    }
}

impl Failover for () {
    fn comes_from_a_replica(&self) -> bool {
        false
    }
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.open.fmt(f)
    }
}

impl Line {
    pub(super) async fn send(&self, command: Cmd, resend: Resend) -> Result<Value> {
        let command = &command;
        self.through(resend, move |mut connection| async move {
            connection.send_packed_command(command).await
        })
        .await
    }

    pub(super) async fn send_many(
        &self,
        commands: &Pipeline,
        resend: Resend,
    ) -> Result<Vec<Value>> {
        self.through(resend, move |mut connection| async move {
            connection.send_packed_commands(commands, 0, commands.len()).await
        })
        .await
    }
}

impl Link for Single {
    fn part_of(&self, _: &[u8]) -> usize {
        0
    }

    fn gathers(&self) -> Option<&Arc<Line>> {
        Some(&self.0)
    }

    fn send(&self, command: Cmd, resend: Resend) -> BoxFuture<'_, Result<Value>> {
        Box::pin(self.0.send(command, resend))
    }

    fn send_many<'a>(
        &'a self,
        commands: &'a Pipeline,
        resend: Resend,
    ) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(self.0.send_many(commands, resend))
    }

    fn publish(&self) -> &'static str {
        if self.0.options.messages { "PUBLISH" } else { "" }
    }

    fn messages(&self) -> Option<Messages<'_>> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        state.hears.then_some(Messages { notices: &self.0.notices, hearing: self })
    }
}

impl Hearing for Single {
    fn subscribe<'a>(&'a self, channel: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.through(Resend::May, move |mut connection| async move {
            connection.subscribe(channel).await
        }))
    }

    fn unsubscribe<'a>(&'a self, channel: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.through(Resend::May, move |mut connection| async move {
            connection.unsubscribe(channel).await
        }))
    }
}
