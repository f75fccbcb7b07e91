//! What is stored, byte by byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::{Region, codec::MsgPack};
use dogpile_core::{BackendExt, Clock, Entry, ErrorKind, Key, SystemClock, Timestamp};
use dogpile_lock::Dogpile;
use dogpile_redis::Envelope;
use redis::AsyncCommands;

use crate::server::{ask, open};

const CREATED: Timestamp = Timestamp::from_millis(1_700_000_000_250);
const EXPIRES: Timestamp = Timestamp::from_millis(1_700_000_300_250);
const VALUE: &[u8] = b"\xa5value";

fn plain() -> Entry<Bytes> {
    Entry::new(CREATED, Bytes::from_static(VALUE))
}

fn golden() -> Vec<(&'static str, Envelope, Entry<Bytes>, &'static [u8])> {
    let all = plain().with_expires(EXPIRES).with_version(7);
    let second = Timestamp::from_millis(1_700_000_000_000);
    vec![
        ("full", Envelope::full(), plain(), include_bytes!("../data/full.bin")),
        ("full with all", Envelope::full(), all.clone(), include_bytes!("../data/full-all.bin")),
        (
            "compact",
            Envelope::compact().with_version(7),
            Entry::new(second, plain().value).with_version(7),
            include_bytes!("../data/compact.bin"),
        ),
        ("raw", Envelope::raw(), plain(), include_bytes!("../data/raw.bin")),
        (
            "dogpile.cache",
            Envelope::dogpile_cache(),
            Entry::new(CREATED, Bytes::from_static(b"\"value\"")).with_version(2),
            include_bytes!("../data/dogpile-cache.bin"),
        ),
        (
            "dogpile.cache with an expiry",
            Envelope::dogpile_cache(),
            Entry::new(CREATED, Bytes::from_static(b"\"value\""))
                .with_version(2)
                .with_expires(EXPIRES),
            include_bytes!("../data/dogpile-cache-expires.bin"),
        ),
    ]
}

#[test]
fn golden_files_are_written_and_read() {
    for (name, envelope, entry, stored) in golden() {
        assert_eq!(envelope.encode(&entry).unwrap(), stored, "{name} is written as it was");
        let read = envelope.decode(Bytes::from_static(stored), CREATED).unwrap();
        assert_eq!(read, entry, "{name} is read as it was");
    }
}

#[test]
fn cut_off_or_foreign_bytes_are_corrupt_and_never_panic() {
    for (name, envelope, _, stored) in golden() {
        for end in 0..stored.len() {
            match envelope.decode(Bytes::from_static(&stored[..end]), CREATED) {
                Ok(entry) => {
                    assert!(stored.ends_with(&entry.value) || entry.value.len() < VALUE.len() + 30)
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{name} cut off at {end}")
                }
            }
        }
        for byte in 0..=255_u8 {
            let _ = envelope.decode(Bytes::from(vec![byte; 40]), CREATED);
        }
    }
    for foreign in [
        "",
        "text",
        "{}|",
        "{\"ct\": \"x\", \"v\": 2}|",
        "{\"ct\": 1}|v",
        "[1, 2]|",
        "{\"ct\": 1e999, \"v\": 2}|x",
    ] {
        let read =
            Envelope::dogpile_cache().decode(Bytes::from_static(foreign.as_bytes()), CREATED);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt, "{foreign}");
    }
    for foreign in
        [&b"\xcf"[..], b"\xd4aaaaaaaaaaaaaaaaaaaaa", b"text that is long enough to be one"]
    {
        let read = Envelope::full().decode(Bytes::from_static(foreign), CREATED);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn heads_of_any_json_library_are_read() {
    for head in [
        r#"{"ct":1700000000.25,"v":2}|x"#,
        r#"{"v": 2, "ct": 1700000000.25}|x"#,
        r#"{"ct": 1700000000.2500001, "v": 2, "sz": 17, "note": "a"}|x"#,
        "{\"ct\": 1.70000000025e9, \"v\": 2.0}|x",
    ] {
        let read =
            Envelope::dogpile_cache().decode(Bytes::from_static(head.as_bytes()), CREATED).unwrap();
        assert_eq!(
            (read.created, read.version, &read.value[..]),
            (CREATED, 2, &b"x"[..]),
            "{head}"
        );
    }
}

#[test]
fn stamps_at_the_ends_of_time_are_kept_or_cut_and_never_wrap() {
    let envelope = Envelope::full();
    let far = Timestamp::from_millis((1 << 48) - 1);
    for (created, read) in [(Timestamp::MIN, Timestamp::MIN), (far, far), (Timestamp::MAX, far)] {
        let stored = envelope.encode(&Entry::new(created, Bytes::new())).unwrap();
        assert_eq!(envelope.decode(stored, CREATED).unwrap().created, read);
    }
    let stored = Envelope::compact().encode(&Entry::new(Timestamp::MAX, Bytes::new())).unwrap();
    assert_eq!(&stored[..], [0xff; 4]);
}

#[tokio::test]
async fn the_server_drops_what_a_raw_value_cannot_say_about_itself() {
    let redis = open().await.with_prefix("envelopes raw ").with_envelope(Envelope::raw());
    let mut server = ask().await;
    let ttl = async |server: &mut redis::aio::MultiplexedConnection, name: &str| -> i64 {
        server.pttl(format!("envelopes raw {name}")).await.unwrap()
    };
    let soon = SystemClock.now().plus(Duration::from_secs(60));
    redis.set(Key::name("own"), plain().with_expires(soon)).await.unwrap();
    assert!((58_000..=60_000).contains(&ttl(&mut server, "own").await));
    let kept = redis.clone().with_keep_for(Duration::from_secs(30));
    kept.set(Key::name("kept"), plain()).await.unwrap();
    assert!((28_000..=30_000).contains(&ttl(&mut server, "kept").await));
    kept.set(Key::name("kept"), plain().with_expires(soon)).await.unwrap();
    assert!((28_000..=30_000).contains(&ttl(&mut server, "kept").await), "the earlier of the two");
    redis.set(Key::name("ever"), plain()).await.unwrap();
    assert_eq!(ttl(&mut server, "ever").await, -1);
    redis.set(Key::name("past"), plain().with_expires(CREATED)).await.unwrap();
    assert!(ttl(&mut server, "past").await < 2, "what has expired is as good as gone");
    let stored: Vec<u8> = server.get("envelopes raw ever").await.unwrap();
    assert_eq!(stored, VALUE, "the payload as it is");
}

/// A clock that goes on by 2 ms each time it is looked at: no two questions come in one millisecond.
#[derive(Debug)]
struct Hurried(AtomicU64);

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(2, Ordering::SeqCst))
    }
    fn recent(&self) -> Timestamp {
        self.now()
    }
}

#[tokio::test]
async fn the_lock_works_with_every_envelope() {
    let dated = Envelope::custom(
        |entry| Ok([entry.created.to_string().as_bytes(), b" ", &entry.value].concat().into()),
        |stored| {
            let corrupt = || dogpile_core::Error::new(ErrorKind::Corrupt, "no date");
            let blank = stored.iter().position(|byte| *byte == b' ').ok_or_else(corrupt)?;
            let date = std::str::from_utf8(&stored[..blank]).map_err(|_| corrupt())?;
            let seconds: f64 = date.parse().map_err(|_| corrupt())?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a date")]
            let created = Timestamp::from_millis((seconds * 1000.0).round() as u64);
            Ok(Entry::new(created, stored.slice(blank + 1..)))
        },
    );
    let envelopes =
        [Envelope::full(), Envelope::compact(), Envelope::raw(), Envelope::dogpile_cache(), dated];
    for (at, envelope) in envelopes.into_iter().enumerate() {
        let version = if at == 3 { 2 } else { 0 };
        let redis =
            open().await.with_prefix(format!("envelopes lock {at} ")).with_envelope(envelope);
        let region = Region::new(Dogpile::leased(redis.clone()), MsgPack)
            .with_version(version)
            .with_clock(Arc::new(Hurried(AtomicU64::new(SystemClock.now().as_millis()))));
        for key in [Key::name("k"), Key::field("g", "f")] {
            let calls = (0..20).map(|_| {
                region.get_or_create(key, || async {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    let count: u32 =
                        ask().await.incr(format!("envelopes made {at} {key}"), 1).await.unwrap();
                    Ok::<_, std::io::Error>(count)
                })
            });
            for value in futures_util::future::join_all(calls).await {
                assert_eq!(value.unwrap(), 1, "envelope {at}, {key}");
            }
            // Bytes that the codec cannot read are a miss, also where they carry no stamp.
            let broken =
                Entry::new(SystemClock.now(), Bytes::from_static(b"\xc1")).with_version(version);
            redis.set(key, broken).await.unwrap();
            let anew = region.get_or_create(key, || async { Ok::<_, std::io::Error>(5_u32) }).await;
            assert_eq!(anew.unwrap(), 5, "envelope {at}, {key}");
        }
    }
}
