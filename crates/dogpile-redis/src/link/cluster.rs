//! A cluster: every command goes to the node that has the slot of its keys.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use dogpile_core::{BoxFuture, Error, Result};
use redis::aio::ConnectionLike;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    Cmd, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo, PushKind,
    ServerErrorKind, Value,
};

use super::{Hearing, Line, Link, Messages, Resend, runtime};
use crate::connect::{Connect, Protocol, provide_cryptography};
use crate::error::{refused, told, unconnected};
use crate::layout::tag;
use crate::notify::Notices;
use crate::redis::Redis;
use crate::stats::{Counts, add};

impl Redis {
    /// Connects to a Redis Cluster or a Valkey Cluster (feature `cluster`): the URLs of some of its
    /// nodes, which name the others. All of them take the same user and password.
    ///
    /// Calls for many keys are split by the slots of the keys and sent at the same time. What belongs
    /// to one entry or one group is in one slot, so that each step stays one step. Redirections are
    /// followed, and so is a failover: while a part of the cluster has no master, its keys are
    /// [`ErrorKind::Unavailable`](dogpile_core::ErrorKind::Unavailable). The others are served, but with
    /// hundreds of calls under way they may time out until the new master is known.
    ///
    /// While a slot is moved to another node, its values are read, and none of them can be created,
    /// because servers refuse steps with two keys then: that is `Unavailable` too.
    ///
    /// Writes that a master took and did not pass on before it failed are lost with it, leases among
    /// them: then a value may be created twice. A counter whose answer was lost is raised again by
    /// the repeated command, and so may leave out a number.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_cluster<U: AsRef<str>>(
        urls: impl IntoIterator<Item = U>,
        options: Connect,
    ) -> Result<Self> {
        provide_cryptography();
        let nodes = urls
            .into_iter()
            .map(|url| url.as_ref().into_connection_info().map_err(misunderstood))
            .collect::<Result<Vec<_>>>()?;
        let speaks_resp3 = options.protocol != Some(Protocol::Resp2);
        let notices = Arc::<Notices>::default();
        let mut builder = ClusterClient::builder(nodes)
            .connection_timeout(options.connect_timeout)
            .response_timeout(options.response_timeout)
            .overall_response_timeout(Some(options.total_timeout))
            // Its own defaults wait for minutes. These end before the total timeout does.
            .retries(4)
            .min_retry_wait(10)
            .max_retry_wait(150)
            .use_protocol(match speaks_resp3 {
                true => ProtocolVersion::RESP3,
                false => ProtocolVersion::RESP2,
            });
        if speaks_resp3 && options.messages {
            let notices = Arc::clone(&notices);
            builder = builder.push_sender(move |info: PushInfo| -> Result<(), Error> {
                tell(&notices, &info);
                Ok(())
            });
        }
        let client = builder.build().map_err(misunderstood)?;
        let counts = Arc::<Counts>::default();
        let renewal = Renewal { client, total: options.total_timeout, counts: Arc::clone(&counts) };
        let connection = renewal.connect().await?;
        let mut cluster = Cluster::new(connection, Some(renewal));
        cluster.publishes = options.messages && cluster.has_sharded_messages().await?;
        if speaks_resp3 && cluster.publishes {
            cluster.notices = Some(notices);
        }
        Ok(Self::through(Arc::new(cluster), counts))
    }

    /// Uses a connection to a cluster that you have (feature `cluster`). Its timeouts are its own:
    /// those it has if nobody says otherwise let a call wait for minutes. Waiting callers poll.
    #[must_use]
    pub fn over_cluster(connection: ClusterConnection) -> Self {
        Self::through(Arc::new(Cluster::new(connection, None)), Arc::default())
    }
}

fn misunderstood(error: redis::RedisError) -> Error {
    refused(
        "the URLs of the cluster are not understood; each is redis://[user:password@]host[:port], or \
         rediss:// for TLS (feature `tls`), with the same user and password",
    )
    .with_source(error)
}

fn late(total: Duration) -> Error {
    Error::new(
        dogpile_core::ErrorKind::TimedOut,
        format!("the cluster did not answer within {total:?}"),
    )
}

/// Passes on what nodes send without being asked.
fn tell(notices: &Notices, info: &PushInfo) {
    match info.kind {
        // A channel whose slot has moved is no longer heard: who waits for it looks for himself.
        PushKind::SMessage | PushKind::SUnsubscribe => {
            if let Some(Value::BulkString(channel)) = info.data.first() {
                notices.heard(channel);
            }
        }
        PushKind::Disconnection => notices.lost(),
        _ => {}
    }
}

/// The slot of a key: CRC-16/XMODEM of the key or of the tag in it, as the specification of Redis
/// Cluster has it.
fn slot_of(key: &[u8]) -> u16 {
    let crc = tag(key).unwrap_or(key).iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    });
    crc % 16_384
}

/// The connections to all nodes, which find out by themselves which there are.
struct Cluster {
    shared: Arc<Shared>,
    /// `None` for a connection that somebody else made.
    renewal: Option<Renewal>,
    /// `None` where no messages are heard.
    notices: Option<Arc<Notices>>,
    publishes: bool,
}

struct Shared {
    /// Numbered, so that only the one that is stuck is replaced.
    connection: RwLock<(u64, ClusterConnection)>,
    /// How many calls have come back.
    answered: AtomicU64,
    renewing: AtomicBool,
}

/// How the connection is made, and made anew.
#[derive(Clone)]
struct Renewal {
    client: ClusterClient,
    total: Duration,
    counts: Arc<Counts>,
}

impl Renewal {
    async fn connect(&self) -> Result<ClusterConnection> {
        runtime()?;
        let connecting = tokio::time::timeout(self.total, self.client.get_async_connection());
        let connected = connecting.await.map_err(|_| late(self.total))?;
        connected.map_err(|error| unconnected("the given addresses", error))
    }
}

impl Shared {
    fn present(&self) -> (u64, ClusterConnection) {
        let present = self.connection.read().unwrap_or_else(PoisonError::into_inner);
        (present.0, present.1.clone())
    }
}

impl Cluster {
    fn new(connection: ClusterConnection, renewal: Option<Renewal>) -> Self {
        let shared = Shared {
            connection: RwLock::new((0, connection)),
            answered: AtomicU64::new(0),
            renewing: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), renewal, notices: None, publishes: true }
    }

    /// What `send` answers within the time allowed.
    async fn through<T, F>(&self, send: impl FnOnce(ClusterConnection) -> F) -> Result<T>
    where
        F: Future<Output = redis::RedisResult<T>>,
    {
        let (number, connection) = self.shared.present();
        let Some(renewal) = &self.renewal else { return send(connection).await.map_err(told) };
        let before = self.shared.answered.load(SeqCst);
        match tokio::time::timeout(renewal.total, send(connection)).await {
            Ok(Err(error)) if error.is_timeout() => {
                self.doubt(renewal, number, before);
                Err(told(error))
            }
            Ok(answer) => {
                self.shared.answered.fetch_add(1, SeqCst);
                answer.map_err(told)
            }
            Err(_) => {
                self.doubt(renewal, number, before);
                Err(late(renewal.total))
            }
        }
    }

    /// A call ran out of time. If none came back meanwhile, another connection is made.
    ///
    /// The one of `redis` 1.8 may stop for good if a node fails while many use it at once: what looks
    /// for the slots waits for a lock that was granted to a request, and requests are not polled until
    /// the slots are found.
    fn doubt(&self, renewal: &Renewal, number: u64, before: u64) {
        let shared = &self.shared;
        if shared.answered.load(SeqCst) != before || shared.renewing.swap(true, SeqCst) {
            return;
        }
        let (shared, renewal) = (Arc::clone(shared), renewal.clone());
        let notices = self.notices.clone();
        tokio::spawn(async move {
            if shared.present().0 == number
                && let Ok(connection) = renewal.connect().await
            {
                let mut present = shared.connection.write().unwrap_or_else(PoisonError::into_inner);
                *present = (number + 1, connection);
                drop(present);
                add(&renewal.counts.reconnects, 1);
                notices.iter().for_each(|notices| notices.lost());
            }
            shared.renewing.store(false, SeqCst);
        });
    }

    /// Whether the nodes have `SSUBSCRIBE`: Redis and Valkey since 7.0.
    async fn has_sharded_messages(&self) -> Result<bool> {
        let mut ask = redis::cmd("COMMAND");
        ask.arg("INFO").arg("SSUBSCRIBE");
        // Also an error, for a user who may not ask.
        let known = self.send(ask, Resend::May).await?;
        Ok(matches!(known, Value::Array(commands) if !matches!(commands[..], [Value::Nil] | [])))
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cluster")
    }
}

impl Link for Cluster {
    fn part_of(&self, key: &[u8]) -> usize {
        usize::from(slot_of(key))
    }

    fn gathers(&self) -> Option<&Arc<Line>> {
        None
    }

    fn send(&self, command: Cmd, _: Resend) -> BoxFuture<'_, Result<Value>> {
        Box::pin(self.through(move |mut connection| async move {
            connection.req_packed_command(&command).await
        }))
    }

    fn send_many<'a>(
        &'a self,
        commands: &'a Pipeline,
        _: Resend,
    ) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(self.through(move |mut connection| async move {
            match connection.req_packed_commands(commands, 0, commands.len()).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Ask) => {}
                answered => return answered,
            }
            // A slot is on its way to another node, which must be asked for each command anew.
            let mut replies = Vec::with_capacity(commands.len());
            for command in commands.cmd_iter() {
                replies.push(connection.req_packed_command(command).await?);
            }
            Ok(replies)
        }))
    }

    fn publish(&self) -> &'static str {
        if self.publishes { "SPUBLISH" } else { "" }
    }

    fn messages(&self) -> Option<Messages<'_>> {
        let notices = self.notices.as_deref()?;
        Some(Messages { notices, hearing: self })
    }
}

impl Hearing for Cluster {
    fn subscribe<'a>(&'a self, channel: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(
            self.through(move |mut connection| async move { connection.ssubscribe(channel).await }),
        )
    }

    fn unsubscribe<'a>(&'a self, channel: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(
            self.through(
                move |mut connection| async move { connection.sunsubscribe(channel).await },
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(slot_of(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b""), 0);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }
}
