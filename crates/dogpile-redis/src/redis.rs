//! The backend, and how it is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dogpile_core::Result;
use redis::Client;
use redis::aio::ConnectionLike;

use crate::connect::{Address, Connect};
use crate::envelope::Envelope;
use crate::hints::Hints;
use crate::layout::{GroupExpiry, Names};
use crate::link::{Given, Link, Single};
use crate::stats::{Counts, Stats};
use crate::wire::Wire;

/// A backend on Redis or Valkey, which also leases: `Dogpile::leased(redis)` is the dogpile lock of
/// all processes that share the server.
///
/// A plain key is a string, and a field of a group is a field of a hash. Clones are cheap and share
/// the connection. The options are set before it is used; set on a clone, they make a second backend
/// over the same connection. All processes that share keys have to agree on the options.
#[derive(Clone)]
pub struct Redis {
    pub(crate) wire: Arc<Wire>,
    pub(crate) hints: Arc<Hints>,
    pub(crate) settings: Arc<Settings>,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) names: Names,
    pub(crate) envelope: Envelope,
    pub(crate) keep_for: Option<Duration>,
    pub(crate) group_expiry: GroupExpiry,
    pub(crate) inline_limit: usize,
    pub(crate) field_expiry: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            names: Names::default(),
            envelope: Envelope::full(),
            keep_for: None,
            group_expiry: GroupExpiry::Never,
            inline_limit: 64,
            field_expiry: false,
        }
    }
}

impl Redis {
    /// Connects to a server: `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS
    /// (feature `tls`), or `unix:///path/of/socket`.
    ///
    /// The connection is made now, so that a wrong address shows at once, and again whenever it is
    /// lost. One connection carries the commands of all callers.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](dogpile_core::ErrorKind::Refused) for a URL that is not understood and
    /// for credentials that the server does not accept, and
    /// [`ErrorKind::Unavailable`](dogpile_core::ErrorKind::Unavailable) if it cannot be reached.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, Connect::new()).await
    }

    /// The same, with timeouts and a protocol of your choice.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, options: Connect) -> Result<Self> {
        let address = Address::new(url, &options)?;
        Self::connected(address, options).await
    }

    /// Connects as a client of the `redis` crate would: for TLS with certificates of your own, and
    /// whatever else a client can be told. Timeouts and the protocol are those of the options.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_client(client: Client, options: Connect) -> Result<Self> {
        let address = Address::of(client, &options);
        Self::connected(address, options).await
    }

    /// The same as [`connect_with`](Self::connect_with), but the connection is made by the first call
    /// that needs it: for a program that has to start while its cache is down.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](dogpile_core::ErrorKind::Refused) for a URL that is not understood.
    pub fn lazy(url: &str, options: Connect) -> Result<Self> {
        let counts = Arc::<Counts>::default();
        let address = Address::new(url, &options)?;
        let single = Single::new(Box::new(address), options, Arc::clone(&counts));
        Ok(Self::through(Arc::new(single), counts))
    }

    /// Uses a connection that you have: a `MultiplexedConnection`, a `ConnectionManager`, or anything
    /// else to one server. Its timeouts and its way of connecting again are its own, and waiting
    /// callers poll, because it has no messages for this backend. Those of other processes are woken.
    pub fn over<C>(connection: C) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        Self::through(Arc::new(Given(connection)), Arc::default())
    }

    async fn connected(address: Address, options: Connect) -> Result<Self> {
        let counts = Arc::<Counts>::default();
        let single = Single::new(Box::new(address), options, Arc::clone(&counts));
        single.connect().await?;
        Ok(Self::through(Arc::new(single), counts))
    }

    pub(crate) fn through(link: Arc<dyn Link>, counts: Arc<Counts>) -> Self {
        Self {
            wire: Arc::new(Wire::new(link, counts)),
            hints: Arc::default(),
            settings: Arc::default(),
        }
    }

    fn setting(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    /// Puts this before every key.
    #[must_use]
    pub fn with_prefix(self, prefix: impl AsRef<[u8]>) -> Self {
        self.setting(|settings| settings.names.prefix = prefix.as_ref().to_vec())
    }

    /// What is stored around each value.
    #[must_use]
    pub fn with_envelope(self, envelope: Envelope) -> Self {
        self.setting(|settings| settings.envelope = envelope)
    }

    /// How long the server keeps an entry whose writer does not say: the time to live of its key. By
    /// default it keeps it until it is deleted or evicted.
    #[must_use]
    pub fn with_keep_for(self, d: Duration) -> Self {
        self.setting(|settings| settings.keep_for = Some(d))
    }

    /// What the keys of leases begin with: nothing by default, so that the lease of `user:15` is
    /// `{user:15}:lease`. With `lock:` it is `lock:{user:15}:lease`, which a pattern of an ACL or of a
    /// scan can tell from a value. A `{` in it would put leases in other slots of a cluster than their
    /// values.
    #[must_use]
    pub fn with_lease_prefix(self, prefix: impl AsRef<[u8]>) -> Self {
        self.setting(|settings| settings.names.lease_prefix = prefix.as_ref().to_vec())
    }

    /// Uses the locks of dogpile.cache on redis-py, so that Python and Rust processes elect one creator
    /// between them: the key is this prefix (`_lock` by default there) and the name, the token 32
    /// digits, and it is released only by who set it.
    ///
    /// The values are shared by [`Envelope::dogpile_cache`], in a region with the codec `Json` and the
    /// version 2; Python's region has a serializer of JSON, `distributed_lock=True` and a
    /// `lock_timeout`.
    ///
    /// It is for plain keys on one server: in a cluster the lock is in another slot than its value.
    /// Python sends no messages, so waiting is polling.
    #[must_use]
    pub fn with_python_locks(self, prefix: impl AsRef<[u8]>) -> Self {
        self.setting(|settings| settings.names.lock_prefix = Some(prefix.as_ref().to_vec()))
    }

    /// When a group expires as a whole. Never, by default.
    #[must_use]
    pub fn with_group_expiry(self, expiry: GroupExpiry) -> Self {
        self.setting(|settings| settings.group_expiry = expiry)
    }

    /// What is added to the name of a group to name its hash: `:fields` by default, so that a group and
    /// a plain key of one name do not meet. Empty for hashes that other programs read by the bare
    /// name; then a plain key of the same name is an error.
    #[must_use]
    pub fn with_group_suffix(self, suffix: impl AsRef<[u8]>) -> Self {
        self.setting(|settings| settings.names.group_suffix = suffix.as_ref().to_vec())
    }

    /// The most bytes, with the envelope, that a value has inside of the hash of its group; larger ones
    /// are kept in a second hash, and cost a second round trip to read. 64 by default, which is the
    /// `hash-max-listpack-value` of servers: a single larger one makes a hash take four times the
    /// memory, for good. `usize::MAX` keeps everything inside.
    #[must_use]
    pub fn with_inline_limit(self, bytes: usize) -> Self {
        self.setting(|settings| settings.inline_limit = bytes)
    }

    /// Lets the server drop each field of a group when it is no longer to be kept, by `HPEXPIRE`. It
    /// needs Redis 7.4 or Valkey 9, and costs memory: 11 bytes a field on Redis 8, and 44 on Valkey 9.
    /// Without it a field stays until its group expires or it is deleted.
    #[must_use]
    pub fn with_field_expiry(self, yes: bool) -> Self {
        self.setting(|settings| settings.field_expiry = yes)
    }

    /// What happened on the wire since it was connected.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.wire.counts.snapshot()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.wire.link).finish()
    }
}
