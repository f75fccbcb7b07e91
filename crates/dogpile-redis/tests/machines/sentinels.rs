//! Sentinels that are of no help.

use std::time::{Duration, Instant};

use dogpile_cache::Region;
use dogpile_cache::codec::Json;
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};

use crate::support::{Sentinels, sentinel};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// As one whose machine is gone: it takes connections, and says nothing.
#[tokio::test]
async fn a_silent_sentinel_holds_nobody_up() {
    let sentinels = Sentinels::start().unwrap();
    let options = Connect::new()
        .with_connect_timeout(millis(200))
        .with_response_timeout(millis(250))
        .with_total_timeout(millis(600));
    let master = format!("redis://{}", sentinel::MASTER);
    let connect = || Redis::connect_sentinel(sentinels.urls(), &master, options.clone());
    let there_already = connect().await.unwrap();
    sentinels.pause_first();
    let began = Instant::now();
    let new = connect().await.unwrap();
    assert!(began.elapsed() < millis(600), "{:?}", began.elapsed());
    sentinels.servers[0].ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    for redis in [there_already, new] {
        let cache = Region::new(Dogpile::leased(redis), Json);
        cache.set("k", &1_u32).await.unwrap();
        assert_eq!(cache.get::<u32>("k").await.unwrap(), Some(1));
    }
}
