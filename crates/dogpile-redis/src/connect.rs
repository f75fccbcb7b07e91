//! Connecting, and how long it may take.

use std::time::Duration;

use dogpile_core::{BoxFuture, Result};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion};

use crate::error::{is_denied, refused, unconnected};
use crate::link::{Open, Push};

/// How to connect, and how long to wait for what.
///
/// ```
/// use dogpile_redis::Connect;
/// use std::time::Duration;
///
/// let patient = Connect::new().with_response_timeout(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
pub struct Connect {
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) messages: bool,
}

/// The protocol spoken with the server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Protocol {
    /// The protocol of all servers. Waiting callers poll; those of other processes are woken.
    Resp2,
    /// The protocol since Redis 6: messages arrive on the connection that is there already.
    Resp3,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(500),
            response_timeout: Duration::from_secs(1),
            total_timeout: Duration::from_secs(2),
            protocol: None,
            messages: true,
        }
    }
}

impl Connect {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long one attempt to connect may take, with the handshake. 500 ms by default.
    #[must_use]
    pub fn with_connect_timeout(mut self, d: Duration) -> Self {
        self.connect_timeout = d;
        self
    }

    /// How long the server may take to answer a command, within the total timeout. 1 s by default;
    /// raise both for values of many megabytes.
    #[must_use]
    pub fn with_response_timeout(mut self, d: Duration) -> Self {
        self.response_timeout = d;
        self
    }

    /// How long a round trip may take altogether, also one that has to connect first, or again. 2 s by
    /// default.
    #[must_use]
    pub fn with_total_timeout(mut self, d: Duration) -> Self {
        self.total_timeout = d;
        self
    }

    /// The protocol to speak. By default what the URL says (`?protocol=resp2`), and otherwise RESP3
    /// with servers that have it. URLs of a cluster or of Sentinels are not asked: a cluster is spoken
    /// to in RESP3 by default, and a master that Sentinels name in RESP3 if it has it.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Whether the server's messages are used to wake who waits. True by default; without them,
    /// waiting is polling, and nobody is told. All processes that share keys have to agree.
    #[must_use]
    pub fn with_messages(mut self, yes: bool) -> Self {
        self.messages = yes;
        self
    }
}

/// TLS needs somebody to have chosen its cryptography for the process; if nobody has, we do.
pub(crate) fn provide_cryptography() {
    #[cfg(feature = "tls")]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Whoever was faster chose.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// A server at an address.
pub(crate) struct Address {
    client: Client,
    protocol: Option<Protocol>,
    messages: bool,
}

impl Address {
    pub(crate) fn new(url: &str, options: &Connect) -> Result<Self> {
        let info = url.into_connection_info().map_err(|error| {
            refused(
                "the URL of the server is not understood; it is redis://[user:password@]host[:port][/database], \
                 rediss:// for TLS (feature `tls`), or unix:///path/of/socket",
            )
            .with_source(error)
        })?;
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let said = query.contains("protocol=").then(|| match info.redis_settings().protocol() {
            ProtocolVersion::RESP3 => Protocol::Resp3,
            _ => Protocol::Resp2,
        });
        provide_cryptography();
        let client = Client::open(info).map_err(|error| {
            refused("a connection of this kind cannot be made; `rediss://` needs the feature `tls`")
                .with_source(error)
        })?;
        Ok(Self { client, protocol: options.protocol.or(said), messages: options.messages })
    }

    pub(crate) fn of(client: Client, options: &Connect) -> Self {
        provide_cryptography();
        // A client has RESP2 also if nobody chose it.
        Self { client, protocol: options.protocol, messages: options.messages }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server at {}", self.client.get_connection_info().addr())
    }
}

impl Open for Address {
    fn open<'a>(
        &'a self,
        config: &'a AsyncConnectionConfig,
        push: &'a (dyn Fn() -> Push + Send + Sync),
    ) -> BoxFuture<'a, Result<(MultiplexedConnection, bool)>> {
        Box::pin(open(&self.client, self.protocol, self.messages, config, push))
    }
}

/// Connects to the server of a client, by the best protocol that both have.
pub(crate) async fn open(
    client: &Client,
    protocol: Option<Protocol>,
    messages: bool,
    config: &AsyncConnectionConfig,
    push: &(dyn Fn() -> Push + Send + Sync),
) -> Result<(MultiplexedConnection, bool)> {
    let info = client.get_connection_info();
    let address = info.addr().to_string();
    let speaking = |version| {
        let settings = info.redis_settings().clone().set_protocol(version);
        let info = info
            .clone()
            .set_redis_settings(settings)
            .set_tcp_settings(info.tcp_settings().clone().set_nodelay(true));
        Client::open(info).map_err(|error| unconnected(&address, error))
    };
    if protocol != Some(Protocol::Resp2) {
        let mut config = config.clone();
        if messages {
            config = config.set_push_sender(push());
        }
        let tried = speaking(ProtocolVersion::RESP3)?
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        match tried {
            Ok(connection) => return Ok((connection, messages)),
            Err(error) if protocol.is_none() && knows_no_resp3(&error) => {}
            Err(error) => return Err(unconnected(&address, error)),
        }
    }
    let connection = speaking(ProtocolVersion::RESP2)?
        .get_multiplexed_async_connection_with_config(config)
        .await
        .map_err(|error| unconnected(&address, error))?;
    Ok((connection, false))
}

fn knows_no_resp3(error: &redis::RedisError) -> bool {
    let text = error.to_string();
    // Who has to log in first is told so in answer to HELLO.
    if is_denied(error) {
        return false;
    }
    error.code() == Some("NOPROTO")
        || text.contains("unknown command")
        || text.contains("HELLO")
        || text.contains("RESP3")
}
