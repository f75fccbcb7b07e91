//! The master that Sentinels name.

use std::fmt;
use std::sync::Arc;

use dogpile_core::{BoxFuture, Error, ErrorKind, Result};
use futures_util::future::select_ok;
use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind as Kind, IntoConnectionInfo, TlsMode,
};
use tokio::sync::Mutex;

use super::{Open, Push, Single};
use crate::connect::{Connect, Protocol, open, provide_cryptography};
use crate::error::{refused, unconnected};
use crate::redis::Redis;
use crate::stats::Counts;

impl Redis {
    /// Connects to the master that Sentinels name (feature `sentinel`), and to the next one after a
    /// failover. `sentinels` are their URLs, and `master` is the URL of the master with its name in
    /// the place of a host: `redis://[user:password@]name[/database]`, `rediss://` for TLS.
    ///
    /// The Sentinels are asked, all at once, whenever the connection is lost, and when a server answers that it is
    /// a replica now. Writes that a master took and did not pass on before it failed are lost with
    /// it, leases among them: then a value may be created twice.
    ///
    /// ```no_run
    /// # async fn example() -> dogpile_core::Result<()> {
    /// use dogpile_redis::{Connect, Redis};
    ///
    /// let sentinels = ["redis://10.0.0.1:26379", "redis://10.0.0.2:26379", "redis://10.0.0.3:26379"];
    /// let redis = Redis::connect_sentinel(sentinels, "redis://main", Connect::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_sentinel<U: AsRef<str>>(
        sentinels: impl IntoIterator<Item = U>,
        master: &str,
        options: Connect,
    ) -> Result<Self> {
        provide_cryptography();
        let sentinels = sentinels
            .into_iter()
            .map(|url| url.as_ref().into_connection_info().map_err(misunderstood))
            .collect::<Result<Vec<_>>>()?;
        if sentinels.is_empty() {
            return Err(refused("no Sentinel is given"));
        }
        let info = master.into_connection_info().map_err(misunderstood)?;
        let (name, tls) = match info.addr() {
            ConnectionAddr::Tcp(name, _) => (name.clone(), None),
            ConnectionAddr::TcpTls { host, .. } => (host.clone(), Some(TlsMode::Secure)),
            _ => return Err(refused("the URL of the master has a name in the place of a host")),
        };
        let mut node = SentinelNodeConnectionInfo::default()
            .set_redis_connection_info(info.redis_settings().clone());
        if let Some(tls) = tls {
            node = node.set_tls_mode(tls);
        }
        let clients = sentinels
            .into_iter()
            .map(|sentinel| {
                let (name, node) = (name.clone(), Some(node.clone()));
                SentinelClient::build(vec![sentinel], name, node, SentinelServerType::Master)
                    .map(Mutex::new)
                    .map_err(misunderstood)
            })
            .collect::<Result<_>>()?;
        let named = Named { clients, name, protocol: options.protocol, messages: options.messages };
        let counts = Arc::<Counts>::default();
        let single = Single::new(Box::new(named), options, Arc::clone(&counts));
        single.connect().await?;
        Ok(Self::through(Arc::new(single), counts))
    }
}

fn misunderstood(error: redis::RedisError) -> Error {
    refused(
        "the URLs are not understood; a Sentinel's is redis://[user:password@]host[:port], and the \
         master's is redis://[user:password@]name[/database], or rediss:// for TLS (feature `tls`)",
    )
    .with_source(error)
}

struct Named {
    /// One for each Sentinel: one client for all of them would wait for the first that is silent.
    clients: Vec<Mutex<SentinelClient>>,
    name: String,
    protocol: Option<Protocol>,
    messages: bool,
}

impl Named {
    fn unnamed(&self, error: redis::RedisError) -> Error {
        match error.kind() {
            Kind::AuthenticationFailed | Kind::InvalidClientConfig => {
                unconnected(&self.name, error)
            }
            _ => {
                let what =
                    format!("no Sentinel names a master `{}` that can be reached", self.name);
                Error::new(ErrorKind::Unavailable, what).with_source(error)
            }
        }
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the master that Sentinels call {}", self.name)
    }
}

impl Open for Named {
    fn open<'a>(
        &'a self,
        config: &'a AsyncConnectionConfig,
        push: &'a (dyn Fn() -> Push + Send + Sync),
    ) -> BoxFuture<'a, Result<(MultiplexedConnection, bool)>> {
        Box::pin(async move {
            let asked = self
                .clients
                .iter()
                .map(|client| Box::pin(async { client.lock().await.async_get_client().await }));
            let (master, _) = select_ok(asked).await.map_err(|error| self.unnamed(error))?;
            open(&master, self.protocol, self.messages, config, push).await
        })
    }
}
