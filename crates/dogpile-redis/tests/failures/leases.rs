//! Leases that are lost while a value is created.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dogpile_cache::codec::Json;
use dogpile_cache::{ErrorKind, Region};
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Key, LeaseBackend, Policy, SetOptions, SystemClock,
    Timestamp,
};
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Envelope, Protocol, Redis};

use crate::support::Server;
use crate::{Cache, behind_a_wire, made, millis, region};

/// A region that counts the leases it was told it lost.
fn watched(redis: &Redis) -> (Cache, Arc<AtomicUsize>) {
    let lost = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&lost);
    let dogpile = Dogpile::leased(redis.clone()).with_on_lost_lease(move |_: Key<'_>| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    (Region::new(dogpile, Json), lost)
}

#[tokio::test]
async fn a_flush_takes_the_lease_and_not_the_value() {
    let server = Server::start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap();
    let (cache, lost) = watched(&redis);
    for flush in ["FLUSHALL", "FLUSHDB"] {
        let before = lost.load(Ordering::SeqCst);
        let create = async || {
            server.ask(&[flush]);
            made(7).await
        };
        assert_eq!(cache.get_or_create("k", create).await.unwrap(), 7);
        assert_eq!(lost.load(Ordering::SeqCst), before + 1, "{flush}");
        assert_eq!(cache.get::<u32>("k").await.unwrap(), None, "a flush is not undone");
    }
    assert_eq!(redis.stats().lost_leases, 2);
    assert_eq!(cache.get_or_create("k", || made(8)).await.unwrap(), 8);
    assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(8));
}

/// The first creator's thread is stopped for longer than its lease, so that its heartbeat is too.
#[test]
fn the_later_holders_value_stays() {
    let server = Server::start().unwrap();
    let url = server.url();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let stored = Arc::new(std::sync::Barrier::new(2));
    let first = std::thread::spawn({
        let (url, stored) = (url.clone(), Arc::clone(&stored));
        move || {
            runtime().block_on(async {
                let (cache, lost) = watched(&Redis::connect(&url).await.unwrap());
                let create = || async {
                    begun.send(()).unwrap();
                    stored.wait();
                    made(1).await
                };
                let value = cache.with_lease_for(millis(150)).get_or_create("k", create).await;
                (value.unwrap(), lost.load(Ordering::SeqCst))
            })
        }
    });
    has_begun.recv().unwrap();
    let second = runtime().block_on(async {
        let cache = region(&Redis::connect(&url).await.unwrap());
        let value = cache.get_or_create("k", || made(2)).await.unwrap();
        stored.wait();
        value
    });
    assert_eq!(second, 2);
    assert_eq!(first.join().unwrap(), (1, 1), "its own value, and the loss is told");
    let there = runtime()
        .block_on(async { region(&Redis::connect(&url).await.unwrap()).get::<u32>("k").await });
    assert_eq!(there.unwrap(), Some(2));
}

fn question(key: Key<'_>) -> Ask<'_> {
    Ask::new(key, Policy::new().at(SystemClock.now()), Duration::from_secs(30))
}

/// Waits until nothing is leased, for much less than a lease lasts.
async fn nothing_stays_leased(server: &Server) {
    let began = Instant::now();
    loop {
        let left = server.ask(&["KEYS", "*lease*"]).list().len();
        if left == 0 {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(2), "{left} keys stay leased to nobody");
        tokio::time::sleep(millis(2)).await;
    }
}

#[tokio::test]
async fn who_gives_up_asking_leaves_no_lease_behind() {
    let (server, proxy, redis) = behind_a_wire(Connect::new()).await;
    proxy.delay(millis(50));
    for many in [false, true] {
        let asking = tokio::spawn({
            let redis = redis.clone();
            async move {
                let keys = [Key::name("a"), Key::name("b"), Key::field("g", "f")];
                match many {
                    true => drop(redis.get_or_lease_many(&keys.map(question)).await),
                    false => drop(redis.get_or_lease(&question(keys[0])).await),
                }
            }
        });
        // Granted, and the answer is on its way.
        let began = Instant::now();
        while server.ask(&["EXISTS", "{a}:lease"]).number() == 0 {
            assert!(began.elapsed() < Duration::from_secs(5), "nobody asks");
            tokio::time::sleep(millis(1)).await;
        }
        assert!(!asking.is_finished(), "the answer came too soon");
        asking.abort();
        nothing_stays_leased(&server).await;
    }
}

#[tokio::test]
async fn what_cannot_be_stored_leaves_no_lease_behind() {
    const TOO_LARGE: usize = (512 << 20) + 1;
    let server = Server::start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap().with_envelope(Envelope::raw());
    // This server cannot let fields expire.
    let with_expiry = redis.clone().with_field_expiry(true);
    let keys = [Key::name("a"), Key::name("b"), Key::field("g", "f")];
    let cases = [(&redis, TOO_LARGE, ErrorKind::TooLarge), (&with_expiry, 1, ErrorKind::Refused)];
    for (redis, size, expected) in cases {
        let answers = redis.get_or_lease_many(&keys.map(question)).await.unwrap();
        let mut values = [1, size, 1].map(|size| Bytes::from(vec![0; size])).into_iter();
        let fills: Vec<_> = keys
            .into_iter()
            .zip(answers)
            .map(|(key, answer)| {
                let Answer::Create { lease, .. } = answer else { panic!("{answer:?}") };
                (key, lease, Entry::new(SystemClock.now(), values.next().unwrap()))
            })
            .collect();
        assert_eq!(server.ask(&["KEYS", "*lease*"]).list().len(), 3);
        let options = SetOptions::new().with_keep_for(Some(Duration::from_secs(60)));
        let error = redis.fill_many(&fills, &options).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error:?}");
        assert_eq!(server.ask(&["DBSIZE"]).number(), 0, "nothing is stored, and nothing leased");
    }
}

#[tokio::test]
async fn a_question_that_fails_for_one_key_leaves_no_lease_of_the_others() {
    let server = Server::start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap();
    server.ask(&["RPUSH", "list", "a"]);
    let create = |missing: Vec<&Key<'_>>| {
        let values = vec![1_u32; missing.len()];
        async move { Ok::<_, String>(values) }
    };
    let keys = [Key::name("a"), Key::name("list"), Key::name("z"), Key::field("g", "f")];
    let error = region(&redis).get_or_create_many(&keys, create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    nothing_stays_leased(&server).await;
}

#[tokio::test]
async fn a_value_that_finds_another_type_in_its_place_gives_its_lease_back() {
    let server = Server::start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap();
    let create = || async {
        server.ask(&["RPUSH", "k", "a"]);
        made(1).await
    };
    let error = region(&redis).get_or_create("k", create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert_eq!(server.ask(&["TYPE", "k"]).text(), "list");
    nothing_stays_leased(&server).await;
}

#[tokio::test]
async fn every_kind_of_connection_wakes_who_waits() {
    let server = Server::start().unwrap();
    let hears = Redis::connect(&server.url()).await.unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let resp2 = Connect::new().with_protocol(Protocol::Resp2);
    let writers = [
        Redis::connect_with(&server.url(), resp2).await.unwrap(),
        Redis::over(client.get_multiplexed_async_connection().await.unwrap()),
        Redis::lazy(&server.url(), Connect::new()).unwrap(),
    ];
    for (at, writer) in writers.into_iter().enumerate() {
        let key = Key::name("k");
        assert!(matches!(hears.get_or_lease(&question(key)).await, Ok(Answer::Create { .. })));
        server.forget_calls();
        let waiter = tokio::spawn({
            let hears = hears.clone();
            async move { hears.wait(Key::name("k"), Duration::from_secs(10)).await }
        });
        while !server.calls().contains_key("pttl") {
            tokio::time::sleep(millis(1)).await;
        }
        let began = Instant::now();
        writer.delete_many(&[key]).await.unwrap();
        waiter.await.unwrap();
        assert!(began.elapsed() < millis(400), "{at}: {:?}", began.elapsed());
    }
}

/// The lease of a field ends by the server's clock, and whoever asks looks at his own.
#[tokio::test]
async fn a_clock_that_is_a_little_behind_costs_no_round_trip() {
    let (server, proxy, redis) = behind_a_wire(Connect::new()).await;
    let holder = Redis::connect(&server.url()).await.unwrap();
    let key = Key::field("g", "f");
    let granted = holder.get_or_lease(&question(key)).await.unwrap();
    assert!(matches!(granted, Answer::Create { .. }), "{granted:?}");
    for behind in [0, 10, 800] {
        let now = Timestamp::from_millis(SystemClock.now().as_millis() - behind);
        let ask = Ask::new(key, Policy::new().at(now), Duration::from_secs(30));
        // It is known to be missing after the first.
        for most in [2, 1] {
            let before = proxy.trips();
            let answer = redis.get_or_lease(&ask).await.unwrap();
            assert_eq!(answer, Answer::Busy { stale: None });
            assert!(
                proxy.trips() - before <= most,
                "{behind} ms behind: {}",
                proxy.trips() - before
            );
        }
    }
}

#[tokio::test]
async fn waiting_is_over_in_time() {
    let patient = Connect::new()
        .with_response_timeout(Duration::from_secs(5))
        .with_total_timeout(Duration::from_secs(5));
    for messages in [false, true] {
        let (server, proxy, redis) = behind_a_wire(patient.clone().with_messages(messages)).await;
        // Nobody has it, so for ever is not long.
        redis.wait(Key::name("free"), Duration::MAX).await;
        let other = Redis::connect(&server.url()).await.unwrap();
        let key = Key::name("k");
        assert!(matches!(other.get_or_lease(&question(key)).await, Ok(Answer::Create { .. })));
        // It hears the channel already, and then the server falls silent.
        let first = tokio::spawn({
            let redis = redis.clone();
            async move { redis.wait(Key::name("k"), Duration::from_secs(1)).await }
        });
        tokio::time::sleep(millis(100)).await;
        proxy.stall(true);
        let began = Instant::now();
        redis.wait(key, millis(100)).await;
        assert!(began.elapsed() < millis(500), "{:?}", began.elapsed());
        first.abort();
    }
}

#[tokio::test]
async fn who_cannot_see_how_long_a_lease_lasts_waits_all_the_same() {
    let server = Server::start().unwrap();
    server.ask(&["ACL", "SETUSER", "few", "on", ">secret", "~*", "+@all", "-pttl", "-subscribe"]);
    let few = format!("redis://few:secret@127.0.0.1:{}", server.port());
    let waiter = region(&Redis::connect(&few).await.unwrap());
    let creator = region(&Redis::connect(&server.url()).await.unwrap());
    let (began, has_begun) = tokio::sync::oneshot::channel();
    let creating = tokio::spawn(async move {
        let create = || async {
            began.send(()).unwrap();
            tokio::time::sleep(millis(300)).await;
            made(1).await
        };
        creator.get_or_create("k", create).await.unwrap()
    });
    has_begun.await.unwrap();
    server.forget_calls();
    assert_eq!(waiter.get_or_create("k", || made(2)).await.unwrap(), 1);
    assert_eq!(creating.await.unwrap(), 1);
    let calls = server.calls();
    assert!(calls["get"] < 100, "it asks again and again: {calls:?}");
}
