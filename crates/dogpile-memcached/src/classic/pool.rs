//! Connections, each lent to one call at a time, and given back only when its answer has been read.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dogpile_core::{BoxFuture, Error, ErrorKind, Result};
use memcache_async::ascii::Protocol;
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Limits;
use super::replies::Replies;
use super::watched::Watched;

/// Any byte stream to a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) type BoxStream = Box<dyn Stream>;

/// Makes connections to one server. Its `Debug` names the server in errors.
pub(crate) trait Open: fmt::Debug + Send + Sync {
    /// Connects, in its own time at most, with Nagle's algorithm off.
    fn open(&self) -> BoxFuture<'_, Result<BoxStream>>;
}

// Three writes make one packet, because the crate flushes once for each command.
type Connection = Protocol<BufWriter<Replies<Watched>>>;

pub(super) struct Pool {
    open: Box<dyn Open>,
    limits: Limits,
    turns: Semaphore,
    /// The last one given back is lent first, so that few stay in use.
    idle: Mutex<Vec<Idle>>,
}

/// A connection that nobody uses, and a look at its stream.
struct Idle {
    connection: Connection,
    stream: Watched,
}

impl Pool {
    pub(super) fn new(open: impl Open + 'static, limits: Limits) -> Self {
        let turns = Semaphore::new(limits.connections.max(1));
        Self { open: Box::new(open), limits, turns, idle: Mutex::default() }
    }

    /// A connection for one call, which may wait until another is done.
    pub(super) async fn lend(&self) -> Result<Lent<'_>> {
        let turn = self.turns.acquire().await.map_err(|closed| {
            Error::new(ErrorKind::Unavailable, "no connection is lent any more").with_source(closed)
        })?;
        let Idle { connection, stream } = match self.idle_and_alive().await {
            Some(idle) => idle,
            None => {
                let stream = Watched::new(self.open.open().await?);
                let replies = Replies::new(stream.clone(), self.limits.largest);
                Idle { connection: Protocol::new(BufWriter::new(replies)), stream }
            }
        };
        Ok(Lent { pool: self, connection, stream, _turn: turn })
    }

    async fn idle_and_alive(&self) -> Option<Idle> {
        loop {
            let idle = self.idle().pop()?;
            // What has arrived is known to the runtime once it has looked.
            tokio::task::yield_now().await;
            if idle.stream.is_silent() {
                return Some(idle);
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, error: io::Error) -> Error {
        let text = error.to_string();
        let said = text.trim_end();
        let (kind, what) = match error.kind() {
            io::ErrorKind::InvalidData => (
                ErrorKind::Unavailable,
                format!("{self:?} does not answer as memcached does: {said}"),
            ),
            _ if said.starts_with("SERVER_ERROR object too large") => {
                (ErrorKind::TooLarge, format!("{self:?} does not keep a value so large: {said}"))
            }
            _ if said.starts_with("SERVER_ERROR") => {
                (ErrorKind::Unavailable, format!("{self:?} failed: {said}"))
            }
            _ if said.starts_with("CLIENT_ERROR") || said.starts_with("ERROR") => {
                (ErrorKind::Refused, format!("{self:?} refused a command: {said}"))
            }
            _ => (ErrorKind::Unavailable, format!("the connection to {self:?} is gone")),
        };
        Error::new(kind, what).with_source(error)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.open.fmt(f)
    }
}

/// A connection that is dropped unless it is [settled](Self::settle): with a call that was cancelled
/// or took too long, the answer that nobody read goes away.
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    connection: Connection,
    stream: Watched,
    _turn: SemaphorePermit<'p>,
}

/// What a server answered in full, so that the next answer is that of the next command.
pub(super) enum Reply<T> {
    Done(T),
    Missing,
    Exists,
}

impl Lent<'_> {
    /// Gives the connection back if the answer was read to its end.
    pub(super) fn settle<T>(self, answer: io::Result<T>) -> Result<Reply<T>> {
        let reply = match answer {
            Ok(answer) => Reply::Done(answer),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => Reply::Missing,
                io::ErrorKind::AlreadyExists => Reply::Exists,
                _ => {
                    // Those that wait went the same way, if it was the server that went.
                    self.pool.idle().clear();
                    return Err(self.pool.told(error));
                }
            },
        };
        let Self { connection, stream, .. } = self;
        self.pool.idle().push(Idle { connection, stream });
        Ok(reply)
    }
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
