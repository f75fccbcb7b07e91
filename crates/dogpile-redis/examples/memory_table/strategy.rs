//! How the data set can be kept.

use std::ops::Range;
use std::time::Duration;

use dogpile_cache::codec::{Json, MsgPack};
use dogpile_core::{Backend, Clock, Codec, Entry, Key, KeyBuf, Result, SetOptions, SystemClock};
use dogpile_redis::{Buckets, Envelope, GroupExpiry, Redis};

use crate::data::{Item, Value};

/// One way.
pub(crate) struct Strategy {
    pub(crate) name: &'static str,
    /// What the row was called in the table of dogpile_backend_redis_advanced, if it had one.
    pub(crate) original: &'static str,
    envelope: fn() -> Envelope,
    codec: Form,
    layout: Layout,
    ttl: bool,
}

enum Form {
    Json,
    MsgPack,
}

enum Layout {
    /// A key for each value.
    Strings,
    /// Hashes of a hundred, with the name of the value as the field.
    Hashes,
    /// The same, of which the server drops each field by itself.
    ExpiringFields,
    /// Hashes by [`Buckets`]: two digits are the field.
    Buckets,
}

macro_rules! strategies {
    ($($name:literal $original:literal: $envelope:ident $codec:ident $layout:ident $ttl:literal)*) => {
        /// All rows; the first is what the others are compared with.
        pub(crate) const STRATEGIES: &[Strategy] = &[$(Strategy {
            name: $name,
            original: $original,
            envelope: Envelope::$envelope,
            codec: Form::$codec,
            layout: Layout::$layout,
            ttl: $ttl,
        }),*];
    };
}

strategies! {
    "dogpile.cache form, TTL" "region_redis": dogpile_cache Json Strings true
    "dogpile.cache form" "region_redis_local": dogpile_cache Json Strings false
    "JSON, full envelope, TTL" "region_json": full Json Strings true
    "JSON, full envelope" "region_json_local": full Json Strings false
    "JSON, compact envelope" "region_json_local_int": compact Json Strings false
    "JSON, raw, TTL" "region_json_raw": raw Json Strings true
    "JSON, raw" "region_json_raw_local": raw Json Strings false
    "JSON, raw, hashes of 100" "region_json_raw_hash": raw Json Hashes true
    "MessagePack, full envelope, TTL" "region_msgpack": full MsgPack Strings true
    "MessagePack, full envelope" "region_msgpack_local": full MsgPack Strings false
    "MessagePack, compact envelope" "region_msgpack_local_int": compact MsgPack Strings false
    "MessagePack, raw, TTL" "region_msgpack_raw": raw MsgPack Strings true
    "MessagePack, raw" "region_msgpack_raw_local": raw MsgPack Strings false
    "MessagePack, raw, hashes of 100" "region_msgpack_raw_hash": raw MsgPack Hashes true
    "MessagePack, compact, hashes of 100" "": compact MsgPack Hashes true
    "MessagePack, compact, fields that expire" "": compact MsgPack ExpiringFields true
    "MessagePack, compact, buckets of ids" "": compact MsgPack Buckets true
    "MessagePack, raw, buckets of ids" "": raw MsgPack Buckets true
}

const HOUR: Duration = Duration::from_secs(3600);
/// How many values are written at once.
const BATCH: usize = 1_000;

impl Strategy {
    pub(crate) const fn is_in_hashes(&self) -> bool {
        !matches!(self.layout, Layout::Strings)
    }

    pub(crate) async fn open(&self, url: &str) -> Result<Redis> {
        let redis = Redis::connect(url).await?.with_envelope((self.envelope)());
        Ok(match (self.ttl, &self.layout) {
            (false, _) => redis,
            (true, Layout::Strings) => redis.with_keep_for(HOUR),
            (true, Layout::ExpiringFields) => redis.with_keep_for(HOUR).with_field_expiry(true),
            (true, _) => redis.with_group_expiry(GroupExpiry::AfterCreation(HOUR)),
        })
    }

    /// Writes a range of the data set of so many items, and tells when a batch is there.
    pub(crate) async fn load(
        &self,
        redis: &Redis,
        all: usize,
        range: Range<usize>,
        mut written: impl FnMut(usize),
    ) -> Result<()> {
        let mut from = range.start;
        while from < range.end {
            // A hash is written by one call.
            let to = (from + BATCH - from % BATCH).min(range.end);
            let mut keys = Vec::with_capacity(to - from);
            for at in from..to {
                let item = Item::new(at, all);
                let mut entry = Entry::new(SystemClock.now(), self.codec.encode(&item.value)?);
                // The version that dogpile.cache writes.
                entry.version = 2;
                keys.push((self.layout.key(&item), entry));
            }
            let items: Vec<(Key<'_>, _)> =
                keys.iter().map(|(key, entry)| (key.as_key(), entry.clone())).collect();
            redis.set_many(&items, &SetOptions::new()).await?;
            written(to - from);
            from = to;
        }
        Ok(())
    }
}

impl Form {
    fn encode(&self, value: &Value) -> Result<bytes::Bytes> {
        match self {
            Self::Json => Json.encode(value),
            Self::MsgPack => MsgPack.encode(value),
        }
    }
}

impl Layout {
    fn key(&self, item: &Item) -> KeyBuf {
        match self {
            Self::Strings => Key::name(&item.name()).into(),
            Self::Hashes | Self::ExpiringFields => Key::field(&item.bucket(), &item.name()).into(),
            Self::Buckets => Buckets::new(item.prefix).key(item.number as u64),
        }
    }
}
