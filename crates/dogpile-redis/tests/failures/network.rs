//! Servers that are stopped, slow, gone and back.

use std::time::{Duration, Instant};

use dogpile_cache::codec::Json;
use dogpile_cache::{ErrorKind, WhenDown};
use dogpile_core::{Key, Policy};
use dogpile_redis::{Connect, Redis};

use crate::support::Server;
use crate::{QUICK, behind_a_wire, made, millis, quick, region};

/// The kind of error of a call, which must come in time.
async fn fails<T: std::fmt::Debug>(
    call: impl Future<Output = dogpile_cache::Result<T>>,
) -> ErrorKind {
    let began = Instant::now();
    let error = call.await.unwrap_err();
    assert!(began.elapsed() < QUICK, "{error} after {:?}", began.elapsed());
    error.kind()
}

/// Asks until there is an answer.
async fn heals(redis: &Redis) -> Duration {
    let began = Instant::now();
    loop {
        match region(redis).get::<u32>("k").await {
            Ok(_) => return began.elapsed(),
            Err(error) => assert!(began.elapsed() < Duration::from_secs(5), "{error}"),
        }
        tokio::time::sleep(millis(2)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_gone_fails_at_once_and_heals_without_a_restart() {
    let server = Server::start().unwrap();
    let redis = Redis::connect_with(&server.url(), quick()).await.unwrap();
    let cache = region(&redis);
    cache.set("k", &1_u32).await.unwrap();
    server.kill();
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(fails(cache.get::<u32>("k")).await, ErrorKind::Unavailable);
        assert!(began.elapsed() < millis(100), "a refused connection is known at once");
    }
    assert_eq!(fails(cache.set("k", &2_u32)).await, ErrorKind::Unavailable);
    assert_eq!(fails(cache.get_or_create("k", || made(3))).await, ErrorKind::Unavailable);
    let carries_on = region(&redis).when_down(WhenDown::Miss);
    assert_eq!(carries_on.get_or_create("k", || made(4)).await.unwrap(), 4);

    server.restart();
    let took = heals(&redis).await;
    assert!(took < millis(300), "{took:?}");
    assert_eq!(cache.get_or_create("k", || made(5)).await.unwrap(), 5);
    assert!(redis.stats().reconnects >= 1);
}

#[tokio::test]
async fn a_stopped_server_costs_no_more_than_the_timeout() {
    let server = Server::start().unwrap();
    let redis = Redis::connect_with(&server.url(), quick()).await.unwrap();
    let cache = region(&redis);
    cache.set("k", &1_u32).await.unwrap();
    server.pause();
    // Many at once: none waits for another's timeout.
    let began = Instant::now();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { fails(cache.get::<u32>("k")).await })
        })
        .collect();
    for call in calls {
        assert!(matches!(call.await.unwrap(), ErrorKind::TimedOut | ErrorKind::Unavailable));
    }
    assert!(began.elapsed() < QUICK, "{:?}", began.elapsed());
    server.go_on();
    heals(&redis).await;
    assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_server_that_sleeps_is_waited_for_as_long_as_allowed() {
    let server = Server::start().unwrap();
    let redis = Redis::connect_with(&server.url(), quick()).await.unwrap();
    let cache = region(&redis);
    cache.set("k", &1_u32).await.unwrap();
    server.pause();
    let wakes = async {
        tokio::time::sleep(millis(50)).await;
        server.go_on();
    };
    let (found, ()) = tokio::join!(cache.get::<u32>("k"), wakes);
    assert_eq!(found.unwrap(), Some(1), "it is back within the timeout");

    server.pause();
    let kind = fails(cache.get::<u32>("k")).await;
    assert!(matches!(kind, ErrorKind::TimedOut | ErrorKind::Unavailable), "{kind:?}");
    server.go_on();
    heals(&redis).await;
}

#[tokio::test]
async fn a_wire_that_is_stuck_or_cut_is_replaced() {
    let (_server, proxy, redis) = behind_a_wire(quick()).await;
    let cache = region(&redis);
    cache.set("k", &1_u32).await.unwrap();

    proxy.stall(true);
    fails(cache.get::<u32>("k")).await;
    proxy.stall(false);
    heals(&redis).await;

    // A cut is noticed, and a call that meets it is sent again.
    for _ in 0..20 {
        proxy.cut();
        assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
    }

    proxy.refuse(true);
    fails(cache.get::<u32>("k")).await;
    proxy.refuse(false);
    heals(&redis).await;
}

/// What was lost half way through the time allowed is tried again for the other half.
#[tokio::test]
async fn connecting_again_does_not_begin_the_time_anew() {
    let options = quick().with_connect_timeout(millis(5_000)).with_response_timeout(millis(5_000));
    let (_server, proxy, redis) = behind_a_wire(options.with_total_timeout(millis(600))).await;
    proxy.stall(true);
    let began = Instant::now();
    let call = tokio::spawn(async move { region(&redis).get::<u32>("k").await });
    tokio::time::sleep(millis(400)).await;
    proxy.cut();
    assert_eq!(call.await.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(began.elapsed() < millis(850), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_total_timeout_bounds_a_call_also_if_it_is_the_smallest() {
    let (_server, proxy, redis) =
        behind_a_wire(Connect::new().with_total_timeout(millis(200))).await;
    proxy.stall(true);
    let began = Instant::now();
    let error = region(&redis).get::<u32>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
    assert!(began.elapsed() < millis(600), "{:?}", began.elapsed());
}

/// Nobody has to set a timeout.
#[tokio::test]
async fn the_defaults_bound_calls_of_a_stopped_server() {
    let server = Server::start().unwrap();
    let url = server.url();
    let cache = region(&Redis::connect(&url).await.unwrap());
    server.pause();
    let began = Instant::now();
    let (got, connected) = tokio::join!(cache.get::<u32>("k"), Redis::connect(&url));
    assert_eq!(got.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(began.elapsed() < millis(1_800), "{:?}", began.elapsed());
}

/// A field that is written while its group is read, between the small values and the large ones.
#[tokio::test]
async fn a_group_is_read_whole_while_it_is_written() {
    let (server, proxy, redis) = behind_a_wire(Connect::new()).await;
    let cache = region(&redis);
    let key = Key::field("g", "f");
    for (before, after) in
        [("large ".repeat(20), "small".to_owned()), ("a ".repeat(60), "b ".repeat(60))]
    {
        cache.set(key, &before).await.unwrap();
        server.forget_calls();
        proxy.stall_after("*2\r\n$7\r\nHGETALL\r\n$8\r\ng:fields\r\n".len());
        let reading = tokio::spawn({
            let redis = redis.clone();
            async move { redis.read_group("g").await }
        });
        while !server.calls().contains_key("hgetall") {
            tokio::time::sleep(millis(1)).await;
        }
        region(&Redis::connect(&server.url()).await.unwrap()).set(key, &after).await.unwrap();
        proxy.stall(false);
        let group = reading.await.unwrap().unwrap();
        let found: Option<String> = group.value("f", &Policy::new(), &Json).unwrap();
        assert_eq!(found, Some(after));
    }
}

#[tokio::test]
async fn a_slow_wire_is_only_slow() {
    let (server, proxy, redis) = behind_a_wire(quick()).await;
    let cache = region(&redis);
    proxy.delay(millis(20));
    assert_eq!(cache.get_or_create("k", || made(1)).await.unwrap(), 1);
    assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
    // Seven bytes at a time: replies arrive in pieces.
    proxy.dribble(7, Duration::from_micros(100));
    let text = "text ".repeat(20);
    cache.set("t", &text).await.unwrap();
    assert_eq!(cache.get::<String>("t").await.unwrap(), Some(text));
    drop(server);
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_the_connection_in_order() {
    let (_server, proxy, redis) = behind_a_wire(Connect::new()).await;
    let cache = region(&redis);
    cache.set("mine", &1_u32).await.unwrap();
    cache.set("another's", &2_u32).await.unwrap();
    proxy.delay(millis(1));
    for _ in 0..50 {
        let dropped = tokio::time::timeout(millis(1), cache.get::<u32>("another's")).await;
        drop(dropped);
        assert_eq!(cache.get::<u32>("mine").await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn a_program_can_start_while_its_server_is_down() {
    let server = Server::start().unwrap();
    server.kill();
    let kind = fails(Redis::connect_with(&server.url(), quick())).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    let redis = Redis::lazy(&server.url(), quick()).unwrap();
    assert_eq!(fails(region(&redis).get::<u32>("k")).await, ErrorKind::Unavailable);
    server.restart();
    heals(&redis).await;
}
