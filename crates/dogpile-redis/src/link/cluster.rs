//! A cluster: every command goes to the node that has the slot of its keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dogpile_core::{BoxFuture, Error, Result};
use redis::aio::ConnectionLike;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    Cmd, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo, PushKind,
    ServerErrorKind, Value,
};

use super::{Carrier, Hearing, Link, Messages, Resend};
use crate::connect::{Connect, Protocol, provide_cryptography};
use crate::error::{refused, told, unconnected};
use crate::layout::tag;
use crate::notify::Notices;
use crate::redis::Redis;

impl Redis {
    /// Connects to a Redis Cluster or a Valkey Cluster (feature `cluster`): the URLs of some of its
    /// nodes, which name the others. All of them take the same user and password.
    ///
    /// Calls for many keys are split by the slots of the keys and sent at the same time. What belongs
    /// to one entry or one group is in one slot, so that each step stays one step. Redirections are
    /// followed, and so is a failover: while a part of the cluster has no master, its keys are
    /// [`ErrorKind::Unavailable`](dogpile_core::ErrorKind::Unavailable) and the others are served.
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
        let total = options.total_timeout;
        let connecting = tokio::time::timeout(total, client.get_async_connection());
        let connection = connecting
            .await
            .map_err(|_| late(total))?
            .map_err(|error| unconnected("the given addresses", error))?;
        let mut cluster = Cluster { connection, total: Some(total), notices: None };
        if speaks_resp3 && options.messages && cluster.has_sharded_messages().await? {
            cluster.notices = Some(notices);
        }
        Ok(Self::through(Arc::new(cluster), Arc::default()))
    }

    /// Uses a connection to a cluster that you have (feature `cluster`). Its timeouts are its own:
    /// those it has if nobody says otherwise let a call wait for minutes. Waiting callers poll.
    #[must_use]
    pub fn over_cluster(connection: ClusterConnection) -> Self {
        let cluster = Cluster { connection, total: None, notices: None };
        Self::through(Arc::new(cluster), Arc::default())
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
    connection: ClusterConnection,
    total: Option<Duration>,
    /// `None` where there are no messages.
    notices: Option<Arc<Notices>>,
}

impl Cluster {
    async fn within<T>(&self, work: impl Future<Output = redis::RedisResult<T>>) -> Result<T> {
        match self.total {
            None => work.await.map_err(told),
            Some(total) => match tokio::time::timeout(total, work).await {
                Ok(done) => done.map_err(told),
                Err(_) => Err(late(total)),
            },
        }
    }

    /// Whether the nodes have `SSUBSCRIBE`: Redis and Valkey since 7.0.
    async fn has_sharded_messages(&self) -> Result<bool> {
        let mut ask = redis::cmd("COMMAND");
        ask.arg("INFO").arg("SSUBSCRIBE");
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

    fn gathers(&self) -> Option<&Arc<dyn Carrier>> {
        None
    }

    fn send(&self, command: Cmd, _: Resend) -> BoxFuture<'_, Result<Value>> {
        Box::pin(
            self.within(async move { self.connection.clone().req_packed_command(&command).await }),
        )
    }

    fn send_many<'a>(
        &'a self,
        commands: &'a Pipeline,
        _: Resend,
    ) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(self.within(async {
            let mut connection = self.connection.clone();
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

    fn messages(&self) -> Option<Messages<'_>> {
        let notices = self.notices.as_deref()?;
        Some(Messages { notices, publish: "SPUBLISH", hearing: self })
    }
}

impl Hearing for Cluster {
    fn subscribe<'a>(&'a self, channel: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.within(async move { self.connection.clone().ssubscribe(channel).await }))
    }

    fn unsubscribe<'a>(&'a self, channel: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.within(async move { self.connection.clone().sunsubscribe(channel).await }))
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
