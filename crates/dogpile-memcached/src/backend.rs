//! Reading and writing entries.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use dogpile_core::{Backend, Entry, Key, Result, SetOptions};

use crate::error::refused;
use crate::expiry::{GRACE, left, ttl};
use crate::fleet::{at_once, in_order};
use crate::memcached::{Memcached, WhenDown, is_down};
use crate::meta::{Command, Connection, Marks, Mode, Status};
use crate::random::random;
use crate::server::{Line, Server};
use crate::stats::add;
use crate::value::Closed;

/// How many parts of a value are on their way at once, so that others are not held up for long.
pub(crate) const WINDOW: usize = 16;

impl Backend for Memcached {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        let name = self.name(key);
        let server = self.fleet.server(&name)?;
        match self.read(server, &name).await {
            Err(error) if is_down(&error) && self.settings.when_down == WhenDown::Miss => Ok(None),
            entry => entry,
        }
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        let names: Vec<_> = keys.iter().map(|key| self.name(*key)).collect();
        let groups = self.fleet.grouped(names.iter().map(|name| &**name))?;
        let reads = groups.iter().map(|(server, places)| async {
            let names: Vec<&[u8]> = places.iter().map(|place| &*names[*place]).collect();
            self.read_many(server, &names).await
        });
        let answers = at_once(reads.collect()).await;
        let forgiven = self.settings.when_down == WhenDown::Miss;
        in_order(keys.len(), &groups, answers, forgiven, || None)
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        let names: Vec<_> = items.iter().map(|(key, _)| self.name(*key)).collect();
        let groups = self.fleet.grouped(names.iter().map(|name| &**name))?;
        let writes = groups.iter().map(|(server, places)| async {
            let items: Vec<_> = places
                .iter()
                .map(|place| (items[*place].0, &*names[*place], &items[*place].1))
                .collect();
            self.write_many(server, &items, options).await
        });
        at_once(writes.collect()).await.into_iter().collect()
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let names: Vec<_> = keys.iter().map(|key| self.name(*key)).collect();
        let groups = self.fleet.grouped(names.iter().map(|name| &**name))?;
        let deletes = groups.iter().map(|(server, places)| async {
            match server.line().await? {
                Line::Meta(connection) => {
                    let delete =
                        |place: &usize| Command::Delete { name: &names[*place], cas: None };
                    let commands: Vec<_> = places.iter().map(delete).collect();
                    let (replies, _) = server.all(connection, &commands).await?;
                    replies.iter().try_for_each(|reply| match reply.status {
                        Status::Done | Status::NotFound => Ok(()),
                        _ => Err(server.odd("md", reply)),
                    })
                }
                #[cfg(feature = "classic")]
                Line::Classic(classic) => {
                    let items: Vec<_> =
                        places.iter().map(|place| (keys[*place], &*names[*place])).collect();
                    self.classic_delete_many(&classic, &items).await
                }
            }
        });
        at_once(deletes.collect()).await.into_iter().collect()
    }

    async fn delete_group(&self, _: &[u8]) -> Result<()> {
        Err(refused(
            "memcached cannot tell which keys are of a group: delete them by name, or let a \
             region's invalidation of the group outdate them",
        ))
    }
}

impl Memcached {
    pub(crate) fn name<'k>(&self, key: Key<'k>) -> Cow<'k, [u8]> {
        self.settings.names.value(key)
    }

    /// Stores entries of one server, each over what was there.
    async fn write_many(
        &self,
        server: &Arc<Server>,
        items: &[(Key<'_>, &[u8], &Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        let line = server.line().await?;
        let closed = items
            .iter()
            .map(|(_, name, entry)| self.settings.values.close(entry, server.room(name), random))
            .collect::<Result<Vec<_>>>()?;
        let ttl = self.ttl(options);
        for closed in &closed {
            self.store_parts(server, closed, options).await?;
        }
        match line {
            Line::Meta(connection) => {
                let commands: Vec<_> = items
                    .iter()
                    .zip(&closed)
                    .map(|((_, name, _), closed)| Command::Set {
                        name,
                        value: &closed.item,
                        ttl,
                        mode: Mode::Always,
                    })
                    .collect();
                let (replies, _) = server.all(connection, &commands).await?;
                replies.iter().try_for_each(|reply| match reply.status {
                    Status::Done => Ok(()),
                    _ => Err(server.odd("ms", reply)),
                })
            }
            #[cfg(feature = "classic")]
            Line::Classic(classic) => {
                let items: Vec<_> = items
                    .iter()
                    .zip(&closed)
                    .map(|((key, name, _), closed)| (*key, *name, &closed.item))
                    .collect();
                self.classic_set_many(&classic, &items, ttl).await
            }
        }
    }

    /// The time to live of an item that is written with these options.
    pub(crate) fn ttl(&self, options: &SetOptions) -> u32 {
        ttl(options.keep_for().or(self.settings.keep_for))
    }

    /// Stores the parts of a value that was split, before anybody can look for them.
    pub(crate) async fn store_parts(
        &self,
        server: &Arc<Server>,
        closed: &Closed,
        options: &SetOptions,
    ) -> Result<()> {
        let Some((id, parts)) = &closed.parts else { return Ok(()) };
        add(&server.counts.split_values, 1);
        let ttl = self.ttl(options);
        let named: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(nth, part)| (self.settings.names.part(*id, nth), part))
            .collect();
        for some in named.chunks(WINDOW) {
            match server.line().await? {
                Line::Meta(connection) => {
                    let commands: Vec<_> = some
                        .iter()
                        .map(|(name, value)| Command::Set { name, value, ttl, mode: Mode::Always })
                        .collect();
                    let (replies, _) = server.all(connection, &commands).await?;
                    replies.iter().try_for_each(|reply| match reply.status {
                        Status::Done => Ok(()),
                        _ => Err(server.odd("ms", reply)),
                    })?;
                }
                #[cfg(feature = "classic")]
                Line::Classic(classic) => {
                    for (name, value) in some {
                        classic.set(name, &value.joined(), ttl).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes the parts of a value that was not stored after all.
    pub(crate) async fn drop_parts(&self, server: &Arc<Server>, closed: &Closed) {
        let Some((id, parts)) = &closed.parts else { return };
        // They expire or are evicted, if this comes to nothing.
        if let Ok(Line::Meta(connection)) = server.line().await {
            let names: Vec<_> =
                (0..parts.len()).map(|nth| self.settings.names.part(*id, nth)).collect();
            let commands: Vec<_> =
                names.iter().map(|name| Command::Delete { name, cas: None }).collect();
            connection.send(&commands);
        }
    }
}

/// Gives back a turn that a reader took who does not want it.
///
/// Whoever reads an item that is marked stale gets the win. That matters while somebody is at taking a
/// turn: between marking the item and reading it.
pub(crate) fn give_back(connection: &Connection, name: &[u8], marks: &Marks) {
    if marks.won && runs(marks) {
        let ttl = left(marks.ttl);
        connection.send(&[Command::MarkStale { name, ttl, cas: marks.cas }]);
    }
}

/// Whether the time that is left of a stale item says that somebody's turn runs.
pub(crate) fn runs(marks: &Marks) -> bool {
    marks.stale && marks.ttl.is_some_and(|left| left > u64::from(GRACE))
}
