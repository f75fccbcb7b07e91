//! Reading and writing entries.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{Backend, Clock, Entry, Key, Result, SetOptions, SystemClock, Timestamp};
use redis::Value;

use crate::error::refused;
use crate::layout::{Fields, Plain, Stored, bytes, check_size, is_marker, list, millis};
use crate::redis::Redis;
use crate::stats::add;
use crate::wire::Request;

/// Where an entry is kept.
#[derive(Debug)]
pub(crate) enum Place<'k> {
    Plain(Plain<'k>),
    Field(Fields, &'k [u8]),
}

impl Redis {
    pub(crate) fn place<'k>(&'k self, key: Key<'k>) -> Place<'k> {
        match key.group() {
            None => Place::Plain(self.plain(key)),
            Some(group) => Place::Field(self.fields(group), key.as_bytes()),
        }
    }

    fn plain<'k>(&'k self, key: Key<'k>) -> Plain<'k> {
        Plain::new(key.as_bytes(), &self.settings.names, &self.wire)
    }

    pub(crate) fn fields(&self, group: &[u8]) -> Fields {
        Fields::new(group, &self.settings.names, &self.wire)
    }

    pub(crate) fn opened(
        &self,
        stored: Option<Bytes>,
        now: Timestamp,
    ) -> Result<Option<Entry<Bytes>>> {
        stored.map(|stored| self.settings.envelope.decode(stored, now)).transpose()
    }

    /// What is stored of an entry, and for how many milliseconds the server has to keep it.
    pub(crate) fn closed(
        &self,
        entry: &Entry<Bytes>,
        options: &SetOptions,
    ) -> Result<(Bytes, Option<u64>)> {
        let stored = self.settings.envelope.encode(entry)?;
        check_size(&stored)?;
        let asked = options.keep_for().or(self.settings.keep_for);
        let keep = match entry.expires {
            Timestamp::MAX => asked,
            _ if self.settings.envelope.has_expires() => asked,
            // It cannot be told that it is stale, so it has to go.
            expires => {
                let left = expires.since(SystemClock.now());
                Some(asked.unwrap_or(Duration::MAX).min(left))
            }
        };
        Ok((stored, keep.and_then(millis)))
    }

    /// Asks the server once whether it can let fields expire, where some have to.
    ///
    /// A script that calls what the server does not know has done half of its work.
    pub(crate) async fn check_field_expiry<'s>(
        &self,
        mut items: impl Iterator<Item = &'s Stored>,
    ) -> Result<()> {
        if !items.any(Stored::expires) {
            return Ok(());
        }
        if self.wire.lets_fields_expire().await? {
            return Ok(());
        }
        Err(refused(
            "the server cannot let fields of a hash expire: that takes Redis 7.4 or Valkey 9; \
             leave `with_field_expiry` out",
        ))
    }

    pub(crate) fn in_group(&self, (stored, keep_ms): (Bytes, Option<u64>)) -> Stored {
        let keep_ms = keep_ms.filter(|_| self.settings.field_expiry);
        let stored = Stored::new(stored, self.settings.inline_limit, keep_ms);
        if stored.is_outside() {
            add(&self.wire.counts.large_values, 1);
        }
        stored
    }

    async fn read(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        let stored = match self.place(key) {
            Place::Plain(plain) => bytes(self.wire.one(plain.get()).await?)?,
            Place::Field(fields, field) => {
                let stored = bytes(self.wire.one(fields.get(field)).await?)?;
                self.unmarked(&fields, field, stored).await?
            }
        };
        self.opened(stored, SystemClock.now())
    }

    /// The value of a field, which may be kept outside of the hash.
    pub(crate) async fn unmarked(
        &self,
        fields: &Fields,
        field: &[u8],
        stored: Option<Bytes>,
    ) -> Result<Option<Bytes>> {
        if !stored.as_deref().is_some_and(is_marker) {
            return Ok(stored);
        }
        Box::pin(self.outside(fields, field, stored)).await
    }

    async fn outside(
        &self,
        fields: &Fields,
        field: &[u8],
        mut stored: Option<Bytes>,
    ) -> Result<Option<Bytes>> {
        for _ in 0..3 {
            if !stored.as_deref().is_some_and(is_marker) {
                return Ok(stored);
            }
            if let Some(large) = bytes(self.wire.one(fields.get_large(field)).await?)? {
                return Ok(Some(large));
            }
            let again = bytes(self.wire.one(fields.get(field)).await?)?;
            if again == stored {
                // The server has evicted the large one.
                return Ok(None);
            }
            // It was written again between the two reads.
            stored = again;
        }
        Ok(None)
    }

    /// What is stored under many keys, in their order: one round trip, and one more if some are large.
    pub(crate) async fn read_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Bytes>>> {
        let mut found: Vec<Option<Bytes>> = vec![None; keys.len()];
        let (mut plain, mut groups) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for (at, key) in keys.iter().enumerate() {
            match key.group() {
                Some(group) => groups.entry(group).or_default().push(at),
                None => {
                    let place = self.plain(*key);
                    plain.entry(place.part()).or_default().push((at, place));
                }
            }
        }
        let groups: Vec<_> =
            groups.into_iter().map(|(group, places)| (self.fields(group), places)).collect();
        let asked_plain = plain
            .values()
            .map(|some| Plain::get_many(&some.iter().map(|(_, place)| place).collect::<Vec<_>>()));
        let asked_fields = groups.iter().map(|(fields, places)| {
            fields.get_many(&places.iter().map(|at| keys[*at].as_bytes()).collect::<Vec<_>>())
        });
        let requests: Vec<Request> = asked_plain.chain(asked_fields).collect();
        let mut replies = self.wire.all(&requests).await.into_iter();
        let mut fill = |places: Vec<usize>, reply: Option<Result<Value>>| -> Result<()> {
            let Some(reply) = reply else { return Ok(()) };
            for (at, value) in places.iter().zip(list(reply?, places.len())?) {
                found[*at] = bytes(value)?;
            }
            Ok(())
        };
        for some in plain.values() {
            fill(some.iter().map(|(at, _)| *at).collect(), replies.next())?;
        }
        for (_, places) in &groups {
            fill(places.clone(), replies.next())?;
        }
        self.fetch_large(keys, &groups, &mut found).await?;
        Ok(found)
    }

    /// Puts large values in the place of their marks.
    async fn fetch_large(
        &self,
        keys: &[Key<'_>],
        groups: &[(Fields, Vec<usize>)],
        found: &mut [Option<Bytes>],
    ) -> Result<()> {
        let is_marked = |stored: &Option<Bytes>| stored.as_deref().is_some_and(is_marker);
        let mut marked: Vec<_> = groups
            .iter()
            .flat_map(|(fields, places)| places.iter().map(move |at| (fields, *at)))
            .filter(|(_, at)| is_marked(&found[*at]))
            .collect();
        for _ in 0..3 {
            let asked = marked.iter().map(|(fields, at)| fields.get_large(keys[*at].as_bytes()));
            let large = self.replies(asked.collect()).await?;
            let mut gone = Vec::new();
            for ((fields, at), large) in marked.into_iter().zip(large) {
                match large {
                    Some(_) => found[at] = large,
                    None => gone.push((fields, at)),
                }
            }
            // They were written again between the two reads, or the server has evicted them.
            let asked = gone.iter().map(|(fields, at)| fields.get(keys[*at].as_bytes()));
            let again = self.replies(asked.collect()).await?;
            for ((_, at), again) in gone.iter().zip(again) {
                found[*at] = if again == found[*at] { None } else { again };
            }
            gone.retain(|(_, at)| is_marked(&found[*at]));
            marked = gone;
        }
        marked.into_iter().for_each(|(_, at)| found[at] = None);
        Ok(())
    }

    async fn replies(&self, asked: Vec<Request>) -> Result<Vec<Option<Bytes>>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        self.wire.all(&asked).await.into_iter().map(|reply| bytes(reply?)).collect()
    }
}

impl Backend for Redis {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        // Boxed, so that who asks for a lease, and reads with it, carries no plain read.
        Box::pin(self.read(key)).await
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let now = SystemClock.now();
        let found = self.read_many(keys).await?;
        found.into_iter().map(|stored| self.opened(stored, now)).collect()
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        let publish = self.wire.publish();
        // The last entry of a name alone, in case the server forgets a script between two commands: what
        // is sent again would come after what was sent after it.
        let (mut plain, mut groups) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        for (key, entry) in items {
            let closed = self.closed(entry, options)?;
            match key.group() {
                Some(group) => {
                    groups.entry(group).or_default().push((key.as_bytes(), self.in_group(closed)));
                }
                None => _ = plain.insert(key.as_bytes(), (self.plain(*key), closed)),
            }
        }
        self.check_field_expiry(groups.values().flatten().map(|(_, stored)| stored)).await?;
        let mut requests: Vec<_> = plain
            .values()
            .map(|(plain, (stored, keep_ms))| plain.store("", stored, *keep_ms, publish))
            .collect();
        for (group, items) in groups {
            let items: Vec<_> = items.iter().map(|(field, stored)| ("", *field, stored)).collect();
            requests.push(self.fields(group).store(self.settings.group_expiry, publish, &items));
        }
        self.done(requests).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let publish = self.wire.publish();
        let (mut requests, mut groups) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for key in keys {
            match key.group() {
                Some(group) => groups.entry(group).or_default().push(key.as_bytes()),
                None => requests.push(self.plain(*key).remove(publish)),
            }
        }
        for (group, fields) in groups {
            requests.push(self.fields(group).remove(publish, &fields));
        }
        self.done(requests).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        let request = self.fields(group).remove_all(self.wire.publish());
        self.wire.one(request).await.map(|_| ())
    }
}

impl Redis {
    /// Sends all of these, and answers the first failure.
    async fn done(&self, requests: Vec<Request>) -> Result<()> {
        if requests.is_empty() {
            return Ok(());
        }
        self.wire.all(&requests).await.into_iter().try_for_each(|reply| reply.map(|_| ()))
    }
}
