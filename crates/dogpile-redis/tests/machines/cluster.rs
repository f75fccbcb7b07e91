//! What is special about a cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogpile_cache::codec::Json;
use dogpile_cache::{ErrorKind, Region, WhenDown};
use dogpile_core::{Backend, Key};
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};
use tokio::sync::oneshot;

use crate::support::{Cluster, Kind, Server, process};

type Cache = Region<Dogpile<Redis>, Json>;

fn region(redis: &Redis) -> Cache {
    Region::new(Dogpile::leased(redis.clone()), Json)
}

async fn made(value: u32) -> Result<u32, String> {
    Ok(value)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// All of them share a cluster, which takes two seconds to start, and come one after the other.
#[tokio::test]
async fn a_cluster_is_used_as_one_server() {
    let cluster = Cluster::start(Kind::Redis).unwrap();
    let redis = Redis::connect_cluster(cluster.urls(), Connect::new()).await.unwrap();
    bulk_calls_are_split_and_sent_at_once(&cluster, &redis).await;
    waiters_are_woken_by_messages(&cluster, &redis).await;
    locks_in_another_slot_are_refused(&redis).await;
    leases_that_begin_otherwise_are_in_the_slot_of_their_value(&redis).await;
    who_may_not_ask_what_the_nodes_know_is_served(&cluster).await;
    a_connection_that_is_there_already_will_do(&cluster).await;
    redirections_are_followed(&cluster, &redis).await;
    a_planned_failover_is_hardly_noticed(&cluster, &redis).await;
    a_runtime_that_ends_takes_nobody_with_it(&cluster).await;
    a_runtime_that_ends_while_it_connects_holds_nobody_up(&cluster).await;
    a_stopped_node_affects_its_own_keys(&cluster).await;
}

async fn bulk_calls_are_split_and_sent_at_once(cluster: &Cluster, redis: &Redis) {
    let cache = region(redis);
    let names: Vec<String> = (0..300).map(|at| format!("bulk {at}")).collect();
    let keys: Vec<Key<'_>> = names
        .iter()
        .flat_map(|name| [Key::name(name), Key::field("bulk", name), Key::field(name, "f")])
        .collect();
    let items: Vec<_> = keys.iter().copied().zip(0_u32..).collect();
    cache.set_many(&items).await.unwrap();
    cluster.nodes[..3].iter().for_each(Server::forget_calls);
    let backwards: Vec<_> = keys.iter().rev().chain(&keys[..10]).copied().collect();
    let values: Vec<_> =
        cache.get_many::<u32, _>(&backwards).await.unwrap().into_iter().flatten().collect();
    let expected: Vec<u32> = (0..900).rev().chain(0..10).collect();
    assert_eq!(values, expected);
    for node in &cluster.nodes[..3] {
        let calls = node.calls();
        assert!(calls.contains_key("mget") && calls.contains_key("hmget"), "{calls:?}");
        assert!(!calls.contains_key("get"), "keys of one slot share a command: {calls:?}");
    }
    let create = |missing: Vec<&Key<'_>>| {
        let values = vec![7_u32; missing.len()];
        async move { Ok::<_, String>(values) }
    };
    cache.delete_many(&keys[..450]).await.unwrap();
    let values = cache.get_or_create_many(&keys, create).await.unwrap();
    assert_eq!(values.iter().filter(|value| **value == 7).count(), 450);
    redis.delete_group(b"bulk").await.unwrap();
    let left = cache.get_many::<u32, _>(&keys).await.unwrap();
    assert_eq!(left.iter().flatten().count(), 600);
}

async fn waiters_are_woken_by_messages(cluster: &Cluster, redis: &Redis) {
    let other = Redis::connect_cluster(cluster.urls(), Connect::new()).await.unwrap();
    let (creator, waiter) = (region(redis), region(&other));
    let master = cluster.master_of(b"waited for").unwrap();
    for round in 0..3 {
        creator.delete("waited for").await.unwrap();
        let (began, has_begun) = oneshot::channel();
        let creating = tokio::spawn({
            let creator = creator.clone();
            async move {
                let create = || async {
                    began.send(()).unwrap();
                    tokio::time::sleep(millis(150)).await;
                    made(round).await
                };
                creator.get_or_create("waited for", create).await.unwrap();
                Instant::now()
            }
        });
        has_begun.await.unwrap();
        master.forget_calls();
        assert_eq!(waiter.get_or_create("waited for", || made(99)).await.unwrap(), round);
        let (woken, stored) = (Instant::now(), creating.await.unwrap());
        assert!(woken < stored + millis(50), "{:?} late", woken - stored);
        let calls = master.calls();
        assert_eq!(calls.get("ssubscribe"), Some(&1), "{calls:?}");
        assert!(calls.get("pttl").is_none_or(|calls| *calls <= 3), "nobody polls: {calls:?}");
    }
}

async fn locks_in_another_slot_are_refused(redis: &Redis) {
    let cache = region(&redis.clone().with_python_locks("_lock"));
    let error = cache.get_or_create("locked", || made(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.to_string().contains("with_python_locks"), "{error}");
}

async fn leases_that_begin_otherwise_are_in_the_slot_of_their_value(redis: &Redis) {
    let cache = region(&redis.clone().with_lease_prefix("lock:"));
    for key in [Key::name("begins"), Key::name("{be}gins"), Key::field("begins", "f")] {
        assert_eq!(cache.get_or_create(key, || made(1)).await.unwrap(), 1);
    }
}

async fn who_may_not_ask_what_the_nodes_know_is_served(cluster: &Cluster) {
    for node in &cluster.nodes {
        node.ask(&["ACL", "SETUSER", "few", "on", ">secret", "~*", "&*", "+@all", "-command"]);
    }
    let urls = cluster.urls().into_iter().map(|url| url.replace("://", "://few:secret@"));
    let cache = region(&Redis::connect_cluster(urls, Connect::new()).await.unwrap());
    assert_eq!(cache.get_or_create("few", || made(1)).await.unwrap(), 1);
}

async fn a_connection_that_is_there_already_will_do(cluster: &Cluster) {
    let client = redis::cluster::ClusterClient::new(cluster.urls()).unwrap();
    let cache = region(&Redis::over_cluster(client.get_async_connection().await.unwrap()));
    assert_eq!(cache.get_or_create("given", || made(1)).await.unwrap(), 1);
    let names: Vec<String> = (0..20).map(|at| format!("given {at}")).collect();
    assert_eq!(cache.get_many::<u32, _>(&names).await.unwrap(), vec![None; 20]);
}

/// A slot is moved with two entries in it, and read and written at every stage.
async fn redirections_are_followed(cluster: &Cluster, redis: &Redis) {
    let cache = region(redis);
    for name in ["{moved}1", "{moved}2"] {
        cache.set(name, &1_u32).await.unwrap();
    }
    let slot = cluster.slot_of(b"moved");
    let from = cluster.master_of(b"moved").unwrap();
    let to = cluster.nodes[..3].iter().find(|node| node.port() != from.port()).unwrap();
    cluster.begin_move(slot, from, to);
    assert_eq!(cache.get::<u32>("{moved}1").await.unwrap(), Some(1), "still where it was");
    to.forget_calls();
    assert_eq!(cache.get_or_create("{moved}1", || made(3)).await.unwrap(), 1);
    assert_eq!(cache.get::<u32>("{moved}3").await.unwrap(), None);
    assert!(to.calls().contains_key("asking"), "what is missing is asked for: {:?}", to.calls());
    // The servers refuse what has two keys.
    let error = cache.get_or_create("{moved}3", || made(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("being moved"), "{error}");
    let carries_on = cache.clone().when_down(WhenDown::Miss);
    assert_eq!(carries_on.get_or_create("{moved}3", || made(3)).await.unwrap(), 3);

    cluster.end_move(slot, from, to);
    assert_eq!(cache.get::<u32>("{moved}1").await.unwrap(), Some(1));
    for (at, name) in [(3, "{moved}3"), (4, "{moved}4")] {
        assert_eq!(cache.get_or_create(name, || made(at)).await.unwrap(), at);
    }
    let all = cache.get_many::<u32, _>(&["{moved}1", "{moved}2", "{moved}3", "{moved}4"]).await;
    assert_eq!(all.unwrap(), [Some(1), Some(1), Some(3), Some(4)]);
    assert_eq!(from.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]).number(), 0);
}

async fn a_planned_failover_is_hardly_noticed(cluster: &Cluster, redis: &Redis) {
    let cache = region(redis);
    cache.set("planned", &1_u32).await.unwrap();
    let master = cluster.master_of(b"planned").unwrap().port();
    let index = cluster.nodes.iter().position(|node| node.port() == master).unwrap();
    let replica = &cluster.nodes[(index + 3) % 6];
    replica.ask(&["CLUSTER", "FAILOVER"]);
    process::wait_until("the failover", || (replica.info("role") == "master").then_some(()));
    let made_up = Arc::<AtomicUsize>::default();
    for at in 0..50 {
        let key = format!("planned {at}");
        let counted = Arc::clone(&made_up);
        let create = || async move {
            counted.fetch_add(1, Ordering::SeqCst);
            made(2).await
        };
        assert_eq!(cache.get_or_create(key, create).await.unwrap(), 2);
    }
    assert_eq!(made_up.load(Ordering::SeqCst), 50);
    assert_eq!(cache.get::<u32>("planned").await.unwrap(), Some(1));
}

/// On a runtime that has ended when this returns.
fn elsewhere<T: Send>(call: impl Future<Output = T> + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(call)
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// The connection is driven by the runtime that made it. With that gone, the next call makes another.
async fn a_runtime_that_ends_takes_nobody_with_it(cluster: &Cluster) {
    let redis = elsewhere(Redis::connect_cluster(cluster.urls(), Connect::new())).unwrap();
    let calls: Vec<_> = (0..20)
        .map(|at| {
            let cache = region(&redis);
            tokio::spawn(async move { cache.get_or_create(("ended", at), || made(at)).await })
        })
        .collect();
    for (at, call) in (0..20).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), at);
    }
    assert_eq!(redis.stats().reconnects, 1);
    waiters_are_woken_by_messages(cluster, &redis).await;
}

async fn a_runtime_that_ends_while_it_connects_holds_nobody_up(cluster: &Cluster) {
    let options = Connect::new().with_connect_timeout(millis(150)).with_total_timeout(millis(300));
    let redis = Redis::connect_cluster(cluster.urls(), options).await.unwrap();
    let cache = region(&redis);
    let began = Instant::now();
    while redis.stats().reconnects == 0 {
        assert!(began.elapsed() < Duration::from_secs(5), "nobody connects again");
        cluster.nodes.iter().for_each(Server::pause);
        // Both give the connection up, the first on a runtime that ends with it.
        elsewhere(cache.get::<u32>("ended")).unwrap_err();
        cache.get::<u32>("ended").await.unwrap_err();
        cluster.nodes.iter().for_each(Server::go_on);
        let since = Instant::now();
        while redis.stats().reconnects == 0 && since.elapsed() < millis(300) {
            tokio::time::sleep(millis(2)).await;
        }
    }
    while cache.get::<u32>("ended").await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(5), "it does not come back");
        tokio::time::sleep(millis(10)).await;
    }
}

async fn a_stopped_node_affects_its_own_keys(cluster: &Cluster) {
    let by_default = region(&Redis::connect_cluster(cluster.urls(), Connect::new()).await.unwrap());
    let options = Connect::new()
        .with_connect_timeout(millis(100))
        .with_response_timeout(millis(150))
        .with_total_timeout(millis(300));
    let cache = region(&Redis::connect_cluster(cluster.urls(), options).await.unwrap());
    let stopped = cluster.master_of(b"stopped").unwrap();
    let elsewhere = (0..)
        .map(|at| format!("elsewhere {at}"))
        .find(|name| cluster.master_of(name.as_bytes()).unwrap().port() != stopped.port());
    let elsewhere = elsewhere.unwrap();
    cache.set("stopped", &1_u32).await.unwrap();
    cache.set(&elsewhere, &2_u32).await.unwrap();
    stopped.pause();
    let began = Instant::now();
    let nobody_said = tokio::spawn(async move {
        let _ = by_default.get::<u32>("stopped").await;
        began.elapsed()
    });
    let error = cache.get::<u32>("stopped").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Unavailable), "{error:?}");
    assert!(began.elapsed() < millis(500), "{:?}", began.elapsed());
    let began = Instant::now();
    while cache.get::<u32>(&elsewhere).await.ok().flatten() != Some(2) {
        assert!(began.elapsed() < Duration::from_secs(2), "the other nodes are not served");
    }
    let took = nobody_said.await.unwrap();
    assert!(took < millis(2_300), "a call took {took:?} with the default timeouts");
    stopped.go_on();
    let began = Instant::now();
    while cache.get::<u32>("stopped").await.ok().flatten() != Some(1) {
        assert!(began.elapsed() < Duration::from_secs(5), "it does not come back");
        tokio::time::sleep(millis(10)).await;
    }
}
