//! Reading a whole group, and decoding only what is touched.

use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;
use dogpile_core::{Age, Clock, Codec, Entry, Key, Policy, Result, SystemClock, Timestamp, ToKey};
use foldhash::fast::RandomState;
use redis::Value;

use crate::envelope::Envelope;
use crate::error::unexpected;
use crate::layout::{bytes, is_marker};
use crate::redis::Redis;

/// The fields of a group as they were stored, all of them read in one round trip.
///
/// Nothing is decoded until it is asked for, so a page that shows ten of a thousand fields pays for
/// ten. Each call decodes anew.
///
/// It is read past the region: a prefix, a mangler, a version and the invalidations of the region do
/// not apply. Name the group as the region does, its prefix in front, and say by the policy what is
/// fresh.
///
/// ```no_run
/// use dogpile_cache::codec::MsgPack;
/// use dogpile_core::Policy;
/// use dogpile_redis::Redis;
/// use std::time::Duration;
///
/// # async fn example(redis: Redis) -> dogpile_core::Result<()> {
/// let users = redis.read_group("users").await?;
/// let recent = Policy::new().with_fresh_for(Some(Duration::from_secs(300)));
///
/// // What a region with the key `Field("users", 15)`, this expiry and this codec stored.
/// let user: Option<String> = users.value(15, &recent, &MsgPack)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Group {
    /// Where the value of each field is.
    fields: HashMap<Vec<u8>, usize, RandomState>,
    /// In the order in which they came: memory is given back sooner in the order in which it was taken.
    values: Vec<Bytes>,
    envelope: Envelope,
    read: Timestamp,
}

impl Redis {
    /// Reads every field of a group.
    ///
    /// # Errors
    /// What the server fails with, and [`ErrorKind::Refused`](dogpile_core::ErrorKind::Refused) where
    /// the key of the group holds something else.
    pub async fn read_group(&self, group: impl AsRef<[u8]>) -> Result<Group> {
        let requests = self.fields(group.as_ref()).get_all();
        let mut replies = self.wire.all(&requests).await.into_iter();
        let mut next = || replies.next().unwrap_or(Ok(Value::Nil));
        let (inside, outside) = (pairs(next()?)?, pairs(next()?)?);
        let mut fields = HashMap::with_capacity_and_hasher(inside.len(), RandomState::default());
        let mut values = Vec::with_capacity(inside.len());
        for (field, stored) in inside {
            if let (Value::BulkString(field), Some(stored)) = (field, bytes(stored)?) {
                fields.insert(field, values.len());
                values.push(stored);
            }
        }
        for (field, stored) in outside {
            let (Value::BulkString(field), Some(stored)) = (field, bytes(stored)?) else {
                continue;
            };
            if let Some(at) = fields.get(&field).filter(|at| is_marker(&values[**at])) {
                values[*at] = stored;
            }
        }
        if values.iter().any(|stored| is_marker(stored)) {
            // Written again between the two reads, or the server has evicted the large ones.
            let marked: Vec<_> = fields.iter().filter(|(_, at)| is_marker(&values[**at])).collect();
            let group = group.as_ref();
            let keys: Vec<_> = marked.iter().map(|(field, _)| Key::field(group, *field)).collect();
            for ((_, at), found) in marked.into_iter().zip(Box::pin(self.read_many(&keys)).await?) {
                values[*at] = found.unwrap_or_else(|| values[*at].clone());
            }
            fields.retain(|_, at| !is_marker(&values[*at]));
        }
        let envelope = self.settings.envelope.clone();
        Ok(Group { fields, values, envelope, read: SystemClock.now() })
    }
}

impl Group {
    /// How many fields there are, stale ones among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none, which is so too where there is no such group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The names of the fields, in no order.
    pub fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.keys().map(Vec::as_slice)
    }

    /// The entry of a field, fresh or not, its value as the codec made it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](dogpile_core::ErrorKind::Corrupt) for bytes that are no entry.
    pub fn entry(&self, field: impl ToKey) -> Result<Option<Entry<Bytes>>> {
        let key = field.to_key();
        let at = self.fields.get(name(key.as_key()));
        at.map(|at| self.envelope.decode(self.values[*at].clone(), self.read)).transpose()
    }

    /// The value of a field, if there is a fresh one.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](dogpile_core::ErrorKind::Corrupt) for bytes that are no entry, or that the
    /// codec cannot decode.
    pub fn value<T, C>(&self, field: impl ToKey, policy: &Policy, codec: &C) -> Result<Option<T>>
    where
        C: Codec<T, Stored = Bytes>,
    {
        let fresh = policy.at(self.read);
        let entry = self.entry(field)?.filter(|entry| fresh.age(entry) == Age::Fresh);
        entry.map(|entry| codec.decode(&entry.value)).transpose()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("fields", &self.fields.len()).finish_non_exhaustive()
    }
}

fn name(key: Key<'_>) -> &[u8] {
    key.as_bytes()
}

fn pairs(reply: Value) -> Result<Vec<(Value, Value)>> {
    match reply {
        Value::Map(pairs) => Ok(pairs),
        Value::Array(flat) => {
            let mut flat = flat.into_iter();
            Ok(std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect())
        }
        Value::Nil => Ok(Vec::new()),
        reply => Err(unexpected("the fields of a group were expected", &reply)),
    }
}
