//! Numbers that only grow, shared by all processes.

use std::sync::Arc;

use bytes::Bytes;
use dogpile_core::{Counter, Error, Key, Result};

use crate::error::{refused, unavailable};
use crate::memcached::Memcached;
use crate::meta::{Command, Mode, Status};
use crate::server::{Line, Server};
use crate::value::Stored;
use crate::wait::Item;

/// The counters of a fleet: [`Memcached::counter`].
///
/// A counter is an item like any other, in decimal digits. **It may be evicted**, and a server that
/// restarts is empty: then it begins again at zero. A barrier of milliseconds (`at_least` the present
/// time) recovers from that by itself, because time goes on; a number that is only counted does not.
///
/// So shared invalidation may stand on these counters. The generations of sessions begin at the present
/// time, too: they may be kept here where it does no harm that users are logged out by an eviction, and all
/// of them by a restart. `OverCounter` of `cookie-session` says the rest.
#[derive(Clone, Debug)]
pub struct MemcachedCounter(Memcached);

impl Memcached {
    /// Counters on the same servers: what shared invalidation may stand on.
    #[must_use]
    pub fn counter(&self) -> MemcachedCounter {
        MemcachedCounter(self.clone())
    }
}

/// How often a bump is tried that others come before.
const ROUNDS: usize = 10_000;

impl Counter for MemcachedCounter {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        let name = self.0.settings.names.counter(key);
        let server = self.0.fleet.server(&name)?;
        Ok(self.present(server, &name).await?.map_or(0, |(number, _)| number))
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        let name = self.0.settings.names.counter(key);
        let server = self.0.fleet.server(&name)?;
        for _ in 0..ROUNDS {
            let present = self.present(server, &name).await?;
            let number = match present {
                Some((number, _)) => number.checked_add(1).ok_or_else(full)?,
                None => 1,
            };
            let number = number.max(at_least);
            if self.replace(server, &name, present.map(|(_, item)| item), number).await? {
                return Ok(number);
            }
        }
        Err(unavailable("others bump this counter without a pause; try again"))
    }
}

impl MemcachedCounter {
    /// The number, and which item has it.
    async fn present(&self, server: &Arc<Server>, name: &[u8]) -> Result<Option<(u64, Item)>> {
        let (digits, item) = match server.line().await? {
            Line::Meta(connection) => {
                let (reply, connection) = server.one(connection, &Command::Look { name }).await?;
                let item = Item { epoch: connection.epoch, cas: reply.marks.cas };
                match reply.status {
                    Status::Missing => return Ok(None),
                    Status::Value => (reply.value, item),
                    _ => return Err(server.odd("mg", &reply)),
                }
            }
            #[cfg(feature = "classic")]
            Line::Classic(classic) => match classic.gets(name).await? {
                Some((digits, cas)) => (digits, Item { epoch: 0, cas }),
                None => return Ok(None),
            },
        };
        let number =
            std::str::from_utf8(&digits).ok().and_then(|digits| digits.trim_end().parse().ok());
        let number =
            number.ok_or_else(|| refused("the key of the counter holds something else"))?;
        Ok(Some((number, item)))
    }

    /// Stores a number in the place of the one that was read. False if somebody was faster.
    async fn replace(
        &self,
        server: &Arc<Server>,
        name: &[u8],
        item: Option<Item>,
        number: u64,
    ) -> Result<bool> {
        let digits = number.to_string();
        let cas = item.map(|item| item.cas);
        match server.line().await? {
            // The `cas` was that of an earlier life of the server.
            Line::Meta(connection) if item.is_some_and(|item| item.epoch != connection.epoch) => {
                Ok(false)
            }
            Line::Meta(connection) => {
                let value = Stored { flags: 0, head: Vec::new(), body: Bytes::from(digits) };
                let mode = cas.map_or(Mode::Add, Mode::Cas);
                let command = Command::Set { name, value: &value, ttl: 0, mode };
                let (reply, _) = server.one(connection, &command).await?;
                match reply.status {
                    Status::Done => Ok(true),
                    Status::Exists | Status::NotFound | Status::NotStored => Ok(false),
                    _ => Err(server.odd("ms", &reply)),
                }
            }
            #[cfg(feature = "classic")]
            Line::Classic(classic) => match cas {
                None => classic.add(name, digits.as_bytes(), 0).await,
                Some(cas) => {
                    let swap = classic.compare_and_swap(name, digits.as_bytes(), cas, 0).await?;
                    Ok(swap == crate::classic::Swap::Stored)
                }
            },
        }
    }
}

fn full() -> Error {
    refused("the counter cannot grow further: it is at 2^64 - 1")
}
