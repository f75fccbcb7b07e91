//! The classic commands, for servers without the meta protocol (before 1.6): `memcache-async` behind a
//! guard.
//!
//! As it comes, that crate trusts its callers and its server. What it leaves to others is done here:
//!
//! | left as it is | what would happen | here |
//! |---|---|---|
//! | a call that is dropped | the next call is given its answer | the connection is dropped with the call |
//! | a connection that its server ended | the next call fails | it is not lent |
//! | keys | a space or a line break in a key is a command | [`checked_key`], before a connection is taken |
//! | `set` and `delete` | nobody learns what became of them | a second command whose answer tells |
//! | sizes | the server drops the new value, and the old one | refused before anything is sent |
//! | a length in a reply | so much memory is allocated | [`Replies`] lets no such line pass |
//! | `cas` of a missing key | an error like any other | [`Swap::Missing`] |
//!
//! What it has not, this has not: client flags are always zero and never seen, an item cannot be
//! touched, and one connection carries one call at a time.

mod pool;
mod replies;
mod watched;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{Error, ErrorKind, Result};
use tokio::time::timeout;

pub(crate) use self::pool::{BoxStream, Open};
use self::pool::{Pool, Reply};

/// The longest key that a server takes.
const LONGEST_KEY: usize = 250;

/// A moment in 1970, as an expiry: an item that has it is gone when it arrives.
pub(crate) const LONG_AGO: u32 = 30 * 24 * 3600 + 1;

/// How often a value is sent whose key is missing right after it was set.
const SET_AT_MOST: usize = 3;

/// One server, by its classic commands.
///
/// Expiries are in seconds as the server takes them: 0 is never, and more than 30 days is a moment in
/// Unix time. Keys are text without spaces and control characters; see [`checked_key`].
#[derive(Debug)]
pub(crate) struct Classic {
    pool: Pool,
    limits: Limits,
}

/// What a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many calls may be under way at once, each on a connection of its own.
    pub(crate) connections: usize,
    /// The most bytes that a key and its value may have together.
    pub(crate) item: usize,
    /// The most bytes that a value in a reply may have.
    pub(crate) largest: usize,
    /// The most time for a call, with connecting and with waiting for a connection.
    pub(crate) response_timeout: Duration,
}

/// What became of a [compare-and-swap](Classic::compare_and_swap).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Swap {
    /// The new value is there.
    Stored,
    /// The item is not the one that was compared with; it is left alone.
    Changed,
    /// There is no item.
    Missing,
}

impl Classic {
    pub(crate) fn new(open: impl Open + 'static, limits: Limits) -> Self {
        Self { pool: Pool::new(open, limits), limits }
    }

    /// The values under many keys, in one round trip.
    pub(crate) async fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        let keys = keys.iter().map(|key| checked_key(key)).collect::<Result<Vec<&str>>>()?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let read = || async {
            let mut connection = self.pool.lend().await?;
            let answer = connection.get_multi(&keys).await;
            let found = match connection.settle(answer)? {
                Reply::Done(found) => found,
                Reply::Missing | Reply::Exists => HashMap::new(),
            };
            // Of a key that is asked for twice, the answers share their bytes.
            let found = found.into_iter().map(|(key, value)| (key, Bytes::from(value)));
            let found: HashMap<String, Bytes> = found.collect();
            Ok(keys.iter().map(|&key| found.get(key).cloned()).collect())
        };
        self.in_time(twice(read)).await
    }

    /// A value, and the number that changes whenever the item does.
    pub(crate) async fn gets(&self, key: &[u8]) -> Result<Option<(Bytes, u64)>> {
        let key = checked_key(key)?;
        let read = || async {
            let mut connection = self.pool.lend().await?;
            let answer = connection.gets_cas(key).await;
            match connection.settle(answer)? {
                Reply::Done((value, cas)) => Ok(Some((value.into(), cas))),
                Reply::Missing | Reply::Exists => Ok(None),
            }
        };
        self.in_time(twice(read)).await
    }

    /// Stores a value over what is there.
    ///
    /// `memcache-async` sends every `set` with `noreply`, and then even a server that has no room says
    /// nothing. So an `add` of an item that is long expired follows, in the same round trip: it is
    /// refused exactly if the key has an item, and changes nothing that anybody sees. A key that has
    /// none was either refused, or deleted by somebody else in between; so it is set again, and only
    /// then an error.
    pub(crate) async fn set(&self, key: &[u8], value: &[u8], expiry: u32) -> Result<()> {
        let key = self.checked(key, value)?;
        let write = async {
            for _ in 0..SET_AT_MOST {
                let mut connection = self.pool.lend().await?;
                let mut answer = connection.set(key, value, expiry).await;
                if answer.is_ok() {
                    answer = connection.add(key, b"", LONG_AGO).await;
                }
                // Any other answer may be to the `set`, by a server that ignores `noreply`: then this
                // connection is not for the next call.
                if answer.is_err() {
                    return connection.settle(answer).map(drop);
                }
            }
            Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "{:?} did not keep a value of {} bytes: its memory is full, or its item limit is \
                     less than {} bytes",
                    self.pool,
                    value.len(),
                    self.limits.item
                ),
            ))
        };
        self.in_time(write).await
    }

    /// Stores a value where there is none. Whether there was none.
    pub(crate) async fn add(&self, key: &[u8], value: &[u8], expiry: u32) -> Result<bool> {
        let key = self.checked(key, value)?;
        let write = async {
            let mut connection = self.pool.lend().await?;
            let answer = connection.add(key, value, expiry).await;
            Ok(matches!(connection.settle(answer)?, Reply::Done(())))
        };
        self.in_time(write).await
    }

    /// Stores a value over the very item that [`gets`](Self::gets) read. With an expiry that is long
    /// past, it deletes that item.
    pub(crate) async fn compare_and_swap(
        &self,
        key: &[u8],
        value: &[u8],
        cas: u64,
        expiry: u32,
    ) -> Result<Swap> {
        let key = self.checked(key, value)?;
        let write = async {
            let mut connection = self.pool.lend().await?;
            let answer = match connection.cas(key, value, cas, expiry).await {
                // The crate looks for `NOT FOUND`, which no server says.
                Err(error) if error.to_string() == "NOT_FOUND\r\n" => {
                    Err(io::ErrorKind::NotFound.into())
                }
                answer => answer,
            };
            Ok(match connection.settle(answer)? {
                Reply::Done(true) => Swap::Stored,
                Reply::Done(false) | Reply::Exists => Swap::Changed,
                Reply::Missing => Swap::Missing,
            })
        };
        self.in_time(write).await
    }

    /// Deletes the very item that [`gets`](Self::gets) read.
    pub(crate) async fn compare_and_delete(&self, key: &[u8], cas: u64) -> Result<Swap> {
        self.compare_and_swap(key, b"", cas, LONG_AGO).await
    }

    /// Deletes items, where there are any, in one round trip. When it returns, the server has done it.
    pub(crate) async fn delete_many(&self, keys: &[&[u8]]) -> Result<()> {
        let keys = keys.iter().map(|key| checked_key(key)).collect::<Result<Vec<&str>>>()?;
        let write = || async {
            let mut connection = self.pool.lend().await?;
            let deleted = async {
                for key in &keys {
                    connection.delete(key).await?;
                }
                // The reply to a `delete` that failed would come before this one.
                connection.version().await
            };
            let answer = deleted.await;
            connection.settle(answer).map(drop)
        };
        self.in_time(twice(write)).await
    }

    fn checked<'k>(&self, key: &'k [u8], value: &[u8]) -> Result<&'k str> {
        let key = checked_key(key)?;
        let size = key.len() + value.len();
        if size > self.limits.item {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "a value of {} bytes with its key of {} is more than the {} bytes that {:?} keeps",
                    value.len(),
                    key.len(),
                    self.limits.item,
                    self.pool
                ),
            ));
        }
        Ok(key)
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let most = self.limits.response_timeout;
        timeout(most, call).await.unwrap_or_else(|_| {
            let what = format!("{:?} did not answer within {most:?}", self.pool);
            Err(Error::new(ErrorKind::TimedOut, what))
        })
    }
}

/// A key that cannot be taken for anything but a key.
pub(crate) fn checked_key(key: &[u8]) -> Result<&str> {
    let what = match std::str::from_utf8(key) {
        _ if key.is_empty() => "is empty",
        _ if key.len() > LONGEST_KEY => "is longer than 250 bytes",
        _ if key.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) => {
            "has a space or a control character"
        }
        Ok(key) => return Ok(key),
        Err(_) => "is not UTF-8",
    };
    let shown = dogpile_core::Key::name(&key[..key.len().min(LONGEST_KEY)]);
    Err(Error::new(
        ErrorKind::Refused,
        format!("the key `{shown}` {what}: encode or hash it first"),
    ))
}

/// Once more on a connection that is made for it, if the one that was used turns out to be gone: for what
/// only reads, and for what deletes, because a deletion that is done twice is one and an eviction.
async fn twice<T, F: Future<Output = Result<T>>>(mut call: impl FnMut() -> F) -> Result<T> {
    match call().await {
        Err(error) if error.kind() == ErrorKind::Unavailable => call().await,
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_at_both_ends_of_everything() {
        let longest = "k".repeat(250);
        for good in ["a", "!", "~", "\u{e9}", "\u{a0}", &longest] {
            assert_eq!(checked_key(good.as_bytes()).unwrap(), good);
        }
        let longer = "k".repeat(251);
        let bad: [&[u8]; 9] = [
            b"",
            b" ",
            b"a b",
            b"a\r\nflush_all",
            b"a\0",
            b"\x7f",
            b"\x1f",
            b"\xff",
            longer.as_bytes(),
        ];
        for bad in bad {
            let error = checked_key(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
