//! Connecting, and how long it may take.

use std::fmt;
use std::time::Duration;

use dogpile_core::Result;

use crate::address::Address;

/// How to connect, and how long to wait for what.
///
/// ```
/// use dogpile_memcached::Connect;
/// use std::time::Duration;
///
/// let patient = Connect::new().with_response_timeout(Duration::from_secs(5));
/// ```
#[derive(Clone)]
pub struct Connect {
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) retry_after: (Duration, Duration),
    pub(crate) connections: usize,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) credentials: Option<(String, String)>,
    pub(crate) item_limit: Option<usize>,
    #[cfg(feature = "tls")]
    pub(crate) roots: Vec<Vec<u8>>,
}

/// The protocol spoken with a server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Protocol {
    /// The commands of all servers. Leases are locks made of `add`, at two round trips more. Not by TLS.
    Classic,
    /// The commands since memcached 1.6, in which the server itself grants leases.
    Meta,
}

/// Nobody waits longer, and it can be added to any moment.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

impl Default for Connect {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(500),
            response_timeout: Duration::from_secs(1),
            retry_after: (Duration::from_millis(50), Duration::from_secs(2)),
            connections: 2,
            protocol: None,
            credentials: None,
            item_limit: None,
            #[cfg(feature = "tls")]
            roots: Vec::new(),
        }
    }
}

impl Connect {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long it may take to reach a server, with the handshake of TLS, and as long again to learn what
    /// it can do. 500 ms by default.
    #[must_use]
    pub fn with_connect_timeout(mut self, d: Duration) -> Self {
        self.connect_timeout = d;
        self
    }

    /// How long the server may take to answer. 1 s by default; raise it for values of many megabytes.
    ///
    /// Answers come in the order of the questions, so a connection that is late with one is given up,
    /// and everybody who waits on it is told.
    #[must_use]
    pub fn with_response_timeout(mut self, d: Duration) -> Self {
        self.response_timeout = d.min(A_YEAR);
        self
    }

    /// How long a server that could not be reached is left alone before the next attempt: `least` at
    /// first, twice as long after each failure, up to `most`, a fifth more or less by chance. 50 ms and
    /// 2 s by default. Meanwhile its keys fail at once.
    #[must_use]
    pub fn with_retry_after(mut self, least: Duration, most: Duration) -> Self {
        let most = most.max(least).min(A_YEAR);
        self.retry_after = (least.min(most), most);
        self
    }

    /// The most connections to each server, at least 1; 2 by default. All are shared by all callers,
    /// and the second is made when the first is busy. More of them help where large values would hold
    /// up small ones.
    #[must_use]
    pub fn with_connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// The protocol to speak. By default the meta protocol with every server that has it.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// A user and a password, for servers that were started with an authentication file (`-Y`).
    ///
    /// They are sent as they are: use TLS where others may listen.
    #[must_use]
    pub fn with_credentials(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// The most bytes that a server keeps in one item, name and value and what it adds. By default the
    /// server is asked (`item_size_max` in `stats settings`); say it where a proxy in between does not
    /// pass that on.
    #[must_use]
    pub fn with_item_limit(mut self, bytes: usize) -> Self {
        self.item_limit = Some(bytes);
        self
    }

    /// Trusts servers whose certificate was signed by this root, in PEM or DER, instead of the roots of
    /// the operating system.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_root_certificate(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.roots.push(certificate.into());
        self
    }

    pub(crate) fn check(&self, address: &Address) -> Result<()> {
        if let Some((user, password)) = &self.credentials
            && (user.is_empty()
                || user.contains(['\r', '\n', ' '])
                || password.contains(['\r', '\n']))
        {
            return Err(crate::error::refused(format!(
                "the credentials for {address} cannot be sent: a user has no space, and neither has a line break"
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("retry_after", &self.retry_after)
            .field("connections", &self.connections)
            .field("protocol", &self.protocol)
            .field("credentials", &self.credentials.as_ref().map(|_| "redacted"))
            .field("item_limit", &self.item_limit)
            .finish_non_exhaustive()
    }
}
