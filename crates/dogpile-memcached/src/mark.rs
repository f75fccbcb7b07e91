//! Marking entries as stale.

use std::sync::Arc;

use dogpile_core::{Key, Result};

use crate::error::unavailable;
use crate::expiry::GRACE;
use crate::fleet::at_once;
use crate::memcached::Memcached;
use crate::meta::{Command, Connection, Status};
use crate::server::{Line, Server};

/// How often a key is looked at that others change meanwhile.
const ROUNDS: usize = 100;

impl Memcached {
    /// Marks entries as stale, whatever their age: the next that asks creates the value anew, and until
    /// then the others get the old one, as if it were fresh: also those that would rather wait.
    ///
    /// The old value stays for as long as it was to stay, and for an hour at most. A region's own
    /// invalidation needs no round trip and no list of keys; this is for programs that know the keys and
    /// share no clock. It ends a creation that was running. A key that is not there is no error.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](dogpile_core::ErrorKind::Refused) for servers without the meta protocol,
    /// which know no such mark, and what a server that is down fails with.
    #[cfg_attr(
        not(feature = "classic"),
        expect(clippy::infallible_destructuring_match, reason = "there is but one kind of line")
    )]
    pub async fn mark_stale(&self, keys: &[Key<'_>]) -> Result<()> {
        let names: Vec<_> = keys.iter().map(|key| self.name(*key)).collect();
        let groups = self.fleet.grouped(names.iter().map(|name| &**name))?;
        let marks = groups.iter().map(|(server, places)| async {
            let connection = match server.line().await? {
                Line::Meta(connection) => connection,
                #[cfg(feature = "classic")]
                Line::Classic(_) => {
                    return Err(crate::error::refused(format!(
                        "{} has no meta commands, and cannot mark an entry as stale: delete it",
                        server.name
                    )));
                }
            };
            mark(server, connection, places.iter().map(|place| &*names[*place]).collect()).await
        });
        at_once(marks.collect()).await.into_iter().collect()
    }
}

/// Looks how long each item has left, and marks that very item.
async fn mark(
    server: &Arc<Server>,
    mut connection: Arc<Connection>,
    mut names: Vec<&[u8]>,
) -> Result<()> {
    for _ in 0..ROUNDS {
        let commands: Vec<_> = names.iter().map(|name| Command::Which { name }).collect();
        let replies;
        (replies, connection) = server.all(connection, &commands).await?;
        let mut marks = Vec::with_capacity(names.len());
        for (name, reply) in names.iter().zip(&replies) {
            let left = reply.marks.ttl.and_then(|left| u32::try_from(left).ok()).unwrap_or(GRACE);
            match reply.status {
                // An item without a mark has no end of its turn to be told by a longer time.
                Status::Done => marks.push(Command::MarkStale {
                    name,
                    ttl: left.clamp(1, GRACE),
                    cas: reply.marks.cas,
                }),
                Status::Missing => {}
                _ => return Err(server.odd("mg", reply)),
            }
        }
        if marks.is_empty() {
            return Ok(());
        }
        let replies;
        (replies, connection) = server.all(connection, &marks).await?;
        names.clear();
        for (mark, reply) in marks.iter().zip(&replies) {
            match (mark, reply.status) {
                (_, Status::Done | Status::NotFound) => {}
                // Another has come in between.
                (Command::MarkStale { name, .. }, Status::Exists) => names.push(name),
                _ => return Err(server.odd("md", reply)),
            }
        }
        if names.is_empty() {
            return Ok(());
        }
    }
    Err(unavailable("others change these keys without a pause; try again"))
}
