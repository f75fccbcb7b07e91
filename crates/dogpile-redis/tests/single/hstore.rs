//! Groups: hashes of fields.

use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::{Field, Region, codec::MsgPack};
use dogpile_core::{
    Backend, BackendExt, Clock, Entry, ErrorKind, Key, LeaseBackend, Policy, SetOptions,
    SystemClock,
};
use dogpile_lock::Dogpile;
use dogpile_redis::{Buckets, Envelope, GroupExpiry, Redis};
use redis::AsyncCommands;

use crate::server::{ask, open};

fn entry(value: impl Into<Bytes>) -> Entry<Bytes> {
    Entry::new(SystemClock.now(), value.into())
}

async fn fresh(name: &str) -> Redis {
    open().await.with_prefix(format!("hstore {name} "))
}

fn values(entries: Vec<Option<Entry<Bytes>>>) -> Vec<Option<String>> {
    let text = |entry: Entry<Bytes>| String::from_utf8(entry.value.to_vec()).unwrap();
    entries.into_iter().map(|entry| entry.map(text)).collect()
}

#[tokio::test]
async fn names_and_fields_of_many_groups_go_in_one_round_trip_and_keep_their_order() {
    let redis = fresh("order").await;
    let names: Vec<_> = (0..8).map(|at| format!("n{at}")).collect();
    let mut keys = Vec::new();
    for at in 0..32_usize {
        let name = &names[at % 8];
        keys.push(match at % 4 {
            0 => Key::name(name),
            1 => Key::field("g1", name),
            2 => Key::field("g2", name),
            _ => Key::field(name, "f"),
        });
    }
    keys.extend([keys[0], keys[1], Key::field("g1", "none"), Key::name("none"), keys[0]]);
    let items: Vec<_> = keys[..32].iter().map(|key| (*key, entry(key.to_string()))).collect();

    let trips = |redis: &Redis| redis.stats().round_trips;
    let before = trips(&redis);
    redis.set_many(&items, &SetOptions::new()).await.unwrap();
    assert_eq!(trips(&redis) - before, 1, "everything is written in one round trip");
    let found = values(redis.get_many(&keys).await.unwrap());
    assert_eq!(trips(&redis) - before, 2, "everything is read in one round trip");
    for (key, found) in keys.iter().zip(&found) {
        let there = key.as_bytes() != b"none";
        assert_eq!(*found, there.then(|| key.to_string()), "{key}");
    }
    redis.delete_many(&keys).await.unwrap();
    assert_eq!(trips(&redis) - before, 3, "everything is deleted in one round trip");
    assert!(redis.get_many(&keys).await.unwrap().iter().all(Option::is_none));
    let left: Vec<String> = ask().await.keys("hstore order *").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_group_expires_as_it_was_told_and_never_by_default() {
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3_600));
    let mut server = ask().await;
    let ttl = async |server: &mut redis::aio::MultiplexedConnection, name: &str| -> i64 {
        server.ttl(format!("hstore {name} g:fields")).await.unwrap()
    };
    let write = async |redis: &Redis, field: &str| {
        redis.set(Key::field("g", field), entry("v")).await.unwrap();
    };

    let never = fresh("never").await;
    write(&never, "a").await;
    assert_eq!(ttl(&mut server, "never").await, -1);
    let keep = SetOptions::new().with_keep_for(Some(minute));
    never.set_many(&[(Key::field("g", "b"), entry("v"))], &keep).await.unwrap();
    assert_eq!(ttl(&mut server, "never").await, -1, "one field's time is not the group's");

    let created = fresh("created").await.with_group_expiry(GroupExpiry::AfterCreation(hour));
    write(&created, "a").await;
    assert!((3_595..=3_600).contains(&ttl(&mut server, "created").await));
    let shorter = created.clone().with_group_expiry(GroupExpiry::AfterCreation(minute));
    write(&shorter, "b").await;
    assert!((3_590..=3_600).contains(&ttl(&mut server, "created").await), "it was there already");

    let written = created.with_group_expiry(GroupExpiry::AfterWrite(minute));
    write(&written, "c").await;
    assert!((55..=60).contains(&ttl(&mut server, "created").await), "every write counts");

    let created = fresh("made").await.with_group_expiry(GroupExpiry::AfterWrite(minute));
    let region = Region::new(Dogpile::leased(created), MsgPack);
    let create = || async { Ok::<_, std::io::Error>(1) };
    region.get_or_create(Field("g", "a"), create).await.unwrap();
    assert!((55..=60).contains(&ttl(&mut server, "made").await), "a creation is a write");
    let _: () = server.persist("hstore made g:fields").await.unwrap();
    let create = |missing: Vec<&_>| {
        let values = vec![1; missing.len()];
        async move { Ok::<_, std::io::Error>(values) }
    };
    region.get_or_create_many(&[Field("g", "b"), Field("g", "c")], create).await.unwrap();
    assert!((55..=60).contains(&ttl(&mut server, "made").await), "and so are many");

    let zero = fresh("zero").await.with_group_expiry(GroupExpiry::AfterWrite(Duration::ZERO));
    write(&zero, "a").await;
    let for_ever = fresh("ever").await.with_group_expiry(GroupExpiry::AfterWrite(Duration::MAX));
    write(&for_ever, "a").await;
    assert_eq!(ttl(&mut server, "ever").await, -1);
}

#[tokio::test]
async fn a_large_value_goes_out_of_line_and_the_hash_stays_small() {
    let redis = fresh("large").await;
    let mut server = ask().await;
    let hash = "hstore large g:fields";
    let long = "x".repeat(200);
    let items: Vec<_> =
        ["a", "b", "c"].map(|field| (Key::field("g", field), entry("small"))).into();
    redis.set_many(&items, &SetOptions::new()).await.unwrap();
    redis.set(Key::field("g", "b"), entry(long.clone())).await.unwrap();
    // What stands for a large value may be a value itself.
    let raw = redis.clone().with_envelope(Envelope::raw());
    raw.set(Key::field("raw", "odd"), entry(&b"\xc1a marker"[..])).await.unwrap();
    assert_eq!(redis.stats().large_values, 2, "they are counted");

    let encoding: String =
        redis::cmd("OBJECT").arg("ENCODING").arg(hash).query_async(&mut server).await.unwrap();
    assert_eq!(encoding, "listpack");
    let keys = ["a", "b", "c", "d"].map(|field| Key::field("g", field));
    let small = || Some("small".to_owned());
    assert_eq!(
        values(redis.get_many(&keys).await.unwrap()),
        [small(), Some(long.clone()), small(), None]
    );
    assert_eq!(redis.get(keys[1]).await.unwrap().unwrap().value, long);
    assert_eq!(
        raw.get(Key::field("raw", "odd")).await.unwrap().unwrap().value,
        &b"\xc1a marker"[..]
    );

    let group = redis.read_group("g").await.unwrap();
    assert_eq!(group.entry("b").unwrap().unwrap().value, long);
    assert_eq!(group.len(), 3);

    redis.set(keys[1], entry("short")).await.unwrap();
    assert_eq!(redis.get(keys[1]).await.unwrap().unwrap().value, "short");
    let outside: u64 = server.hlen("{hstore large g:fields}:large").await.unwrap();
    assert_eq!(outside, 0, "what is small again is inside again");

    let inside = redis.clone().with_inline_limit(usize::MAX);
    inside.set(Key::field("inside", "b"), entry(long.clone())).await.unwrap();
    let stored: Vec<u8> = server.hget("hstore large inside:fields", "b").await.unwrap();
    assert!(stored.ends_with(long.as_bytes()), "a limit of all there is keeps it inside");

    redis.set(keys[1], entry(long)).await.unwrap();
    redis.delete_group(b"g").await.unwrap();
    let left: Vec<String> = server.keys("*hstore large g:*").await.unwrap();
    assert!(left.is_empty(), "a group goes with all that belongs to it: {left:?}");
}

/// As a server does whose memory is full: it takes any key, and not those that belong to it.
#[tokio::test]
async fn a_large_value_that_was_evicted_is_created_anew() {
    let redis = fresh("evicted").await;
    let region =
        Region::new(Dogpile::leased(redis.clone()), MsgPack).with_wait_for(Duration::from_secs(2));
    let create = || async { Ok::<_, std::io::Error>("new".to_owned()) };
    for many in [false, true] {
        let key = Field("g", many);
        region.set(key, &"x".repeat(200)).await.unwrap();
        let _: () = ask().await.del("{hstore evicted g:fields}:large").await.unwrap();
        assert_eq!(region.get::<String>(key).await.unwrap(), None);
        let before = redis.stats().round_trips;
        let value = if many {
            let create = |_: Vec<&_>| async { Ok::<_, std::io::Error>(vec!["new".to_owned()]) };
            region.get_or_create_many(&[key], create).await.unwrap().remove(0)
        } else {
            region.get_or_create(key, create).await.unwrap()
        };
        assert_eq!(value, "new");
        let trips = redis.stats().round_trips - before;
        assert!(trips <= 30, "{trips} round trips");
        assert_eq!(region.get::<String>(key).await.unwrap(), Some(value));
    }
}

#[tokio::test]
async fn many_large_values_that_were_evicted_are_missed_at_once() {
    let redis = fresh("all evicted").await;
    let names: Vec<_> = (0..50).map(|at| format!("f{at}")).collect();
    let keys: Vec<_> = names.iter().map(|name| Key::field("g", name)).collect();
    let items: Vec<_> = keys.iter().map(|key| (*key, entry("x".repeat(200)))).collect();
    redis.set_many(&items, &SetOptions::new()).await.unwrap();
    let _: () = ask().await.del("{hstore all evicted g:fields}:large").await.unwrap();
    redis.set(keys[7], entry("y".repeat(200))).await.unwrap();
    let before = redis.stats().round_trips;
    let found = redis.get_many(&keys).await.unwrap();
    let trips = redis.stats().round_trips - before;
    assert_eq!(found.iter().flatten().count(), 1);
    assert!(found[7].is_some());
    assert!(trips <= 3, "{trips} round trips");
}

#[tokio::test]
async fn large_values_expire_with_their_group() {
    let redis = fresh("together")
        .await
        .with_group_expiry(GroupExpiry::AfterCreation(Duration::from_secs(60)));
    redis.set(Key::field("g", "small"), entry("v")).await.unwrap();
    redis.set(Key::field("g", "large"), entry("x".repeat(100))).await.unwrap();
    let ttl: i64 = ask().await.ttl("{hstore together g:fields}:large").await.unwrap();
    assert!((50..=60).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn fields_cannot_expire_on_a_server_that_does_not_know_how() {
    let redis = fresh("field expiry").await.with_field_expiry(true);
    let keep = SetOptions::new().with_keep_for(Some(Duration::from_secs(60)));
    let items = [(Key::field("g", "f"), entry("v"))];
    let error = redis.set_many(&items, &keep).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(redis.get(items[0].0).await.unwrap().is_none(), "and nothing is written");
    redis.set(items[0].0, entry("v")).await.unwrap();
}

#[tokio::test]
async fn a_group_is_read_and_decoded_where_it_is_touched() {
    let redis = fresh("lazy").await;
    let region = Region::new(Dogpile::leased(redis.clone()), MsgPack);
    for id in 0..20_u32 {
        region.set(Field("users", id), &format!("user {id}")).await.unwrap();
    }
    redis.set(Key::field("users", "(3)"), entry(&b"\xc1 is no msgpack"[..])).await.unwrap();
    let before = redis.stats().round_trips;
    let users = redis.read_group("users").await.unwrap();
    assert_eq!(redis.stats().round_trips - before, 1);
    assert_eq!((users.len(), users.fields().count()), (20, 20));
    let any = Policy::new();
    assert_eq!(users.value(7, &any, &MsgPack).unwrap(), Some("user 7".to_owned()));
    assert_eq!(users.value::<String, _>(99, &any, &MsgPack).unwrap(), None);
    let broken = users.value::<String, _>(3, &any, &MsgPack).unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Corrupt, "only who touches it is told");
    let never = Policy::new().with_stale_before(SystemClock.now().plus(Duration::from_secs(60)));
    assert_eq!(users.value::<String, _>(7, &never, &MsgPack).unwrap(), None);
    assert!(redis.read_group("nobody").await.unwrap().is_empty());
}

#[tokio::test]
async fn numbered_entries_share_hashes_of_a_hundred() {
    let redis = fresh("buckets").await;
    let media = Buckets::new("media");
    let region = Region::new(Dogpile::leased(redis.clone()), MsgPack);
    for id in [0, 99, 100, 12_345] {
        let made: u64 = region
            .get_or_create(media.key(id), || async { Ok::<_, std::io::Error>(id * 2) })
            .await
            .unwrap();
        assert_eq!(made, id * 2);
    }
    let mut server = ask().await;
    let fields: u64 = server.hlen("hstore buckets media:0:fields").await.unwrap();
    assert_eq!(fields, 2);
    assert_eq!(region.get::<u64>(media.key(12_345)).await.unwrap(), Some(24_690));
}

#[tokio::test]
async fn a_deleted_group_wakes_who_waits_for_its_fields() {
    let redis = fresh("wake").await;
    let other = fresh("wake").await;
    let key = Key::field("g", "f");
    let question =
        dogpile_core::Ask::new(key, Policy::new().at(SystemClock.now()), Duration::from_secs(30));
    let _ = redis.get_or_lease(&question).await.unwrap();
    let waiter = tokio::spawn(async move {
        let began = std::time::Instant::now();
        other.wait(Key::field("g", "f"), Duration::from_secs(20)).await;
        began.elapsed()
    });
    let mut server = ask().await;
    let listeners = redis::cmd("PUBSUB").arg("NUMSUB").arg("{hstore wake g:fields}:wake:f").take();
    while listeners.query_async::<(String, u32)>(&mut server).await.unwrap().1 == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    redis.delete_group(b"g").await.unwrap();
    let waited = waiter.await.unwrap();
    assert!(waited < Duration::from_millis(600), "{waited:?}");
}

#[tokio::test]
async fn a_wrong_type_is_refused_and_left_alone() {
    let redis = fresh("wrong").await;
    let mut server = ask().await;
    let _: () = server.rpush("hstore wrong list", "precious").await.unwrap();
    let _: () = server.set("hstore wrong g:fields", "precious").await.unwrap();
    let plain = Key::name("list");
    let field = Key::field("g", "f");
    let question = |key| {
        dogpile_core::Ask::new(key, Policy::new().at(SystemClock.now()), Duration::from_secs(1))
    };
    for key in [plain, field] {
        assert_eq!(redis.get(key).await.unwrap_err().kind(), ErrorKind::Refused);
        let asked = redis.get_or_lease(&question(key)).await;
        assert_eq!(asked.unwrap_err().kind(), ErrorKind::Refused);
    }
    let written = redis.set(field, entry("v")).await.unwrap_err();
    assert_eq!(written.kind(), ErrorKind::Refused, "{written}");
    assert_eq!(redis.read_group("g").await.unwrap_err().kind(), ErrorKind::Refused);
    let kept: String = server.get("hstore wrong g:fields").await.unwrap();
    assert_eq!(kept, "precious");
}
