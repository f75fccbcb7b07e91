//! A connection that ends after the server did what it was asked, and before it could say so: what is
//! sent again, and what is not.

use std::sync::Arc;

use bytes::Bytes;
use dogpile_cache::{Error, ErrorKind};
use dogpile_core::{
    Answer, Ask, Backend, Clock, Counter, Entry, Key, Lease, LeaseBackend, Policy, SetOptions,
    SystemClock,
};
use dogpile_memcached::Memcached;

use crate::support::{Liar, Lie, Server, Then, Twist};
use crate::{millis, put, quick, value};

async fn behind_a_liar() -> (Arc<Server>, Liar, Memcached) {
    let server = Server::start();
    let liar = Liar::to(server.place());
    let memcached =
        Memcached::connect_with(&liar.url(), quick().with_connections(1)).await.unwrap();
    (Arc::new(server), liar, memcached)
}

/// The next question of a kind is answered by nothing but the end of the connection; the server has done
/// it, and then somebody else did this.
fn swallow(liar: &Liar, question: &'static str, then: impl Fn() + Send + Sync + 'static) {
    let twist = Twist::new(move |_| {
        then();
        (Vec::new(), Then::Closed)
    });
    liar.tell(Lie::Once(question, twist));
}

fn is_told(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("may have been done"), "{error}");
}

fn ask(key: &'static str) -> Ask<'static> {
    Ask::new(Key::name(key), Policy::new().at(SystemClock.now()), millis(10_000))
}

async fn turn(memcached: &Memcached, key: &'static str) -> Lease {
    match memcached.get_or_lease(&ask(key)).await.unwrap() {
        Answer::Create { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

fn entry(value: &'static str) -> Entry<Bytes> {
    Entry::new(SystemClock.now(), value.into())
}

/// A value that was stored, and overwritten by the next, does not come back.
#[tokio::test]
async fn a_set_that_was_carried_out_is_not_carried_out_again() {
    let (server, liar, memcached) = behind_a_liar().await;
    let other = Memcached::connect(&server.url()).await.unwrap();
    put(&other, Key::name("k"), "newer").await.unwrap();
    let (newer, flags) = server.wire().get("k").unwrap();
    let newer = [format!("set k {flags} 0 {}\r\n", newer.len()).as_bytes(), &newer].concat();
    let by = Arc::clone(&server);
    swallow(&liar, "ms", move || assert_eq!(by.ask(&newer), "STORED"));
    is_told(&put(&memcached, Key::name("k"), "older").await.unwrap_err());
    assert_eq!(value(&memcached, Key::name("k")).await.unwrap(), "newer");
    put(&memcached, Key::name("k"), "newest").await.unwrap();
    assert_eq!(value(&other, Key::name("k")).await.unwrap(), "newest");
}

/// Neither is a fill, nor what takes a turn away from whoever has it by now.
#[tokio::test]
async fn what_compares_is_not_carried_out_again() {
    let (server, liar, memcached) = behind_a_liar().await;
    let lease = turn(&memcached, "filled").await;
    swallow(&liar, "ms", || {});
    let filled = memcached.fill(Key::name("filled"), lease, entry("v"), &SetOptions::new()).await;
    is_told(&filled.unwrap_err());
    assert_eq!(value(&memcached, Key::name("filled")).await.unwrap(), "v", "it was done");
    assert_eq!(server.stat("cmd_set"), 1);

    let lease = turn(&memcached, "released").await;
    let by = Arc::clone(&server);
    // Whoever asks next has a turn of its own, which stays.
    swallow(&liar, "md", move || assert!(by.ask("mg released c t N100").contains(" W")));
    is_told(&memcached.release(Key::name("released"), lease).await.unwrap_err());
    assert!(memcached.is_leased(Key::name("released")).await.unwrap());
}

/// Who asks for a turn and does not hear the answer is not told that it failed: the turn that was
/// perhaps taken is somebody's who died.
#[tokio::test]
async fn questions_and_deletions_are_sent_again() {
    let (server, liar, memcached) = behind_a_liar().await;
    put(&memcached, Key::name("k"), "v").await.unwrap();
    swallow(&liar, "mg", || {});
    assert_eq!(value(&memcached, Key::name("k")).await.unwrap(), "v");
    swallow(&liar, "mg", || {});
    assert_eq!(memcached.get_many(&[Key::name("k"), Key::name("l")]).await.unwrap().len(), 2);
    swallow(&liar, "mg", || {});
    let answer = memcached.get_or_lease(&ask("l")).await.unwrap();
    assert_eq!(answer, Answer::Busy { stale: None });
    swallow(&liar, "md", || {});
    memcached.delete_many(&[Key::name("k"), Key::name("l")]).await.unwrap();
    assert_eq!(server.stat("curr_items"), 0);
    put(&memcached, Key::name("m"), "v").await.unwrap();
    swallow(&liar, "mg", || {});
    memcached.mark_stale(&[Key::name("m")]).await.unwrap();
    let Answer::Create { lease, stale } = memcached.get_or_lease(&ask("m")).await.unwrap() else {
        panic!("it is marked")
    };
    assert_eq!(stale.unwrap().value, "v");
    let held = memcached.fill(Key::name("m"), lease, entry("w"), &SetOptions::new()).await;
    assert_eq!(held.unwrap(), dogpile_core::Held::Kept);
}

/// A turn on a stale value is taken by two commands, of which a server that began anew in between is
/// given none: the number of what was stale is there that of something else.
#[tokio::test]
async fn a_turn_is_not_taken_on_what_another_life_of_the_server_has() {
    let (server, liar, memcached) = behind_a_liar().await;
    let old = Entry::new(SystemClock.now().minus(millis(60_000)), Bytes::from("old"));
    memcached.set_many(&[(Key::name("k"), old)], &SetOptions::new()).await.unwrap();
    let (bytes, flags) = server.wire().get("k").unwrap();
    let fresh = [format!("set k {flags} 0 {}\r\n", bytes.len()).as_bytes(), &bytes].concat();
    let by = Arc::clone(&server);
    // The answer is that of the life before, and the connection ends with it.
    liar.tell(Lie::Once(
        "mg",
        Twist::new(move |answer| {
            by.restart();
            assert_eq!(by.ask(&fresh), "STORED");
            (answer, Then::Closed)
        }),
    ));
    let now = SystemClock.now();
    let stale = Policy::new().with_stale_before(now.minus(millis(1_000))).at(now);
    let asked = Ask::new(Key::name("k"), stale, millis(10_000));
    let error = memcached.get_or_lease(&asked).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(server.ask("mg k t").contains("t-1"), "and it stays for as long as it was to stay");
}

/// A counter that was read before the server began anew does not take a greater one back.
#[tokio::test]
async fn a_counter_does_not_go_back_when_its_server_begins_anew() {
    let (server, liar, memcached) = behind_a_liar().await;
    let counter = memcached.counter();
    let key = Key::name("n");
    assert_eq!(counter.bump(key, 0).await.unwrap(), 1);
    let by = Arc::clone(&server);
    liar.tell(Lie::Once(
        "mg",
        Twist::new(move |answer| {
            by.restart();
            // It has the same number as the item of before.
            assert_eq!(by.ask("set ~cn 0 0 4\r\n1000"), "STORED");
            (answer, Then::Closed)
        }),
    ));
    let bumped = loop {
        // Its server may still be left alone.
        match counter.bump(key, 0).await {
            Ok(number) => break number,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
    };
    assert_eq!(bumped, 1_001);
    assert_eq!(counter.read(key).await.unwrap(), 1_001);
}

#[cfg(feature = "classic")]
#[tokio::test]
async fn nor_by_the_classic_protocol() {
    let server = Arc::new(Server::start());
    let liar = Liar::to(server.place());
    let options = quick().with_protocol(dogpile_memcached::Protocol::Classic);
    let memcached = Memcached::connect_with(&liar.url(), options).await.unwrap();
    put(&memcached, Key::name("k"), "newer").await.unwrap();
    let (newer, _) = server.wire().get("k").unwrap();
    let newer = [format!("set k 0 0 {}\r\n", newer.len()).as_bytes(), &newer].concat();
    let by = Arc::clone(&server);
    swallow(&liar, "set k", move || assert_eq!(by.ask(&newer), "STORED"));
    assert!(put(&memcached, Key::name("k"), "older").await.is_err());
    assert_eq!(value(&memcached, Key::name("k")).await.unwrap(), "newer");
}

/// A connection that its server ended while nobody used it is nobody's error.
#[tokio::test]
async fn what_was_not_sent_is_sent() {
    for classic in [false, true] {
        let server = Server::start();
        let proxy = crate::support::Proxy::to(server.place());
        let options = match classic {
            #[cfg(feature = "classic")]
            true => quick().with_protocol(dogpile_memcached::Protocol::Classic),
            _ => quick(),
        };
        let url = server.url_at(proxy.port());
        let memcached = Memcached::connect_with(&url, options).await.unwrap();
        for nth in 0..20 {
            put(&memcached, Key::name("k"), nth.to_string()).await.unwrap();
            proxy.cut();
            tokio::time::sleep(millis(5)).await;
            put(&memcached, Key::name("k"), format!("{nth} again")).await.unwrap();
        }
    }
}

/// A heartbeat that looks, finds its own turn, and then touches what somebody has stored in between: it
/// gets its time back.
#[tokio::test]
async fn what_a_heartbeat_touched_by_mistake_gets_its_time_back() {
    let (server, liar, memcached) = behind_a_liar().await;
    for (store, left) in [
        ("set k 0 100 1\r\nx", Some(100)),
        ("set k 0 0 1\r\nx", None),
        ("set k 0 20000 1\r\nx", Some(20_000)),
    ] {
        let old = Entry::new(SystemClock.now().minus(millis(60_000)), Bytes::from("old"));
        memcached.set_many(&[(Key::name("k"), old)], &SetOptions::new()).await.unwrap();
        let now = SystemClock.now();
        let stale = Policy::new().with_stale_before(now.minus(millis(1_000))).at(now);
        let asked = Ask::new(Key::name("k"), stale, millis(10_000));
        let answer = memcached.get_or_lease(&asked).await.unwrap();
        let Answer::Create { lease, stale: Some(_) } = answer else { panic!("{answer:?}") };
        let by = Arc::clone(&server);
        let twist = Twist::new(move |answer| {
            assert_eq!(by.ask(store), "STORED");
            (answer, Then::Open)
        });
        liar.tell(Lie::Once("mg k c t O", twist));
        let held = memcached.extend(Key::name("k"), lease, millis(10_000)).await.unwrap();
        assert_eq!(held, dogpile_core::Held::Lost);
        let line = server.ask("mg k t");
        let said = line.split(" t").nth(1).unwrap().parse::<u64>().ok();
        let kept = |(said, left): (u64, u64)| (left - 2..=left + 1).contains(&said);
        assert!(said.is_some() == left.is_some() && said.zip(left).is_none_or(kept), "{line}");
    }
}

/// A turn that was granted is somebody's, also if the stale value that came with it cannot be had.
#[tokio::test]
async fn a_turn_is_not_lost_with_the_parts_of_its_value() {
    let (server, liar, memcached) = behind_a_liar().await;
    let memcached = memcached.with_split(dogpile_memcached::Split::new());
    let old = Entry::new(SystemClock.now().minus(millis(60_000)), vec![7; 3 << 20].into());
    memcached.set_many(&[(Key::name("k"), old)], &SetOptions::new()).await.unwrap();
    let by = Arc::clone(&server);
    let twist = Twist::new(move |_| {
        by.kill();
        (Vec::new(), Then::Closed)
    });
    liar.tell(Lie::Once("mg ~p", twist));
    let now = SystemClock.now();
    let stale = Policy::new().with_stale_before(now.minus(millis(1_000))).at(now);
    let asked = Ask::new(Key::name("k"), stale, millis(10_000));
    let answer = memcached.get_or_lease(&asked).await.unwrap();
    assert!(matches!(answer, Answer::Create { stale: None, .. }), "{answer:?}");
}
