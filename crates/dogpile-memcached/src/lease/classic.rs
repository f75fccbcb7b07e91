//! Leases on servers that keep none: a lock beside each value, made of `add`.
//!
//! It is looser than what the server does by itself. Whether the lock is still its holder's, storing the
//! value, and giving the lock back are three steps; a write that comes between is noticed at the third,
//! and the value that was stored over it is removed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{Age, Answer, Ask, Entry, ErrorKind, Held, Key, Lease, Result, SetOptions};

use super::{Filling, Question};
use crate::classic::{Classic, Swap};
use crate::expiry;
use crate::memcached::Memcached;
use crate::random::random;
use crate::server::Server;
use crate::value::{Found, Stored};

/// How long a lock lasts at least while its value is stored.
const TO_STORE: Duration = Duration::from_secs(5);

impl Memcached {
    pub(super) async fn classic_ask(
        &self,
        server: &Arc<Server>,
        classic: &Classic,
        question: Question<'_>,
    ) -> Result<Answer<Bytes>> {
        let Question { name, ask } = question;
        let lock = self.settings.names.lock(ask.key);
        let mut found = classic.get_many(&[name, &lock]).await?.into_iter();
        let (value, held) = (found.next().flatten(), found.next().flatten().is_some());
        let (age, stale) = self.classic_judge(server, value, ask).await?;
        match (age, stale) {
            (Age::Fresh, Some(entry)) => return Ok(Answer::Fresh(entry)),
            (_, stale) if held => return Ok(Answer::Busy { stale }),
            _ => {}
        }
        let lease = Lease::new(random());
        let seconds = expiry::lease(ask.lease_for);
        let taken = classic.add(&lock, token(lease).as_bytes(), seconds).await?;
        // It may have been created between the first look and the lock.
        let value = classic.get_many(&[name]).await?.pop().flatten();
        let (age, stale) = self.classic_judge(server, value, ask).await?;
        match (age, stale) {
            (Age::Fresh, Some(entry)) => {
                if taken {
                    let _ = self.classic_release(classic, ask.key, lease).await?;
                }
                Ok(Answer::Fresh(entry))
            }
            (_, stale) if taken => Ok(Answer::Create { lease, stale }),
            (_, stale) => Ok(Answer::Busy { stale }),
        }
    }

    /// The entry and how old it is to the asker; none if it is dead.
    async fn classic_judge(
        &self,
        server: &Arc<Server>,
        value: Option<Bytes>,
        ask: &Ask<'_>,
    ) -> Result<(Age, Option<Entry<Bytes>>)> {
        let found = value.map(|value| self.settings.values.found_joined(value));
        let Some(Found::Entry(packed)) = found else { return Ok((Age::Dead, None)) };
        let age = ask.freshness.age(&packed.stamps);
        if age == Age::Dead {
            return Ok((age, None));
        }
        match self.open(server, packed).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok((Age::Dead, None)),
            Err(error) => Err(error),
            Ok(None) => Ok((Age::Dead, None)),
            Ok(entry) => Ok((age, entry)),
        }
    }

    pub(super) async fn classic_fill(
        &self,
        server: &Arc<Server>,
        classic: &Classic,
        filling: Filling<'_>,
        options: &SetOptions,
    ) -> Result<Held> {
        let Filling { key, name, lease, entry } = filling;
        let closed = self.settings.values.close(entry, server.room(name), random)?;
        self.store_parts(server, &closed, options).await?;
        if self.classic_extend(classic, key, lease, TO_STORE).await? == Held::Lost {
            return Ok(Held::Lost);
        }
        classic.set(name, &closed.item.joined(), self.ttl(options)).await?;
        let held = self.classic_release(classic, key, lease).await?;
        if held == Held::Lost {
            classic.delete_many(&[name]).await?;
        }
        Ok(held)
    }

    pub(super) async fn classic_extend(
        &self,
        classic: &Classic,
        key: Key<'_>,
        lease: Lease,
        lease_for: Duration,
    ) -> Result<Held> {
        let lock = self.settings.names.lock(key);
        let ours = token(lease);
        match classic.gets(&lock).await? {
            Some((held, cas)) if held == ours.as_bytes() => {
                let seconds = expiry::lease(lease_for);
                let swap = classic.compare_and_swap(&lock, ours.as_bytes(), cas, seconds).await?;
                Ok(kept(swap))
            }
            _ => Ok(Held::Lost),
        }
    }

    pub(super) async fn classic_release(
        &self,
        classic: &Classic,
        key: Key<'_>,
        lease: Lease,
    ) -> Result<Held> {
        let lock = self.settings.names.lock(key);
        match classic.gets(&lock).await? {
            Some((held, cas)) if held == token(lease).as_bytes() => {
                Ok(kept(classic.compare_and_delete(&lock, cas).await?))
            }
            _ => Ok(Held::Lost),
        }
    }

    pub(super) async fn classic_is_leased(&self, classic: &Classic, key: Key<'_>) -> Result<bool> {
        self.classic_lock_is_held(classic, key).await
    }

    pub(crate) async fn classic_lock_is_held(
        &self,
        classic: &Classic,
        key: Key<'_>,
    ) -> Result<bool> {
        let lock = self.settings.names.lock(key);
        Ok(classic.get_many(&[&lock]).await?.pop().flatten().is_some())
    }

    /// Stores values over what is there, and takes the locks away: before it, and again after it, because
    /// somebody may have taken a lock in between.
    pub(crate) async fn classic_set_many(
        &self,
        classic: &Classic,
        items: &[(Key<'_>, &[u8], &Stored)],
        ttl: u32,
    ) -> Result<()> {
        let locks = self.locks(items.iter().map(|(key, ..)| *key));
        let locks: Vec<&[u8]> = locks.iter().map(Vec::as_slice).collect();
        classic.delete_many(&locks).await?;
        // One after the other: of a key given twice, the last is kept.
        for (_, name, item) in items {
            classic.set(name, &item.joined(), ttl).await?;
        }
        classic.delete_many(&locks).await
    }

    pub(crate) async fn classic_delete_many(
        &self,
        classic: &Classic,
        items: &[(Key<'_>, &[u8])],
    ) -> Result<()> {
        let locks = self.locks(items.iter().map(|(key, _)| *key));
        let locks = locks.iter().map(Vec::as_slice);
        let names = items.iter().map(|(_, name)| *name);
        let all: Vec<&[u8]> = locks.clone().chain(names).chain(locks).collect();
        classic.delete_many(&all).await
    }

    fn locks<'k>(&self, keys: impl Iterator<Item = Key<'k>>) -> Vec<Vec<u8>> {
        keys.map(|key| self.settings.names.lock(key)).collect()
    }
}

fn token(lease: Lease) -> String {
    format!("{:032x}", lease.token())
}

fn kept(swap: Swap) -> Held {
    match swap {
        Swap::Stored => Held::Kept,
        Swap::Changed | Swap::Missing => Held::Lost,
    }
}
