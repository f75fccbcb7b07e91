//! Where a server is.

use std::fmt;
#[cfg(unix)]
use std::path::PathBuf;

use dogpile_core::Result;

use crate::error::refused;

const PORT: u16 = 11_211;

/// The address of one server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Address {
    Tcp {
        host: String,
        port: u16,
        tls: bool,
    },
    #[cfg(unix)]
    Unix(PathBuf),
}

impl Address {
    /// `memcached://host[:port]`, `memcacheds://host[:port]`, `unix:///path`, or `host[:port]`.
    pub(crate) fn new(text: &str) -> Result<Self> {
        let wrong = || {
            // Before an @ there may be a password.
            let shown = if text.contains('@') { String::new() } else { format!(" {text:?}") };
            refused(format!(
                "the address{shown} is not understood; it is memcached://host[:port], memcacheds:// for TLS \
                 (feature `tls`), unix:///path/of/socket, or host[:port]; credentials go to \
                 `Connect::with_credentials`"
            ))
        };
        #[cfg(unix)]
        if let Some(path) = text.strip_prefix("unix://") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(wrong()),
            };
        }
        let (rest, tls) = match text.split_once("://") {
            None => (text, false),
            Some(("memcached" | "tcp", rest)) => (rest, false),
            Some(("memcacheds", rest)) => (rest, true),
            Some(_) => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                (
                    host,
                    if port.is_empty() {
                        None
                    } else {
                        Some(port.strip_prefix(':').ok_or_else(wrong)?)
                    },
                )
            }
            // More than one colon and no brackets is an address of IPv6 without a port.
            None => match rest.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (rest, None),
            },
        };
        let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| wrong()))?;
        let is_odd = |c: char| c.is_whitespace() || matches!(c, '/' | '@' | '?' | '#' | '[' | ']');
        if host.is_empty() || host.contains(is_odd) {
            return Err(wrong());
        }
        if tls && !cfg!(feature = "tls") {
            return Err(refused("`memcacheds://` needs the feature `tls` of dogpile-memcached"));
        }
        Ok(Self::Tcp { host: host.to_owned(), port, tls })
    }
}

#[cfg(feature = "classic")]
impl Address {
    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }
}

impl fmt::Display for Address {
    /// As a ring names it: `host:port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_people_write() {
        for (text, shown) in [
            ("memcached://10.0.0.1", "10.0.0.1:11211"),
            ("memcached://cache.internal:11212/", "cache.internal:11212"),
            ("localhost:11300", "localhost:11300"),
            ("localhost", "localhost:11211"),
            ("[::1]:11300", "[::1]:11300"),
            ("memcached://[::1]", "[::1]:11211"),
            ("::1", "[::1]:11211"),
            ("unix:///run/memcached.sock", "/run/memcached.sock"),
        ] {
            assert_eq!(Address::new(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_the_forms_there_are() {
        for text in [
            "",
            "redis://a",
            "memcached://",
            "a:b",
            "a:99999",
            "unix://relative",
            "a b",
            "[::1",
            "u:p@h:1",
            "a\r\nb",
        ] {
            let error = Address::new(text).unwrap_err();
            assert!(error.to_string().contains("memcached://host"), "{text}: {error}");
        }
    }
}
