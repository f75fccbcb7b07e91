//! Holding a turn, and ending it.

use std::sync::Arc;
use std::time::Duration;

use dogpile_core::{Held, Result, SetOptions};

use super::stale::{extend_stale, give_up_stale};
use super::{Filling, On, Token};
use crate::backend::{give_back, runs};
use crate::expiry::lease;
use crate::memcached::Memcached;
use crate::meta::{Command, Connection, Mode, Reply, Status};
use crate::random::random;
use crate::server::Server;
use crate::value::{Found, Record};

impl Memcached {
    pub(super) async fn fill_turns(
        &self,
        server: &Arc<Server>,
        connection: Arc<Connection>,
        fillings: &[Filling<'_>],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let mut held = vec![Held::Lost; fillings.len()];
        let ttl = self.ttl(options);
        let mut ours = Vec::with_capacity(fillings.len());
        for (at, filling) in fillings.iter().enumerate() {
            let room = server.room(filling.name);
            let closed = self.settings.values.close(filling.entry, room, random)?;
            let token = Token::of(filling.lease);
            // A lease of an earlier life of the server is lost.
            if token.epoch == connection.epoch {
                self.store_parts(server, &closed, options).await?;
                ours.push((at, filling.name, token, closed));
            }
        }
        if ours.is_empty() {
            return Ok(held);
        }
        let commands: Vec<_> = ours
            .iter()
            .map(|(_, name, token, closed)| Command::Set {
                name,
                value: &closed.item,
                ttl,
                mode: Mode::Cas(self.held.cas(name, *token)),
            })
            .collect();
        let replies = match commands.as_slice() {
            [command] => {
                vec![server.one(Arc::clone(&connection), command).await?.0]
            }
            commands => server.all(Arc::clone(&connection), commands).await?.0,
        };
        for ((at, name, token, closed), reply) in ours.iter().zip(replies) {
            let mut stored = is_done(server, "ms", &reply)?;
            if reply.status == Status::Exists
                && let Some(cas) = self.extended(server, &connection, name, *token).await?
            {
                let mode = Mode::Cas(cas);
                let command = Command::Set { name, value: &closed.item, ttl, mode };
                let again = server.one(Arc::clone(&connection), &command).await?.0;
                stored = is_done(server, "ms", &again)?;
            }
            self.held.ended(name, *token);
            match stored {
                true => held[*at] = Held::Kept,
                false => self.drop_parts(server, closed).await,
            }
        }
        Ok(held)
    }

    pub(super) async fn extend_turn(
        &self,
        server: &Arc<Server>,
        connection: Arc<Connection>,
        name: &[u8],
        token: Token,
        lease_for: Duration,
    ) -> Result<Held> {
        let seconds = lease(lease_for);
        if let On::Stale { .. } = token.on {
            return extend_stale(server, name, token, seconds).await;
        }
        // Written anew, the item gets another `cas`: who waits sees that its holder is alive.
        let value = Record::new(token.cas, lease_for).stored();
        let mut cas = self.held.cas(name, token);
        for _ in 0..2 {
            let mode = Mode::Cas(cas);
            let command = Command::Set { name, value: &value, ttl: seconds, mode };
            let (reply, _) = server.one(Arc::clone(&connection), &command).await?;
            if is_done(server, "ms", &reply)? {
                self.held.extended(name, token, reply.marks.cas, lease_for);
                return Ok(Held::Kept);
            }
            if reply.status != Status::Exists {
                break;
            }
            match self.extended(server, &connection, name, token).await? {
                Some(present) => cas = present,
                None => break,
            }
        }
        self.held.ended(name, token);
        Ok(Held::Lost)
    }

    pub(super) async fn release_turn(
        &self,
        server: &Arc<Server>,
        connection: Arc<Connection>,
        name: &[u8],
        token: Token,
    ) -> Result<Held> {
        if let On::Stale { marked, until } = token.on {
            return give_up_stale(server, connection, name, token.cas, marked, until).await;
        }
        let command = Command::Delete { name, cas: Some(self.held.cas(name, token)) };
        self.held.ended(name, token);
        let (reply, _) = server.one(Arc::clone(&connection), &command).await?;
        if is_done(server, "md", &reply)? {
            return Ok(Held::Kept);
        }
        if reply.status != Status::Exists {
            return Ok(Held::Lost);
        }
        let Some(cas) = self.extended(server, &connection, name, token).await? else {
            return Ok(Held::Lost);
        };
        let command = Command::Delete { name, cas: Some(cas) };
        let (reply, _) = server.one(connection, &command).await?;
        Ok(if is_done(server, "md", &reply)? { Held::Kept } else { Held::Lost })
    }

    /// The present `cas` of a turn that has been extended since it was granted.
    async fn extended(
        &self,
        server: &Arc<Server>,
        connection: &Arc<Connection>,
        name: &[u8],
        token: Token,
    ) -> Result<Option<u64>> {
        if token.on != On::Missing {
            return Ok(None);
        }
        let command = Command::Look { name };
        let (reply, connection) = server.one(Arc::clone(connection), &command).await?;
        let marks = reply.marks;
        give_back(&connection, name, &marks);
        match reply.status {
            Status::Missing => return Ok(None),
            Status::Value => {}
            _ => return Err(server.odd("mg", &reply)),
        }
        Ok(match self.settings.values.found(marks.flags, reply.value) {
            Found::Turn(Some(record)) if record.is_of(token.cas) => Some(marks.cas),
            _ => None,
        })
    }

    pub(super) async fn is_taken(
        &self,
        server: &Arc<Server>,
        connection: Arc<Connection>,
        name: &[u8],
    ) -> Result<bool> {
        let (reply, connection) = server.one(connection, &Command::Look { name }).await?;
        let marks = reply.marks;
        give_back(&connection, name, &marks);
        Ok(match reply.status {
            Status::Missing => false,
            Status::Value => match self.settings.values.found(marks.flags, reply.value) {
                Found::Turn(record) if !marks.stale => marks.taken || record.is_some(),
                _ => runs(&marks) && !marks.won,
            },
            _ => return Err(server.odd("mg", &reply)),
        })
    }
}

/// Whether a command that compares was carried out.
pub(super) fn is_done(server: &Server, asked: &str, reply: &Reply) -> Result<bool> {
    match reply.status {
        Status::Done => Ok(true),
        Status::Exists | Status::NotFound | Status::NotStored => Ok(false),
        _ => Err(server.odd(asked, reply)),
    }
}
