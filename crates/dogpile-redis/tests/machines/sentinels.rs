//! Sentinels that are of no help.

use std::time::{Duration, Instant};

use dogpile_cache::codec::Json;
use dogpile_cache::{ErrorKind, Region};
use dogpile_core::{Answer, Ask, Backend, Clock, Key, LeaseBackend, Policy, SystemClock};
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};
use futures_util::future::join_all;

use crate::support::{Proxy, Sentinels, resp, sentinel};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// All of them share what takes a second to start, and come one after the other.
#[tokio::test]
async fn sentinels_may_be_slow_or_silent() {
    let sentinels = Sentinels::start().unwrap();
    a_slow_sentinel_makes_nobody_deaf(&sentinels).await;
    a_silent_sentinel_holds_nobody_up(&sentinels).await;
}

fn master() -> String {
    format!("redis://{}", sentinel::MASTER)
}

/// It takes longer to ask than to lose patience with who asks: then another one does too, and not
/// everybody. The connection of the first is heard for as long as somebody listens to it.
async fn a_slow_sentinel_makes_nobody_deaf(sentinels: &Sentinels) {
    let proxy = Proxy::to(resp::Place::Port(sentinels.port(0)));
    let options = Connect::new()
        .with_connect_timeout(millis(150))
        .with_response_timeout(Duration::from_secs(5))
        .with_total_timeout(Duration::from_secs(5));
    let sentinel = format!("redis://127.0.0.1:{}", proxy.port());
    let redis = Redis::connect_sentinel([sentinel], &master(), options).await.unwrap();
    let server = sentinels.master();
    server.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let key = Key::name("k");
    let holder = Redis::connect(&server.url()).await.unwrap();
    let ask = Ask::new(key, Policy::new().at(SystemClock.now()), Duration::from_secs(30));
    assert!(matches!(holder.get_or_lease(&ask).await, Ok(Answer::Create { .. })));

    proxy.delay(millis(100));
    let waiter = tokio::spawn({
        let redis = redis.clone();
        async move { redis.wait(Key::name("k"), Duration::from_secs(10)).await }
    });
    tokio::task::yield_now().await;
    let connections = || server.info("total_connections_received").parse::<u32>().unwrap();
    let before = connections();
    join_all((0..20).map(|_| redis.get(Key::name("other")))).await.into_iter().for_each(|got| {
        assert!(got.unwrap().is_none());
    });
    let made = connections() - before;
    assert!(made < 15, "twenty calls made {made} connections");
    assert!(!waiter.is_finished(), "it was to wait");
    let began = Instant::now();
    holder.delete_many(&[key]).await.unwrap();
    waiter.await.unwrap();
    assert!(began.elapsed() < millis(150), "{:?}", began.elapsed());
}

/// As those whose machine is gone: they take connections, and say nothing.
async fn a_silent_sentinel_holds_nobody_up(sentinels: &Sentinels) {
    let options = Connect::new()
        .with_connect_timeout(millis(200))
        .with_response_timeout(millis(250))
        .with_total_timeout(millis(600));
    let master = master();
    let connect = || Redis::connect_sentinel(sentinels.urls(), &master, options.clone());
    let there_already = connect().await.unwrap();
    sentinels.pause(0);
    let began = Instant::now();
    let new = connect().await.unwrap();
    assert!(began.elapsed() < millis(600), "{:?}", began.elapsed());
    sentinels.servers[0].ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    for redis in [there_already, new] {
        let cache = Region::new(Dogpile::leased(redis), Json);
        cache.set("k", &1_u32).await.unwrap();
        assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
    }
    sentinels.pause(1);
    sentinels.pause(2);
    let began = Instant::now();
    let error = connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
    assert!(began.elapsed() < millis(850), "{:?}", began.elapsed());
}
