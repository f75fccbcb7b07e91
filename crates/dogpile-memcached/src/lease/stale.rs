//! Holding a turn on a stale value, and giving it up, so that the value stays for the time that it was
//! to stay.

use std::sync::Arc;

use dogpile_core::{Held, Result};

use super::Token;
use super::hold::is_done;
use crate::backend::give_back;
use crate::error::unavailable;
use crate::expiry::{GRACE, left, stale, to_live};
use crate::meta::{Command, Connection, Marks, Mode, Status};
use crate::server::{Line, Server};
use crate::value::Stored;

/// How often something is tried that others come before.
const ROUNDS: usize = 8;

/// A heartbeat. It touches the item and cannot compare, so it looks before; and what it touched that had
/// come in between gets its time back, whether anybody goes on waiting for this or not.
pub(super) async fn extend_stale(
    server: &Arc<Server>,
    name: &[u8],
    token: Token,
    seconds: u32,
) -> Result<Held> {
    let (server, name) = (Arc::clone(server), Box::<[u8]>::from(name));
    let extended = tokio::spawn(async move { extended(&server, &name, token, seconds).await });
    extended.await.unwrap_or_else(|_| Err(unavailable("the runtime is shutting down")))
}

async fn extended(server: &Arc<Server>, name: &[u8], token: Token, seconds: u32) -> Result<Held> {
    let which = ask(server, &Command::Which { name }, token.epoch).await?;
    let Some((marks, connection)) = which else { return Ok(Held::Lost) };
    give_back(&connection, name, &marks);
    if marks.cas != token.cas {
        return Ok(Held::Lost);
    }
    let touch = Command::Touch { name, ttl: stale(seconds) };
    match ask(server, &touch, token.epoch).await? {
        Some((marks, _)) if marks.cas == token.cas => Ok(Held::Kept),
        Some((marks, _)) => {
            restore(server, name, marks, token.epoch).await;
            Ok(Held::Lost)
        }
        None => Ok(Held::Lost),
    }
}

/// Gives an item the time back that it had before it was touched.
async fn restore(server: &Arc<Server>, name: &[u8], mut seen: Marks, epoch: u32) {
    for _ in 0..ROUNDS {
        let ttl = left(seen.ttl);
        let command = match seen.won {
            true => Command::MarkStale { name, ttl, cas: seen.cas },
            false => Command::Touch { name, ttl },
        };
        match ask(server, &command, epoch).await {
            // This touched the next one, which had a time of its own.
            Ok(Some((marks, _))) if !seen.won && marks.cas != seen.cas => seen = marks,
            Ok(_) => return,
            Err(_) => {}
        }
    }
}

/// What the server says of an item of this life of it; none if it is not there.
async fn ask(
    server: &Arc<Server>,
    command: &Command<'_>,
    epoch: u32,
) -> Result<Option<(Marks, Arc<Connection>)>> {
    let connection = match server.line().await? {
        Line::Meta(connection) if connection.epoch == epoch => connection,
        Line::Meta(_) => return Ok(None),
        #[cfg(feature = "classic")]
        Line::Classic(_) => return Ok(None),
    };
    let (reply, connection) = server.one(connection, command).await?;
    match reply.status {
        Status::Done => Ok(Some((reply.marks, connection))),
        Status::Missing | Status::NotFound | Status::Exists => Ok(None),
        _ => Err(server.odd("mg", &reply)),
    }
}

/// Ends a turn, and leaves the value as it was before: until when it was to stay, and marked stale only
/// if it was.
pub(super) async fn give_up_stale(
    server: &Arc<Server>,
    connection: Arc<Connection>,
    name: &[u8],
    cas: u64,
    marked: bool,
    until: u32,
) -> Result<Held> {
    let held = |done| if done { Held::Kept } else { Held::Lost };
    let Some(ttl) = to_live(until) else {
        let (reply, _) = server.one(connection, &Command::Delete { name, cas: Some(cas) }).await?;
        return is_done(server, "md", &reply).map(held);
    };
    if marked {
        // More than this, and the mark would say that a turn runs.
        let ttl = if ttl == 0 { GRACE } else { ttl.min(GRACE) };
        let (reply, _) = server.one(connection, &Command::MarkStale { name, ttl, cas }).await?;
        return is_done(server, "md", &reply).map(held);
    }
    // The mark goes away only with the item, so the value is stored once more.
    let (reply, connection) = server.one(connection, &Command::Look { name }).await?;
    let marks = reply.marks;
    give_back(&connection, name, &marks);
    match reply.status {
        Status::Value if marks.cas == cas => {}
        Status::Value | Status::Missing => return Ok(Held::Lost),
        _ => return Err(server.odd("mg", &reply)),
    }
    let value = Stored { flags: marks.flags, head: Vec::new(), body: reply.value };
    let set = Command::Set { name, value: &value, ttl, mode: Mode::Cas(cas) };
    let (reply, _) = server.one(connection, &set).await?;
    is_done(server, "ms", &reply).map(held)
}
