//! Fields that a server drops by itself, on the servers that can.

use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::codec::Json;
use dogpile_cache::{Field, Region};
use dogpile_core::{Backend, BackendExt, Clock, Entry, Key, SetOptions, SystemClock};
use dogpile_lock::Dogpile;
use dogpile_redis::{Envelope, Redis};

use crate::newer::newer;
use crate::support::{Kind, Reply, Server, wait_until};

const MINUTE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(40);
/// Longer than what is kept inside of a hash.
const LARGE: &str =
    "a text of more than sixty-four bytes, which is what a server keeps in one piece";

async fn open(server: &Server, prefix: &str) -> Redis {
    Redis::connect(&server.url()).await.unwrap().with_prefix(prefix).with_field_expiry(true)
}

fn entry(value: &'static str) -> Entry<Bytes> {
    Entry::new(SystemClock.now(), Bytes::from(value))
}

fn keep(d: Duration) -> SetOptions {
    SetOptions::new().with_keep_for(Some(d))
}

/// The milliseconds that a field has left, -1 if it stays and -2 if it is not there.
fn left(server: &Server, hash: &str, field: &str) -> i64 {
    server.ask(&["HPTTL", hash, "FIELDS", "1", field]).list()[0].number()
}

fn is_about_a_minute(ms: i64) -> bool {
    (50_000..=60_000).contains(&ms)
}

#[tokio::test]
async fn a_field_has_the_time_that_its_writer_gave_it() {
    for (kind, server) in newer() {
        let redis = open(server, "given ").await;
        let (hash, large) = ("given g:fields", "{given g:fields}:large");
        let items =
            [(Key::field("g", "small"), entry("v")), (Key::field("g", "large"), entry(LARGE))];
        redis.set_many(&items, &keep(MINUTE)).await.unwrap();
        redis.set(Key::field("g", "ever"), entry("v")).await.unwrap();
        for (hash, field) in [(hash, "small"), (hash, "large"), (large, "large")] {
            let ms = left(server, hash, field);
            assert!(is_about_a_minute(ms), "{kind:?}: {field} of {hash} has {ms} ms");
        }
        assert_eq!(left(server, hash, "ever"), -1, "{kind:?}");
        assert_eq!(server.ask(&["PTTL", hash]).number(), -1, "{kind:?}: the group stays");

        // Who writes it without a time makes it stay.
        for (key, entry) in &items {
            redis.set(*key, entry.clone()).await.unwrap();
        }
        for (hash, field) in [(hash, "small"), (hash, "large"), (large, "large")] {
            assert_eq!(left(server, hash, field), -1, "{kind:?}: {field} of {hash}");
        }

        // What the stored form cannot say is left to the server.
        let raw = redis.clone().with_envelope(Envelope::raw());
        let soon = entry("v").with_expires(SystemClock.now().plus(MINUTE));
        raw.set(Key::field("g", "raw"), soon).await.unwrap();
        assert!(is_about_a_minute(left(server, hash, "raw")), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_created_has_the_deadline_of_its_region() {
    for (kind, server) in newer() {
        let redis = open(server, "filled ").await;
        let region = Region::new(Dogpile::leased(redis), Json).with_hard_deadline(MINUTE);
        let create = |text: &'static str| async move { Ok::<_, String>(text.to_owned()) };
        region.get_or_create(Field("g", "small"), || create("v")).await.unwrap();
        region.get_or_create(Field("g", "large"), || create(LARGE)).await.unwrap();
        let many = |missing: Vec<&_>| {
            let values = vec![LARGE.to_owned(); missing.len()];
            async move { Ok::<_, String>(values) }
        };
        region.get_or_create_many(&[Field("g", "one of many")], many).await.unwrap();
        let (hash, large) = ("filled g:fields", "{filled g:fields}:large");
        for (hash, fields) in [(hash, 3), (large, 2)] {
            let fields_of: Vec<String> =
                server.ask(&["HKEYS", hash]).list().iter().map(Reply::text).collect();
            assert_eq!(fields_of.len(), fields, "{kind:?}: {fields_of:?}");
            for field in fields_of {
                let ms = left(server, hash, &field);
                assert!(is_about_a_minute(ms), "{kind:?}: {field} of {hash} has {ms} ms");
            }
        }
    }
}

#[tokio::test]
async fn a_field_whose_time_is_over_is_gone_and_the_others_are_not() {
    for (kind, server) in newer() {
        let redis = open(server, "gone ").await;
        let (hash, large) = ("gone g:fields", "{gone g:fields}:large");
        let keys = [Key::field("g", "small"), Key::field("g", "large")];
        redis.set(Key::field("g", "stays"), entry("v")).await.unwrap();
        let items = [(keys[0], entry("v")), (keys[1], entry(LARGE))];
        redis.set_many(&items, &keep(SHORT)).await.unwrap();
        wait_until("the fields to expire", || {
            let over = [(hash, "small"), (hash, "large"), (large, "large")];
            over.iter().all(|(hash, field)| left(server, hash, field) == -2).then_some(())
        });
        for key in keys {
            assert_eq!(redis.get(key).await.unwrap(), None, "{kind:?}");
        }
        assert_eq!(redis.get_many(&keys).await.unwrap(), [None, None], "{kind:?}");
        let group = redis.read_group("g").await.unwrap();
        assert_eq!(group.fields().collect::<Vec<_>>(), [b"stays"], "{kind:?}");

        let region = Region::new(Dogpile::leased(redis), Json);
        let create = || async { Ok::<_, String>(7) };
        assert_eq!(region.get_or_create(keys[0], create).await.unwrap(), 7, "{kind:?}");
    }
}

/// What the page on layouts says of it.
#[tokio::test]
async fn fields_that_expire_make_another_kind_of_hash() {
    for (kind, server) in newer() {
        let redis = open(server, "kind ").await;
        let items = [(Key::field("g", "f"), entry("v"))];
        redis.set_many(&items, &SetOptions::new()).await.unwrap();
        let encoding = || server.ask(&["OBJECT", "ENCODING", "kind g:fields"]).text();
        assert_eq!(encoding(), "listpack", "{kind:?}");
        redis.set_many(&items, &keep(MINUTE)).await.unwrap();
        let other = if kind == Kind::Valkey { "hashtable" } else { "listpackex" };
        assert_eq!(encoding(), other, "{kind:?}");
    }
}
