//! Round trips, counted on the wire.

use std::time::Duration;

use dogpile_core::{Answer, Ask, Clock, ErrorKind, Key, LeaseBackend, Policy, SystemClock};
use dogpile_redis::{Connect, Redis};
use tokio::sync::oneshot;

use crate::support::{Proxy, Server};
use crate::{behind_a_wire, made, millis, region};

async fn trips<T>(proxy: &Proxy, call: impl Future<Output = T>) -> (u64, T) {
    let before = proxy.trips();
    let answer = call.await;
    (proxy.trips() - before, answer)
}

fn key(in_group: bool, name: &str) -> Key<'_> {
    if in_group { Key::field("g", name) } else { Key::name(name) }
}

#[tokio::test]
async fn they_are_as_few_as_promised() {
    let (server, proxy, redis) = behind_a_wire(Connect::new()).await;
    for in_group in [false, true] {
        let key = |name| key(in_group, name);
        let cache = region(&redis).expires_after(millis(60_000));
        let short = region(&redis).expires_after(millis(10));
        // A server that knows no script yet, and a process that has never asked.
        let (miss, value) = trips(&proxy, cache.get_or_create(key("k"), || made(1))).await;
        assert!(miss <= 3 && value.unwrap() == 1, "a miss took {miss}");
        for _ in 0..3 {
            let (hit, value) = trips(&proxy, cache.get_or_create(key("k"), || made(2))).await;
            assert_eq!((hit, value.unwrap()), (1, 1), "a hit");
        }
        tokio::time::sleep(millis(20)).await;
        let (expired, value) = trips(&proxy, short.get_or_create(key("k"), || made(3))).await;
        assert!(expired <= 3 && value.unwrap() == 3, "expired took {expired}");

        tokio::time::sleep(millis(20)).await;
        let (began, has_begun) = oneshot::channel();
        let (end, ends) = oneshot::channel::<()>();
        let elsewhere = Redis::connect(&server.url()).await.unwrap();
        let creator = tokio::spawn({
            let (cache, key) = (region(&elsewhere).expires_after(millis(10)), key("k").to_owned());
            async move {
                let create = || async {
                    began.send(()).unwrap();
                    ends.await.unwrap();
                    made(4).await
                };
                cache.get_or_create(key, create).await.unwrap()
            }
        });
        has_begun.await.unwrap();
        for _ in 0..3 {
            let (busy, value) = trips(&proxy, short.get_or_create(key("k"), || made(5))).await;
            assert_eq!((busy, value.unwrap()), (1, 3), "stale while another process creates");
        }
        end.send(()).unwrap();
        assert_eq!(creator.await.unwrap(), 4);

        let names: Vec<String> = (0..10).map(|at| format!("many {at}")).collect();
        let keys: Vec<Key<'_>> = names.iter().map(|name| self::key(in_group, name)).collect();
        let create = |missing: Vec<&Key<'_>>| {
            let values = vec![6_u32; missing.len()];
            async move { Ok::<_, String>(values) }
        };
        let (many, values) = trips(&proxy, cache.get_or_create_many(&keys, create)).await;
        assert!(many <= 4, "ten missing keys took {many}");
        assert_eq!(values.unwrap(), vec![6; 10]);
        let (hits, values) = trips(&proxy, cache.get_many::<u32, _>(&keys)).await;
        assert_eq!((hits, values.unwrap()), (1, vec![Some(6); 10]));
        let (gone, _) = trips(&proxy, cache.delete_many(&keys)).await;
        assert_eq!(gone, 1);
        if in_group {
            cache
                .set_many(&keys.iter().map(|key| (*key, 7_u32)).collect::<Vec<_>>())
                .await
                .unwrap();
            let (gone, result) = trips(&proxy, cache.delete_group("g")).await;
            result.unwrap();
            assert_eq!(gone, 1, "a group");
            assert_eq!(cache.get_many::<u32, _>(&keys).await.unwrap(), [None; 10]);
        }

        let fails = |_: Vec<&Key<'_>>| async { Err::<Vec<u32>, _>("no") };
        let (failed, error) = trips(&proxy, cache.get_or_create_many(&keys, fails)).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Creation);
        assert!(failed <= 4, "ten leases that are given back took {failed}");
    }
    assert_eq!(proxy.opened(), 1, "one connection carries everything");
}

/// No script, and no look at the lease.
#[tokio::test]
async fn a_fresh_value_is_one_plain_read() {
    let (server, _proxy, redis) = behind_a_wire(Connect::new()).await;
    let cache = region(&redis);
    for (in_group, command) in [(false, "get"), (true, "hget")] {
        let key = key(in_group, "k");
        cache.set(key, &1_u32).await.unwrap();
        // The first time it is not known that it is there, and its lease is looked at with it.
        assert_eq!(cache.get_or_create(key, || made(2)).await.unwrap(), 1);
        server.forget_calls();
        for _ in 0..3 {
            assert_eq!(cache.get_or_create(key, || made(2)).await.unwrap(), 1);
        }
        assert_eq!(server.calls(), [(command.to_owned(), 3)].into());
    }
}

/// Who had it as fresh reads it plainly once more, and knows from then on that it may be leased.
#[tokio::test]
async fn a_stale_value_that_is_leased_is_one_round_trip_but_for_the_first() {
    let (server, proxy, redis) = behind_a_wire(Connect::new()).await;
    let elsewhere = Redis::connect(&server.url()).await.unwrap();
    let (cache, short) = (region(&redis), region(&redis).expires_after(millis(1)));
    for in_group in [false, true] {
        let key = key(in_group, "k");
        cache.set(key, &1_u32).await.unwrap();
        assert_eq!(cache.get_or_create(key, || made(2)).await.unwrap(), 1);
        tokio::time::sleep(millis(20)).await;
        let stale = Policy::new().with_fresh_for(Some(millis(1))).at(SystemClock.now());
        let lease = Ask::new(key, stale, Duration::from_secs(4));
        let leased = elsewhere.get_or_lease(&lease).await.unwrap();
        assert!(matches!(leased, Answer::Create { .. }), "{leased:?}");
        for expected in [2, 1, 1] {
            let (took, value) = trips(&proxy, short.get_or_create(key, || made(3))).await;
            assert!(took <= expected && value.unwrap() == 1, "{took} of {expected}");
        }
    }
}

#[tokio::test]
async fn strings_and_fields_travel_together() {
    let (_server, proxy, redis) = behind_a_wire(Connect::new()).await;
    let cache = region(&redis);
    let keys: Vec<Key<'_>> = vec![
        Key::name("a"),
        Key::field("g", "a"),
        Key::name("b"),
        Key::field("h", "a"),
        Key::field("g", "b"),
        Key::name("a"),
    ];
    let items: Vec<_> = keys[..5].iter().zip(0_u32..).map(|(key, value)| (*key, value)).collect();
    let (set, result) = trips(&proxy, cache.set_many(&items)).await;
    result.unwrap();
    assert_eq!(set, 1);
    let (read, values) = trips(&proxy, cache.get_many::<u32, _>(&keys)).await;
    assert_eq!((read, values.unwrap()), (1, [0, 1, 2, 3, 4, 0].map(Some).to_vec()));
}

/// More keys than anybody remembers.
#[tokio::test]
async fn hits_are_plain_reads_however_many_keys_there_are() {
    const KEYS: u32 = 10_000;
    let server = Server::start().unwrap();
    let redis = Redis::connect(&server.url()).await.unwrap();
    let cache = region(&redis);
    let items: Vec<_> = (0..KEYS).map(|at| (at, at)).collect();
    for some in items.chunks(500) {
        cache.set_many(some).await.unwrap();
    }
    for _ in 0..2 {
        server.forget_calls();
        let readers: Vec<_> = (0..8)
            .map(|reader| {
                let cache = cache.clone();
                tokio::spawn(async move {
                    for at in (reader..KEYS).step_by(8) {
                        assert_eq!(cache.get_or_create(at, || made(0)).await.unwrap(), at);
                    }
                })
            })
            .collect();
        for reader in readers {
            reader.await.unwrap();
        }
    }
    let calls = server.calls();
    assert_eq!(calls["get"], u64::from(KEYS), "and no lease is looked at: {calls:?}");
    assert!(!calls.contains_key("evalsha"), "{calls:?}");
}

/// Waiters are woken: none of them polls.
#[tokio::test]
async fn waiting_costs_a_waiter_nothing_on_the_wire() {
    let server = Server::start().unwrap();
    let other = Redis::connect(&server.url()).await.unwrap();
    a_hundred_wait(&server, &other).await;
    let client = redis::Client::open(server.url()).unwrap();
    let other = Redis::connect_client(client, Connect::new()).await.unwrap();
    server.ask(&["FLUSHALL"]);
    a_hundred_wait(&server, &other).await;
}

async fn a_hundred_wait(server: &Server, other: &Redis) {
    let one = Redis::connect(&server.url()).await.unwrap();
    let (began, has_begun) = oneshot::channel();
    let creator = tokio::spawn({
        let cache = region(&one);
        async move {
            let create = || async {
                began.send(()).unwrap();
                tokio::time::sleep(millis(300)).await;
                made(1).await
            };
            cache.get_or_create("k", create).await.unwrap()
        }
    });
    has_begun.await.unwrap();
    server.forget_calls();
    let cache = region(other);
    let waiters: Vec<_> = (0..100)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get_or_create("k", || made(2)).await.unwrap() })
        })
        .collect();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), 1);
    }
    assert_eq!(creator.await.unwrap(), 1);
    let calls = server.calls();
    let all: u64 = calls.values().sum();
    assert!(calls.contains_key("subscribe"), "{calls:?}");
    assert!(all < 20, "a hundred waiters in one process: {calls:?}");
}
