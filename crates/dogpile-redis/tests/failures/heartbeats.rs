//! Many creations at once, whose leases are kept alive over one connection.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dogpile_cache::Region;
use dogpile_cache::codec::Json;
use dogpile_core::Key;
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};

use crate::support::{Proxy, Server};
use crate::{Cache, behind_a_wire, made, millis, region};

const CREATORS: usize = 200;
const LEASE: Duration = Duration::from_secs(1);

/// Two kinds of places, by turns.
fn key(at: usize) -> String {
    format!("key {at}")
}

fn place(at: usize, name: &str) -> Key<'_> {
    if at.is_multiple_of(2) { Key::name(name) } else { Key::field("group", name) }
}

type Names = Arc<Mutex<HashSet<String>>>;

/// A region, and the keys whose leases it was told were lost.
fn watched(redis: &Redis) -> (Cache, Names) {
    let lost = Names::default();
    let told = Arc::clone(&lost);
    let dogpile = Dogpile::leased(redis.clone()).with_on_lost_lease(move |key: Key<'_>| {
        let name = String::from_utf8(key.as_bytes().to_vec()).unwrap();
        assert!(told.lock().unwrap().insert(name), "told twice");
    });
    (Region::new(dogpile, Json).with_lease_for(LEASE), lost)
}

/// Creates all values at once, each of which takes so long, while something is done.
async fn create_all<T>(cache: &Cache, lasts: Duration, meanwhile: impl Future<Output = T>) -> T {
    let begun = Arc::new(tokio::sync::Barrier::new(CREATORS + 1));
    let creators: Vec<_> = (0..CREATORS)
        .map(|at| {
            let (cache, begun) = (cache.clone(), Arc::clone(&begun));
            tokio::spawn(async move {
                let create = || async {
                    begun.wait().await;
                    tokio::time::sleep(lasts).await;
                    made(u32::try_from(at).unwrap()).await
                };
                cache.get_or_create(place(at, &key(at)), create).await.unwrap()
            })
        })
        .collect();
    begun.wait().await;
    let done = meanwhile.await;
    for (at, creator) in creators.into_iter().enumerate() {
        assert_eq!(creator.await.unwrap() as usize, at, "whoever created it has it");
    }
    done
}

/// Which values are there.
async fn stored(redis: &Redis) -> HashSet<String> {
    let names: Vec<String> = (0..CREATORS).map(key).collect();
    let keys: Vec<_> = names.iter().enumerate().map(|(at, name)| place(at, name)).collect();
    let found = region(redis).get_many::<u32, _>(&keys).await.unwrap();
    names.iter().zip(found).filter_map(|(name, value)| value.map(|_| name.clone())).collect()
}

async fn behind() -> (Server, Proxy, Redis) {
    behind_a_wire(Connect::new()).await
}

#[tokio::test]
async fn many_leases_are_kept_alive_in_few_packets() {
    let (server, proxy, redis) = behind().await;
    let (cache, lost) = watched(&redis);
    let lasts = millis(2_500);
    let (packets, commands, beats) = create_all(&cache, lasts, async {
        let (before, began) = (proxy.trips(), Instant::now());
        server.forget_calls();
        tokio::time::sleep(lasts - millis(200)).await;
        let beats = (began.elapsed().as_secs_f64() / LEASE.as_secs_f64() * 3.0).round();
        let seen = (proxy.trips() - before, server.calls()["evalsha"], beats);
        // Some of them are lost, and others are not touched.
        server.ask(&["DEL", "{key 0}:lease", "{key 2}:lease"]);
        server.ask(&["HDEL", "{group:fields}:lease", "key 1"]);
        seen
    })
    .await;
    // Each beats three times in a lease; all of them together take a few packets a beat.
    assert!(packets as f64 <= beats * 8.0, "{packets} packets for {beats} beats of {CREATORS}");
    let each = commands as f64 / CREATORS as f64;
    assert!(each <= beats + 1.0, "{commands} commands in {beats} beats of {CREATORS}");
    let missing = ["key 0", "key 1", "key 2"].map(str::to_owned).into();
    assert_eq!(*lost.lock().unwrap(), missing);
    assert_eq!(redis.stats().lost_leases, 3);
    assert_eq!(stored(&redis).await, &(0..CREATORS).map(key).collect() - &missing);
}

/// For less than a lease nothing is lost, and for longer whatever is lost is told.
#[tokio::test]
async fn a_server_that_stops_for_a_moment_loses_no_lease_in_silence() {
    for stops in [millis(500), millis(1_300)] {
        let server = Server::start().unwrap();
        let redis = Redis::connect(&server.url()).await.unwrap();
        let (cache, lost) = watched(&redis);
        create_all(&cache, millis(2_200), async {
            tokio::time::sleep(millis(300)).await;
            server.pause();
            tokio::time::sleep(stops).await;
            server.go_on();
        })
        .await;
        let lost = lost.lock().unwrap().clone();
        assert_eq!(redis.stats().lost_leases, lost.len() as u64);
        assert_eq!(stored(&redis).await, &(0..CREATORS).map(key).collect() - &lost, "{stops:?}");
        assert_eq!(lost.is_empty(), stops < LEASE, "{} after {stops:?}", lost.len());
    }
}
