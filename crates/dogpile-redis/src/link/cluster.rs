//! A cluster: every command goes to the node that has the slot of its keys.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use dogpile_core::{BoxFuture, Error, Result};
use redis::aio::ConnectionLike;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    Cmd, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo, PushKind,
    ServerErrorKind, Value,
};
use tokio::sync::oneshot;

use super::attempts::Attempts;
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
    /// [`ErrorKind::Unavailable`](dogpile_core::ErrorKind::Unavailable), and so are calls for many keys
    /// with one of them among them. The others are served, but with hundreds of calls under way they
    /// may time out until the new master is known.
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
        let (messages, shared_counts) = (options.messages, Arc::clone(&counts));
        let renewal = Renewal { client, options, notices, counts: shared_counts };
        let mut cluster = Cluster::new(renewal.connect(0).await?, Some(renewal));
        cluster.publishes = messages && cluster.has_sharded_messages().await?;
        cluster.hears = speaks_resp3 && cluster.publishes;
        Ok(Self::through(Arc::new(cluster), counts))
    }

    /// Uses a connection to a cluster that you have (feature `cluster`). Its timeouts are its own:
    /// those it has if nobody says otherwise let a call wait for minutes. Waiting callers poll.
    #[must_use]
    pub fn over_cluster(connection: ClusterConnection) -> Self {
        let given = Present { attempt: 0, connection, runtime: None };
        Self::through(Arc::new(Cluster::new(given, None)), Arc::default())
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
    hears: bool,
    publishes: bool,
}

struct Shared {
    present: RwLock<Present>,
    attempts: Attempts,
    /// How many calls have come back.
    answered: AtomicU64,
}

struct Present {
    /// The number of the attempt that made it.
    attempt: u64,
    connection: ClusterConnection,
    /// Closed when the runtime has ended that drives it. `None` where that is not ours to know.
    runtime: Option<oneshot::Sender<()>>,
}

/// How the connection is made, and made anew.
#[derive(Clone)]
struct Renewal {
    client: ClusterClient,
    options: Connect,
    notices: Arc<Notices>,
    counts: Arc<Counts>,
}

impl Renewal {
    async fn connect(&self, attempt: u64) -> Result<Present> {
        runtime()?;
        let total = self.options.total_timeout;
        let connecting = tokio::time::timeout(total, self.client.get_async_connection());
        let connected = connecting.await.map_err(|_| late(total))?;
        let connection = connected.map_err(|error| unconnected("the given addresses", error))?;
        let (runtime, ended) = oneshot::channel();
        tokio::spawn(ended);
        Ok(Present { attempt, connection, runtime: Some(runtime) })
    }
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Present> {
        self.present.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, unless the runtime has ended that drives it.
    fn present(&self) -> Option<ClusterConnection> {
        let present = self.read();
        let has_ended = present.runtime.as_ref().is_some_and(oneshot::Sender::is_closed);
        (!has_ended).then(|| present.connection.clone())
    }

    /// Makes another connection. That of the latest attempt stays.
    async fn renew(&self, renewal: &Renewal, attempt: u64) -> Result<ClusterConnection> {
        let made = renewal.connect(attempt).await?;
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        if present.attempt < attempt {
            *present = made;
            add(&renewal.counts.reconnects, 1);
            renewal.notices.lost();
        }
        Ok(present.connection.clone())
    }
}

impl Cluster {
    fn new(present: Present, renewal: Option<Renewal>) -> Self {
        let shared = Shared {
            present: RwLock::new(present),
            attempts: Attempts::default(),
            answered: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), renewal, hears: false, publishes: true }
    }

    /// What `send` answers within the time allowed.
    async fn through<T, F>(&self, send: impl Fn(ClusterConnection) -> F) -> Result<T>
    where
        F: Future<Output = redis::RedisResult<T>>,
    {
        let shared = &self.shared;
        let Some(renewal) = &self.renewal else {
            let given = shared.read().connection.clone();
            return send(given).await.map_err(told);
        };
        let before = (shared.answered.load(SeqCst), shared.attempts.so_far());
        let call = async {
            if let Some(connection) = shared.present() {
                let answer = send(connection).await;
                if answer.is_ok() || shared.present().is_some() {
                    return answer.map_err(told);
                }
            }
            // The runtime has ended that drove it, so this one drives the next.
            let renew = |attempt| shared.renew(renewal, attempt);
            let patience = renewal.options.connect_timeout;
            let renewed = shared.attempts.share(patience, || shared.present(), renew);
            send(Box::pin(renewed).await?).await.map_err(told)
        };
        let total = renewal.options.total_timeout;
        let answer = tokio::time::timeout(total, call).await.unwrap_or_else(|_| Err(late(total)));
        match &answer {
            Err(error) if error.kind() == dogpile_core::ErrorKind::TimedOut => {
                self.doubt(renewal, before);
            }
            _ => _ = shared.answered.fetch_add(1, SeqCst),
        }
        answer
    }

    /// A call ran out of time. If none came back meanwhile, another connection is made.
    ///
    /// The one of `redis` 1.8 may stop for good if a node fails while many use it at once: what looks
    /// for the slots waits for a lock that was granted to a request, and requests are not polled until
    /// the slots are found.
    fn doubt(&self, renewal: &Renewal, (answered, attempts): (u64, u64)) {
        if self.shared.answered.load(SeqCst) != answered {
            return;
        }
        // One attempt in the time that a call takes, whatever becomes of it: its runtime may end.
        let Some(attempt) = self.shared.attempts.begin(attempts) else { return };
        let (shared, renewal) = (Arc::clone(&self.shared), renewal.clone());
        tokio::spawn(async move { shared.renew(&renewal, attempt).await });
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
        Box::pin(async move {
            let command = &command;
            self.through(move |mut connection| async move {
                connection.req_packed_command(command).await
            })
            .await
        })
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
        let renewal = self.renewal.as_ref().filter(|_| self.hears)?;
        Some(Messages { notices: &renewal.notices, hearing: self })
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
