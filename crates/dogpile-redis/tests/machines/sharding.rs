//! A region spread over servers that know nothing of one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogpile_cache::codec::Json;
use dogpile_cache::layer::Sharded;
use dogpile_cache::{ErrorKind, Region};
use dogpile_core::{Key, Locator};
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};
use shard_ring::{Profile, Ring};

use crate::support::Server;

/// By the first byte: a rule of one's own.
#[derive(Debug)]
struct ByFirstByte;

impl Locator for ByFirstByte {
    fn node_count(&self) -> usize {
        3
    }

    fn locate(&self, key: &[u8]) -> Option<usize> {
        Some(key.first().map_or(0, |byte| usize::from(byte % 3)))
    }

    fn replicas(&self, key: &[u8], nodes: &mut [usize]) -> usize {
        let Some(first) = nodes.first_mut() else { return 0 };
        *first = self.locate(key).unwrap_or(0);
        1
    }
}

#[tokio::test]
async fn keys_are_spread_by_any_locator() {
    let ring = Ring::with_nodes(Profile::native(), [("blue", ()), ("green", ()), ("red", ())]);
    tokio::join!(spread(ring.unwrap()), spread(ByFirstByte));
}

async fn spread<L: Locator + 'static>(locator: L) {
    let servers: Vec<Server> = (0..3).map(|_| Server::start().unwrap()).collect();
    let options = Connect::new()
        .with_response_timeout(Duration::from_millis(200))
        .with_total_timeout(Duration::from_millis(300));
    let mut shards = Vec::new();
    for server in &servers {
        shards.push(Redis::connect_with(&server.url(), options.clone()).await.unwrap());
    }
    let sharded = Sharded::new(locator, shards).unwrap();
    let cache = Region::new(Dogpile::leased(sharded), Json);
    let names: Vec<String> = ('a'..='z').map(|letter| format!("{letter}{letter}")).collect();
    let made = Arc::<AtomicUsize>::default();
    let create = |missing: Vec<&String>| {
        made.fetch_add(missing.len(), Ordering::SeqCst);
        let values: Vec<String> = missing.into_iter().cloned().collect();
        async move { Ok::<_, String>(values) }
    };
    for _ in 0..2 {
        let values = cache.get_or_create_many(&names, create).await.unwrap();
        assert_eq!(values, names);
    }
    assert_eq!(made.load(Ordering::SeqCst), 26, "each is created once");
    let sizes: Vec<i64> = servers.iter().map(|server| server.ask(&["DBSIZE"]).number()).collect();
    assert!(sizes.iter().all(|size| *size > 0) && sizes.iter().sum::<i64>() == 26, "{sizes:?}");

    // One server less: its keys fail, and the others are served.
    servers[1].kill();
    let store = cache.store().backend();
    for name in &names {
        let answer = cache.get::<String>(name).await;
        match store.shard_of(Key::name(name)).unwrap() {
            1 => assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable),
            _ => assert_eq!(answer.unwrap().as_ref(), Some(name)),
        }
    }
    let found = cache.get_many::<String, _>(&names).await.unwrap();
    assert_eq!(found.iter().flatten().count() as i64, 26 - sizes[1]);
    servers[1].restart();
    let began = Instant::now();
    let there = |name: &&String| store.shard_of(Key::name(name)).unwrap() == 1;
    let name = names.iter().find(there).unwrap();
    while let Err(error) = cache.get::<String>(name).await {
        assert!(began.elapsed() < Duration::from_secs(2), "{error}");
    }
    let values = cache.get_or_create_many(&names, create).await;
    assert_eq!(values.unwrap(), names);
    assert_eq!(made.load(Ordering::SeqCst) as i64, 26 + sizes[1], "what was lost is created again");
}
