//! The backend, and how it is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dogpile_core::{ErrorKind, Locator, Result};

use crate::address::Address;
use crate::connect::Connect;
use crate::error::refused;
use crate::fleet::Fleet;
use crate::key::KeyNames;
use crate::lease::HeldTurns;
use crate::server::Server;
use crate::stats::ServerStats;
use crate::value::{Compression, Split, Values};
use crate::wait::Watches;

/// A backend on one memcached server or a fleet of them, which also leases: `Dogpile::leased(memcached)`
/// is the dogpile lock of all processes that share the servers.
///
/// Clones are cheap and share the connections. The options are set before it is used; set on a clone,
/// they make a second backend over the same connections. All processes that share keys have to agree
/// on the options, on the locator, and on the time of a lease.
///
/// Connections are driven by tasks of the tokio runtime in which they are made: that of
/// [`connect`](Self::connect), or of the call that had to connect again. That runtime has to be running
/// as long as they are used: its tasks also watch the timeouts. The tasks end when the last clone is
/// dropped.
#[derive(Clone)]
pub struct Memcached {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) held: Arc<HeldTurns>,
    pub(crate) settings: Arc<Settings>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) names: KeyNames,
    pub(crate) values: Values,
    pub(crate) keep_for: Option<Duration>,
    pub(crate) when_down: WhenDown,
}

/// What becomes of a call for a key whose server cannot be reached, or is late.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WhenDown {
    /// It fails: [`ErrorKind::Unavailable`] or [`ErrorKind::TimedOut`]. Of a call for many keys, those
    /// of a server that is down are missing, and it fails only if no server answered.
    #[default]
    Fail,
    /// The key is missing, and who asks for its lease is to create the value, which is then not stored.
    /// Writes and deletes fail all the same: nothing is lost in silence.
    Miss,
}

impl Memcached {
    /// Connects to a server: `memcached://host[:port]`, `memcacheds://` for TLS (feature `tls`),
    /// `unix:///path/of/socket`, or `host[:port]`.
    ///
    /// The connection is made now, so that a wrong address shows at once, and again whenever it is
    /// lost.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for an address that is not understood, and for credentials that the
    /// server does not accept; [`ErrorKind::Unavailable`] or [`ErrorKind::TimedOut`] if it cannot be
    /// reached.
    pub async fn connect(address: &str) -> Result<Self> {
        Self::connect_with(address, Connect::new()).await
    }

    /// The same, with timeouts and more of your choice.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(address: &str, options: Connect) -> Result<Self> {
        let memcached = Self::lazy(address, options)?;
        memcached.fleet.first()?.line().await?;
        Ok(memcached)
    }

    /// The same as [`connect_with`](Self::connect_with), but the connection is made by the first call
    /// that needs it: for a program that has to start while its cache is down.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for an address that is not understood.
    pub fn lazy(address: &str, options: Connect) -> Result<Self> {
        let server = Server::new(None, Address::new(address)?, options)?;
        Ok(Self::over(Fleet::of_one(server)))
    }

    /// Connects to many servers, over which a locator spreads the keys: a hash ring, or a rule of your
    /// own. The servers are the nodes of the locator in the order of their numbers.
    ///
    /// The locator is asked for the [name](KeyNames) of an item, as it is sent. With a ketama ring,
    /// plain keys are where libmemcached, pylibmc and twemproxy look for them.
    ///
    /// A server that cannot be reached is no error here unless all of them are: it is tried again, and
    /// meanwhile concerns its own keys only. Nothing goes to another server instead.
    ///
    /// ```no_run
    /// use dogpile_memcached::{Connect, Memcached};
    /// use shard_ring::{Ketama, Profile, Ring};
    ///
    /// # async fn f() -> dogpile_core::Result<()> {
    /// let servers = ["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"];
    /// let nodes = servers.map(|name| (name, ()));
    /// let ring = Ring::with_nodes(Profile::ketama(Ketama::LibmemcachedWeighted), nodes)
    ///     .expect("three different servers");
    /// let memcached = Memcached::connect_fleet(servers, ring, Connect::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for an address that is not understood, and for a locator with another
    /// number of nodes; and if no server at all can be reached, as the first of them.
    pub async fn connect_fleet<A: AsRef<str>>(
        addresses: impl IntoIterator<Item = A>,
        locator: impl Locator + 'static,
        options: Connect,
    ) -> Result<Self> {
        let memcached = Self::lazy_fleet(addresses, locator, options)?;
        memcached.fleet.connect().await?;
        Ok(memcached)
    }

    /// The same as [`connect_fleet`](Self::connect_fleet), but connections are made by the first calls
    /// that need them.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for an address that is not understood, and for a locator with another
    /// number of nodes.
    #[expect(clippy::needless_pass_by_value, reason = "all ways to connect take it alike")]
    pub fn lazy_fleet<A: AsRef<str>>(
        addresses: impl IntoIterator<Item = A>,
        locator: impl Locator + 'static,
        options: Connect,
    ) -> Result<Self> {
        let mut servers = Vec::new();
        for address in addresses {
            let text = address.as_ref();
            servers.push(Server::new(Some(text), Address::new(text)?, options.clone())?);
        }
        let nodes = locator.node_count();
        if servers.is_empty() || nodes != servers.len() {
            return Err(refused(format!(
                "{} servers for a locator of {nodes} nodes: name one server for each node, in their order",
                servers.len()
            )));
        }
        Ok(Self::over(Fleet::new(servers, Arc::new(locator))))
    }

    fn over(fleet: Fleet) -> Self {
        Self {
            fleet: Arc::new(fleet),
            watches: Arc::default(),
            held: Arc::default(),
            settings: Arc::default(),
        }
    }

    fn setting(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    /// How keys are named on the servers: as they are, where that is possible, by default.
    #[must_use]
    pub fn with_key_names(self, names: KeyNames) -> Self {
        self.setting(|settings| settings.names = names)
    }

    /// How values are compressed. They are not, by default.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Self {
        self.setting(|settings| settings.values.compression = compression)
    }

    /// Leaves values shorter than this many bytes alone, unless they are too large as they are. 1024 by
    /// default.
    #[must_use]
    pub fn with_min_compress_len(self, bytes: usize) -> Self {
        self.setting(|settings| settings.values.min_compress_len = bytes)
    }

    /// Splits values that are larger than the server keeps in one item, even compressed. By default they
    /// are [`ErrorKind::TooLarge`].
    #[must_use]
    pub fn with_split(self, split: Split) -> Self {
        self.setting(|settings| settings.values.split = Some(split))
    }

    /// A number for the codec of the region, kept in the client flags of each item. A reader with another
    /// number takes the entry for missing, instead of decoding what it cannot read. 0 by default.
    #[must_use]
    pub fn with_codec_number(self, codec: u8) -> Self {
        self.setting(|settings| settings.values.codec = codec)
    }

    /// How long the server keeps an entry whose writer does not say. By default it keeps it until it is
    /// deleted or evicted.
    #[must_use]
    pub fn with_keep_for(self, d: Duration) -> Self {
        self.setting(|settings| settings.keep_for = Some(d))
    }

    /// What becomes of a call for a key whose server is down. It fails, by default.
    #[must_use]
    pub fn with_when_down(self, when_down: WhenDown) -> Self {
        self.setting(|settings| settings.when_down = when_down)
    }

    /// What is known of each server, in the order in which they were named.
    #[must_use]
    pub fn stats(&self) -> Vec<ServerStats> {
        self.fleet.servers().iter().map(|server| server.stats()).collect()
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fleet.servers().iter().map(|server| &server.name);
        f.debug_tuple("Memcached").field(&names.collect::<Vec<_>>()).finish()
    }
}

/// Whether this is the trouble of a server, and not of the question.
pub(crate) fn is_down(error: &dogpile_core::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut)
}
