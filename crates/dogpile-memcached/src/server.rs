//! One server: its connections, how it is, and what it takes.

use std::fmt;
use std::slice;
use std::sync::{Arc, PoisonError, RwLock};

#[cfg(feature = "classic")]
use dogpile_core::BoxFuture;
use dogpile_core::{Error, Result};
use tokio::task::JoinHandle;

use crate::address::Address;
#[cfg(feature = "classic")]
use crate::classic::{BoxStream, Classic, Limits, Open};
use crate::connect::{Connect, Protocol};
use crate::error::{garbled, told, unavailable, unsure};
use crate::greeting::{self, Facts, greet};
use crate::health::Health;
use crate::meta::{Command, Connection, Failure, Reply, Status};
use crate::random::random;
use crate::socket::Socket;
use crate::stats::{Counts, ServerStats, add, read};

/// A server and the connections to it.
pub(crate) struct Server {
    pub(crate) name: Arc<str>,
    address: Address,
    options: Connect,
    lanes: Box<[Lane]>,
    health: Arc<Health>,
    facts: RwLock<Option<Facts>>,
    pub(crate) counts: Counts,
    #[cfg(feature = "classic")]
    classic: RwLock<Option<Arc<Classic>>>,
}

/// A place for a connection.
#[derive(Default)]
struct Lane {
    connection: RwLock<Option<Arc<Connection>>>,
    /// Held by whoever connects; the others wait for its connection.
    opening: tokio::sync::Mutex<()>,
}

/// What commands travel through.
pub(crate) enum Line {
    Meta(Arc<Connection>),
    #[cfg(feature = "classic")]
    Classic(Arc<Classic>),
}

/// How many classic connections there may be for each of the others, because they carry one call at a
/// time.
#[cfg(feature = "classic")]
const CLASSIC_CONNECTIONS: usize = 8;
/// What a server keeps in one item if it does not say.
const USUAL_LIMIT: usize = 1 << 20;
/// The most bytes that a server takes for an item besides its name and its value.
const OVERHEAD: usize = 80;

impl Server {
    pub(crate) fn new(name: Option<&str>, address: Address, options: Connect) -> Result<Arc<Self>> {
        options.check(&address)?;
        let name: Arc<str> = name.map_or_else(|| address.to_string(), str::to_owned).into();
        let health = Health::new(Arc::clone(&name), options.retry_after);
        let lanes = (0..options.connections).map(|_| Lane::default()).collect();
        Ok(Arc::new(Self {
            name,
            address,
            options,
            lanes,
            health: Arc::new(health),
            facts: RwLock::default(),
            counts: Counts::default(),
            #[cfg(feature = "classic")]
            classic: RwLock::default(),
        }))
    }

    /// A way to the server, made if there is none.
    pub(crate) async fn line(self: &Arc<Self>) -> Result<Line> {
        let (free, least) = self.look();
        match (least, free) {
            (Some(connection), Some(free)) if connection.load() > 0 => {
                // All are busy: the next caller will find one more.
                if self.lanes[free].opening.try_lock().is_ok() && self.health.is_well() {
                    drop(self.opening(free));
                }
                Ok(Line::Meta(connection))
            }
            (Some(connection), _) => Ok(Line::Meta(connection)),
            (None, free) => {
                #[cfg(feature = "classic")]
                if let Some(classic) = self.present_classic() {
                    return Ok(Line::Classic(classic));
                }
                self.health.rested()?;
                let opened = self.opening(free.unwrap_or(0)).await;
                opened.unwrap_or_else(|_| Err(unavailable("the runtime is shutting down")))
            }
        }
    }

    /// Connects whether anybody goes on waiting for it or not: callers that have less time than that
    /// takes would never get a connection, and never learn that there is none to be had.
    fn opening(self: &Arc<Self>, at: usize) -> JoinHandle<Result<Line>> {
        let server = Arc::clone(self);
        tokio::spawn(async move { server.open(at).await })
    }

    /// A place without a connection, and the connection for which the fewest callers wait.
    fn look(&self) -> (Option<usize>, Option<Arc<Connection>>) {
        let (mut free, mut least) = (None, None::<(usize, Arc<Connection>)>);
        for (at, lane) in self.lanes.iter().enumerate() {
            match lane.present() {
                Some(connection) => {
                    let load = connection.load();
                    if load == 0 {
                        return (None, Some(connection));
                    }
                    if least.as_ref().is_none_or(|(least, _)| load < *least) {
                        least = Some((load, connection));
                    }
                }
                None => free = free.or(Some(at)),
            }
        }
        (free, least.map(|(_, connection)| connection))
    }

    async fn open(&self, at: usize) -> Result<Line> {
        let lane = &self.lanes[at];
        let _opening = match self.health.is_well() {
            true => lane.opening.lock().await,
            // Somebody is trying whether it is back, and nobody else waits for that.
            false => match (lane.opening.try_lock(), self.health.last_error()) {
                (Ok(opening), _) => opening,
                (Err(_), Some(error)) => return Err(error),
                (Err(_), None) => lane.opening.lock().await,
            },
        };
        if let Some(connection) = lane.present() {
            return Ok(Line::Meta(connection));
        }
        #[cfg(feature = "classic")]
        if let Some(classic) = self.present_classic() {
            return Ok(Line::Classic(classic));
        }
        self.health.attempt(self.opened(lane)).await
    }

    async fn opened(&self, lane: &Lane) -> Result<Line> {
        let mut socket = Socket::open(&self.address, &self.options).await?;
        let facts = greet(&mut socket, &self.name, &self.options).await?;
        tracing::debug!(server = &*self.name, ?facts, "connected to memcached");
        // A server that does not tell its lives apart lives as long as it has a connection.
        let present = || self.lanes.iter().find_map(Lane::present).map(|other| other.epoch);
        let epoch = facts.epoch.or_else(present);
        let epoch = epoch.unwrap_or_else(|| greeting::epoch(&random().to_be_bytes()));
        let protocol = facts.protocol;
        *self.facts.write().unwrap_or_else(PoisonError::into_inner) = Some(facts);
        match protocol {
            Protocol::Meta => {
                let limit = self.largest();
                let allowed = self.options.response_timeout;
                let name = Arc::clone(&self.name);
                let connection = Arc::new(Connection::start(socket, name, epoch, allowed, limit));
                let mut present = lane.connection.write().unwrap_or_else(PoisonError::into_inner);
                *present = Some(Arc::clone(&connection));
                Ok(Line::Meta(connection))
            }
            #[cfg(feature = "classic")]
            Protocol::Classic if self.address.is_tls() => Err(crate::error::refused(format!(
                "{} is spoken to by TLS, and by TLS only the meta protocol is spoken, which came with \
                 1.6.10",
                self.name
            ))),
            #[cfg(feature = "classic")]
            Protocol::Classic => {
                let limits = Limits {
                    connections: CLASSIC_CONNECTIONS * self.options.connections,
                    item: self.room(b""),
                    largest: self.largest(),
                    response_timeout: self.options.response_timeout,
                };
                let opener = Opener {
                    name: Arc::clone(&self.name),
                    address: self.address.clone(),
                    options: self.options.clone(),
                    health: Arc::clone(&self.health),
                };
                let classic = Arc::new(Classic::new(opener, limits));
                let mut present = self.classic.write().unwrap_or_else(PoisonError::into_inner);
                Ok(Line::Classic(Arc::clone(present.insert(classic))))
            }
            #[cfg(not(feature = "classic"))]
            Protocol::Classic => Err(crate::error::refused(format!(
                "{} is older than 1.6.10 and has no meta commands: build with the feature `classic`",
                self.name
            ))),
        }
    }

    /// The reply to one command, and the connection that it came by.
    pub(crate) async fn one(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        command: &Command<'_>,
    ) -> Result<(Reply, Arc<Connection>)> {
        add(&self.counts.round_trips, 1);
        match connection.one(command).await {
            Ok(reply) => Ok((self.checked(reply)?, connection)),
            Err(failure) => {
                let other = self.instead(&connection, failure, slice::from_ref(command)).await?;
                let reply = other.one(command).await.map_err(|failure| self.failure(failure))?;
                Ok((self.checked(reply)?, other))
            }
        }
    }

    /// The replies to many commands, in one packet.
    pub(crate) async fn all(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        commands: &[Command<'_>],
    ) -> Result<(Vec<Reply>, Arc<Connection>)> {
        add(&self.counts.round_trips, 1);
        match connection.all(commands).await {
            Ok(replies) => Ok((replies, connection)),
            Err(failure) => {
                let other = self.instead(&connection, failure, commands).await?;
                let replies = other.all(commands).await.map_err(|failure| self.failure(failure))?;
                Ok((replies, other))
            }
        }
    }

    /// Another connection, if the one that failed was closed and the commands may be sent again: because
    /// they were not sent at all, or because it is the same if they are carried out twice.
    async fn instead(
        self: &Arc<Self>,
        connection: &Connection,
        failure: Failure,
        commands: &[Command<'_>],
    ) -> Result<Arc<Connection>> {
        if !failure.closed {
            return Err(self.failure(failure));
        }
        if !failure.unsent && !commands.iter().all(Command::may_repeat) {
            add(&self.counts.failures, 1);
            return Err(unsure(&self.name).with_source(failure.error));
        }
        add(&self.counts.round_trips, 1);
        match self.line().await {
            Ok(Line::Meta(other))
                if other.epoch == connection.epoch || !commands.iter().any(Command::compares) =>
            {
                Ok(other)
            }
            Ok(_) => Err(self.failure(failure)),
            Err(error) => Err(error),
        }
    }

    fn failure(&self, failure: Failure) -> Error {
        add(&self.counts.failures, 1);
        failure.error
    }

    /// The reply, unless the server said that it cannot do what it was asked for.
    pub(crate) fn checked(&self, reply: Reply) -> Result<Reply> {
        match reply.status {
            Status::Failed => Err(told(&self.name, &reply.value)),
            _ => Ok(reply),
        }
    }

    /// The error for a reply that is none to its question. Who can say whose answers the next ones are?
    pub(crate) fn odd(&self, asked: &str, reply: &Reply) -> Error {
        let error = match reply.status {
            Status::Failed => return told(&self.name, &reply.value),
            status => garbled(&self.name, format!("{status:?} in answer to {asked}")),
        };
        for connection in self.lanes.iter().filter_map(Lane::present) {
            connection.condemn(error.clone());
        }
        error
    }

    #[cfg(feature = "classic")]
    fn present_classic(&self) -> Option<Arc<Classic>> {
        self.classic.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The most bytes of one item.
    pub(crate) fn item_limit(&self) -> usize {
        self.options.item_limit.or_else(|| self.said_limit()).unwrap_or(USUAL_LIMIT)
    }

    /// The most bytes of a value that is read: other programs may write larger ones than this.
    fn largest(&self) -> usize {
        self.said_limit().unwrap_or(USUAL_LIMIT).max(self.item_limit())
    }

    fn said_limit(&self) -> Option<usize> {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner);
        facts.as_ref().and_then(|facts| facts.item_limit)
    }

    /// The most bytes of a value under a name of this length.
    pub(crate) fn room(&self, name: &[u8]) -> usize {
        self.item_limit().saturating_sub(OVERHEAD + name.len())
    }

    pub(crate) fn stats(&self) -> ServerStats {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner).clone();
        let connections: Vec<_> = self.lanes.iter().filter_map(Lane::present).collect();
        let counts = &self.counts;
        ServerStats {
            name: self.name.to_string(),
            version: facts.as_ref().and_then(|facts| facts.version.clone()),
            protocol: facts.as_ref().map(|facts| facts.protocol),
            item_limit: self.options.item_limit.or(facts.and_then(|facts| facts.item_limit)),
            is_down: !self.health.is_well(),
            connections: connections.len(),
            waiting: connections.iter().map(|connection| connection.load()).sum(),
            round_trips: read(&counts.round_trips),
            connects: read(&self.health.connects),
            failed_connects: read(&self.health.failed_connects),
            failures: read(&counts.failures),
            lost_leases: read(&counts.lost_leases),
            expired_leases: read(&counts.expired_leases),
            split_values: read(&counts.split_values),
            torn_values: read(&counts.torn_values),
            foreign_items: read(&counts.foreign_items),
        }
    }
}

impl Lane {
    fn present(&self) -> Option<Arc<Connection>> {
        let present = self.connection.read().unwrap_or_else(PoisonError::into_inner);
        present.as_ref().filter(|connection| connection.is_alive()).map(Arc::clone)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.name)
    }
}

/// Makes the connections for classic commands.
#[cfg(feature = "classic")]
struct Opener {
    name: Arc<str>,
    address: Address,
    options: Connect,
    health: Arc<Health>,
}

#[cfg(feature = "classic")]
impl Open for Opener {
    fn open(&self) -> BoxFuture<'_, Result<BoxStream>> {
        Box::pin(self.health.attempt(async {
            let mut socket = Socket::open(&self.address, &self.options).await?;
            if self.options.credentials.is_some() {
                greet(&mut socket, &self.name, &self.options).await?;
            }
            Ok(Box::new(socket) as BoxStream)
        }))
    }
}

#[cfg(feature = "classic")]
impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
