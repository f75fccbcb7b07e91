//! The first words with a server: who it is, what it can do, and how large a value it takes.

use std::sync::Arc;

use dogpile_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xxhash_rust::xxh3::xxh3_64;

use crate::connect::{Connect, Protocol};
use crate::error::{closed, garbled, lost, unanswered};
use crate::socket::Socket;

/// What a server said of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Facts {
    pub(crate) version: Option<String>,
    pub(crate) protocol: Protocol,
    /// `item_size_max`.
    pub(crate) item_limit: Option<usize>,
    /// Another number in each life of the server, because its `cas` begins again at 1.
    pub(crate) epoch: Option<u32>,
}

/// The first version whose meta commands are those of today.
const META_SINCE: [u64; 3] = [1, 6, 10];
/// More than any server says here.
const MOST: usize = 64 * 1024;

/// Greets a server within the time allowed, and logs in where there are credentials.
pub(crate) async fn greet(
    socket: &mut Socket,
    server: &Arc<str>,
    options: &Connect,
) -> Result<Facts> {
    let allowed = options.connect_timeout;
    match tokio::time::timeout(allowed, greeted(socket, server, options)).await {
        Ok(facts) => facts,
        Err(_) => Err(unanswered(server, allowed)),
    }
}

async fn greeted(socket: &mut Socket, server: &Arc<str>, options: &Connect) -> Result<Facts> {
    let mut talk = Talk { socket, server, input: Vec::new() };
    if let Some((user, password)) = &options.credentials {
        log_in(&mut talk, user, password).await?;
    }
    talk.say(b"version\r\nstats\r\nstats settings\r\nmn\r\n").await?;
    let version = talk.line().await?;
    let version = version.strip_prefix("VERSION ").map(|version| version.trim().to_owned());
    let mut facts = Facts { version, protocol: Protocol::Classic, item_limit: None, epoch: None };
    let stats = talk.stats().await?;
    let number = |name: &str| {
        stats.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse::<u64>().ok())
    };
    if let (Some(pid), Some(now), Some(up)) = (number("pid"), number("time"), number("uptime")) {
        facts.epoch = Some(epoch(format!("{pid} {}", now.wrapping_sub(up)).as_bytes()));
    }
    let settings = talk.stats().await?;
    facts.item_limit = settings
        .iter()
        .find(|(key, _)| key == "item_size_max")
        .and_then(|(_, value)| value.parse().ok());
    let knows_meta = talk.line().await? == "MN";
    facts.protocol = match options.protocol {
        Some(protocol) => protocol,
        None if knows_meta && facts.version.as_deref().is_none_or(is_recent) => Protocol::Meta,
        None => Protocol::Classic,
    };
    if facts.protocol == Protocol::Meta && !knows_meta {
        let version = facts.version.as_deref().unwrap_or("unknown");
        return Err(Error::new(
            ErrorKind::Refused,
            format!(
                "{server} (version {version}) has no meta commands, which came with 1.6.10; leave `with_protocol` out"
            ),
        ));
    }
    Ok(facts)
}

/// A number of what identifies a life of a server, in 31 bits; never zero.
pub(crate) fn epoch(of: &[u8]) -> u32 {
    let [a, b, c, d, ..] = xxh3_64(of).to_be_bytes();
    u32::from_be_bytes([a, b, c, d]) >> 1 | 1
}

async fn log_in(talk: &mut Talk<'_>, user: &str, password: &str) -> Result<()> {
    let words = format!("{user} {password}");
    let login = format!("set auth 0 0 {}\r\n{words}\r\n", words.len());
    talk.say(login.as_bytes()).await?;
    match talk.line().await?.as_str() {
        "STORED" => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Refused,
            format!("{} does not accept these credentials", talk.server),
        )),
    }
}

fn is_recent(version: &str) -> bool {
    let numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let version: Vec<u64> = numbers.take(3).map_while(std::result::Result::ok).collect();
    // What is no version of memcached's is judged by what it can do.
    version.is_empty() || version >= META_SINCE.to_vec()
}

/// A conversation by lines.
struct Talk<'s> {
    socket: &'s mut Socket,
    server: &'s Arc<str>,
    input: Vec<u8>,
}

impl Talk<'_> {
    async fn say(&mut self, words: &[u8]) -> Result<()> {
        self.socket.write_all(words).await.map_err(|error| lost(self.server, error))?;
        self.socket.flush().await.map_err(|error| lost(self.server, error))
    }

    async fn line(&mut self) -> Result<String> {
        let mut seen = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input[seen..]) {
                let line: Vec<u8> = self.input.drain(..=seen + end).collect();
                let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                return match line.starts_with("CLIENT_ERROR unauth") {
                    true => Err(Error::new(
                        ErrorKind::Refused,
                        format!(
                            "{} asks for credentials: name them by `Connect::with_credentials`",
                            self.server
                        ),
                    )),
                    false => Ok(line),
                };
            }
            seen = self.input.len();
            if seen > MOST {
                return Err(garbled(self.server, "a line without an end"));
            }
            let read = self.socket.read_buf(&mut self.input).await;
            if read.map_err(|error| lost(self.server, error))? == 0 {
                return Err(closed(self.server));
            }
        }
    }

    /// Statistics, of which a proxy may have none.
    async fn stats(&mut self) -> Result<Vec<(String, String)>> {
        let mut stats = Vec::new();
        loop {
            let line = self.line().await?;
            if let Some(stat) = line.strip_prefix("STAT ") {
                let (key, value) = stat.split_once(' ').unwrap_or((stat, ""));
                stats.push((key.to_owned(), value.to_owned()));
                if stats.len() > 1_000 {
                    return Err(garbled(self.server, "statistics without an end"));
                }
            } else if line == "END" || line.contains("ERROR") {
                return Ok(stats);
            } else {
                let shown: String = line.chars().take(60).collect();
                return Err(garbled(self.server, format!("{shown:?} in answer to a greeting")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for recent in
            ["1.6.10", "1.6.18", "1.6.45", "1.7.0", "2.0", "v3-something-of-ours", "mcrouter"]
        {
            assert!(is_recent(recent), "{recent}");
        }
        for old in ["1.6.9", "1.5.22", "1.4", "1.6.9_rc1"] {
            assert!(!is_recent(old), "{old}");
        }
    }
}
