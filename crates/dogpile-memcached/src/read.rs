//! What servers answer to plain reads.

use std::sync::Arc;

use bytes::Bytes;
use dogpile_core::{Entry, Result};

use crate::backend::{WINDOW, give_back};
use crate::memcached::Memcached;
use crate::meta::{Command, Connection, Marks, Reply, Status};
use crate::server::{Line, Server};
use crate::stats::add;
use crate::value::{Found, Manifest, Packed, Parts, Unpacked};

impl Memcached {
    pub(crate) async fn read(
        &self,
        server: &Arc<Server>,
        name: &[u8],
    ) -> Result<Option<Entry<Bytes>>> {
        let found = match server.line().await? {
            Line::Meta(connection) => {
                let (reply, connection) = server.one(connection, &Command::Get { name }).await?;
                if reply.marks.won {
                    give_win_back(server, &connection, name).await?;
                }
                self.unpacked(server, reply)?
            }
            #[cfg(feature = "classic")]
            Line::Classic(classic) => {
                let value = classic.get_many(&[name]).await?.pop().flatten();
                self.unpacked_joined(server, value)?
            }
        };
        match found {
            None => Ok(None),
            Some(Unpacked::Entry(entry)) => Ok(Some(entry)),
            Some(Unpacked::Parts(parts)) => self.gathered(server, &parts).await,
        }
    }

    pub(crate) async fn read_many(
        &self,
        server: &Arc<Server>,
        names: &[&[u8]],
    ) -> Result<Vec<Option<Entry<Bytes>>>> {
        let mut entries = Vec::with_capacity(names.len());
        let mut in_parts = Vec::new();
        let mut add = |found| match found {
            None => entries.push(None),
            Some(Unpacked::Entry(entry)) => entries.push(Some(entry)),
            Some(Unpacked::Parts(parts)) => {
                in_parts.push((entries.len(), parts));
                entries.push(None);
            }
        };
        match server.line().await? {
            Line::Meta(connection) => {
                let commands: Vec<_> = names.iter().map(|name| Command::Get { name }).collect();
                let (replies, connection) = server.all(connection, &commands).await?;
                for (name, reply) in names.iter().zip(replies) {
                    if reply.marks.won {
                        give_win_back(server, &connection, name).await?;
                    }
                    add(self.unpacked(server, reply)?);
                }
            }
            #[cfg(feature = "classic")]
            Line::Classic(classic) => {
                for value in classic.get_many(names).await? {
                    add(self.unpacked_joined(server, value)?);
                }
            }
        }
        for (at, parts) in in_parts {
            entries[at] = self.gathered(server, &parts).await?;
        }
        Ok(entries)
    }

    /// The entry of what was read, with its parts fetched; none if one of them is gone.
    pub(crate) async fn open(
        &self,
        server: &Arc<Server>,
        packed: Packed,
    ) -> Result<Option<Entry<Bytes>>> {
        match self.settings.values.unpack(packed)? {
            Unpacked::Entry(entry) => Ok(Some(entry)),
            Unpacked::Parts(parts) => self.gathered(server, &parts).await,
        }
    }

    fn unpacked(&self, server: &Server, reply: Reply) -> Result<Option<Unpacked>> {
        match reply.status {
            Status::Value => {
                self.of_entry(server, self.settings.values.found(reply.marks.flags, reply.value))
            }
            Status::Missing => Ok(None),
            _ => Err(server.odd("mg", &reply)),
        }
    }

    #[cfg(feature = "classic")]
    fn unpacked_joined(&self, server: &Server, value: Option<Bytes>) -> Result<Option<Unpacked>> {
        match value {
            Some(value) => self.of_entry(server, self.settings.values.found_joined(value)),
            None => Ok(None),
        }
    }

    fn of_entry(&self, server: &Server, found: Found) -> Result<Option<Unpacked>> {
        match found {
            Found::Turn(_) => Ok(None),
            Found::Entry(packed) => self.settings.values.unpack(packed).map(Some),
            Found::Foreign(error) => {
                add(&server.counts.foreign_items, 1);
                Err(error)
            }
        }
    }

    async fn gathered(&self, server: &Arc<Server>, parts: &Parts) -> Result<Option<Entry<Bytes>>> {
        match self.fetch(server, &parts.manifest).await? {
            Some(value) => self.settings.values.joined_parts(parts, value).map(Some),
            None => {
                add(&server.counts.torn_values, 1);
                Ok(None)
            }
        }
    }

    async fn fetch(&self, server: &Arc<Server>, manifest: &Manifest) -> Result<Option<Bytes>> {
        let names: Vec<_> =
            (0..manifest.count()).map(|nth| self.settings.names.part(manifest.id, nth)).collect();
        let mut parts = Vec::with_capacity(names.len());
        for names in names.chunks(WINDOW) {
            let values: Vec<_> = match server.line().await? {
                Line::Meta(connection) => {
                    let commands: Vec<_> = names.iter().map(|name| Command::Get { name }).collect();
                    let (replies, _) = server.all(connection, &commands).await?;
                    replies
                        .into_iter()
                        .map(|reply| (reply.status == Status::Value).then_some(reply.value))
                        .collect()
                }
                #[cfg(feature = "classic")]
                Line::Classic(classic) => {
                    let names: Vec<&[u8]> = names.iter().map(|name| &**name).collect();
                    let values = classic.get_many(&names).await?.into_iter();
                    values.map(|value| value.map(crate::value::Stored::without_flags)).collect()
                }
            };
            for value in values {
                match value {
                    Some(value) => parts.push(value),
                    None => return Ok(None),
                }
            }
        }
        Ok(manifest.join(&parts))
    }
}

/// A plain read took a win that was somebody else's, perhaps.
async fn give_win_back(
    server: &Arc<Server>,
    connection: &Arc<Connection>,
    name: &[u8],
) -> Result<()> {
    let (now, connection) = server.one(Arc::clone(connection), &Command::Which { name }).await?;
    give_back(&connection, name, &Marks { won: true, ..now.marks });
    Ok(())
}
