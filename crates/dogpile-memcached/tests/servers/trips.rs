//! Round trips, counted on the wire.

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Held, Key, LeaseBackend, Policy, SetOptions, SystemClock,
};
use dogpile_memcached::{Connect, Memcached};
use shard_ring::{Ketama, Profile, Ring};
use tokio::sync::oneshot;

use crate::support::{Proxy, Server};
use crate::{made, millis, region, single};

async fn behind_a_wire(options: Connect) -> (Server, Proxy, Memcached) {
    let server = Server::start();
    let proxy = Proxy::to(server.place());
    let memcached = Memcached::connect_with(&server.url_at(proxy.port()), options).await.unwrap();
    (server, proxy, memcached)
}

async fn trips<T>(proxy: &Proxy, call: impl Future<Output = T>) -> (u64, T) {
    let before = proxy.trips();
    let answer = call.await;
    (proxy.trips() - before, answer)
}

#[tokio::test]
async fn the_backend_takes_as_few_as_promised() {
    let (_server, proxy, memcached) = behind_a_wire(single()).await;
    let key = Key::name("k");
    let ask = || Ask::new(key, Policy::new().at(SystemClock.now()), millis(5_000));

    let (miss, answer) = trips(&proxy, memcached.get_or_lease(&ask())).await;
    let Answer::Create { lease, .. } = answer.unwrap() else { panic!("nothing is there") };
    assert_eq!(miss, 1, "a miss that takes the lease");
    let (busy, answer) = trips(&proxy, memcached.get_or_lease(&ask())).await;
    assert!(matches!(answer.unwrap(), Answer::Busy { stale: None }));
    assert_eq!(busy, 1);
    let entry = || Entry::new(SystemClock.now(), Bytes::from("v"));
    let (fill, held) = trips(&proxy, memcached.fill(key, lease, entry(), &SetOptions::new())).await;
    assert_eq!((fill, held.unwrap()), (1, Held::Kept));
    for _ in 0..3 {
        let (hit, answer) = trips(&proxy, memcached.get_or_lease(&ask())).await;
        assert!(matches!(answer.unwrap(), Answer::Fresh(_)));
        assert_eq!(hit, 1);
        let (hit, found) = trips(&proxy, memcached.get(key)).await;
        assert!(found.unwrap().is_some());
        assert_eq!(hit, 1);
    }
    let later =
        Policy::new().with_stale_before(SystemClock.now().plus(millis(1))).at(SystemClock.now());
    let stale = Ask::new(key, later, millis(5_000));
    let (turn, answer) = trips(&proxy, memcached.get_or_lease(&stale)).await;
    let Answer::Create { lease, stale: Some(_) } = answer.unwrap() else { panic!("it is stale") };
    assert_eq!(turn, 2, "the turn on a stale value");
    let (busy, answer) = trips(&proxy, memcached.get_or_lease(&stale)).await;
    assert!(matches!(answer.unwrap(), Answer::Busy { stale: Some(_) }));
    assert_eq!(busy, 1, "stale, and somebody creates");
    let (leased, yes) = trips(&proxy, memcached.is_leased(key)).await;
    assert_eq!((leased, yes.unwrap()), (1, true));
    let (release, held) = trips(&proxy, memcached.release(key, lease)).await;
    assert_eq!((release, held.unwrap()), (2, Held::Kept), "the stale value is stored once more");
    let Answer::Create { lease, .. } = memcached.get_or_lease(&stale).await.unwrap() else {
        panic!("it was given up")
    };
    let (extend, held) = trips(&proxy, memcached.extend(key, lease, millis(5_000))).await;
    assert_eq!((extend, held.unwrap()), (2, Held::Kept), "a heartbeat looks before it touches");
    let missing = Key::name("missing");
    let ask = Ask::new(missing, Policy::new().at(SystemClock.now()), millis(5_000));
    let Answer::Create { lease, .. } = memcached.get_or_lease(&ask).await.unwrap() else {
        panic!("nothing is there")
    };
    let (release, held) = trips(&proxy, memcached.release(missing, lease)).await;
    assert_eq!((release, held.unwrap()), (1, Held::Kept), "the turn on a missing one");

    // A creation that takes so long that its turn has to be extended.
    let long = Key::name("long");
    let ask = Ask::new(long, Policy::new().at(SystemClock.now()), millis(5_000));
    let Answer::Create { lease, .. } = memcached.get_or_lease(&ask).await.unwrap() else {
        panic!("nothing is there")
    };
    let (extend, held) = trips(&proxy, memcached.extend(long, lease, millis(5_000))).await;
    assert_eq!((extend, held.unwrap()), (1, Held::Kept));
    let (again, held) = trips(&proxy, memcached.extend(long, lease, millis(5_000))).await;
    assert_eq!((again, held.unwrap()), (1, Held::Kept));
    let (fill, held) =
        trips(&proxy, memcached.fill(long, lease, entry(), &SetOptions::new())).await;
    assert_eq!((fill, held.unwrap()), (1, Held::Kept));

    let names: Vec<String> = (0..100).map(|at| format!("many{at}")).collect();
    let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
    let items: Vec<_> = keys.iter().map(|key| (*key, entry())).collect();
    let (set, done) = trips(&proxy, memcached.set_many(&items, &SetOptions::new())).await;
    done.unwrap();
    assert_eq!(set, 1, "a hundred stored");
    let (read, found) = trips(&proxy, memcached.get_many(&keys)).await;
    assert_eq!((read, found.unwrap().iter().flatten().count()), (1, 100), "a hundred read");
    let (gone, done) = trips(&proxy, memcached.delete_many(&keys)).await;
    done.unwrap();
    assert_eq!(gone, 1, "a hundred deleted");
    let asks: Vec<_> = keys
        .iter()
        .map(|key| Ask::new(*key, Policy::new().at(SystemClock.now()), millis(5_000)))
        .collect();
    let (asked, answers) = trips(&proxy, memcached.get_or_lease_many(&asks)).await;
    let leases: Vec<_> = answers
        .unwrap()
        .into_iter()
        .map(|answer| match answer {
            Answer::Create { lease, .. } => lease,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, 1, "a hundred turns");
    let fills: Vec<_> =
        keys.iter().zip(leases).map(|(key, lease)| (*key, lease, entry())).collect();
    let (filled, held) = trips(&proxy, memcached.fill_many(&fills, &SetOptions::new())).await;
    assert!(held.unwrap().iter().all(|held| *held == Held::Kept));
    assert_eq!(filled, 1, "a hundred filled");
    assert_eq!(proxy.opened(), 1, "one connection carries everything");
}

#[tokio::test]
async fn a_region_adds_none() {
    let (_server, proxy, memcached) = behind_a_wire(single()).await;
    let cache = region(&memcached).expires_after(millis(60_000));
    let (miss, value) = trips(&proxy, cache.get_or_create("k", || made(1))).await;
    assert_eq!((miss, value.unwrap()), (2, 1), "the question and the fill");
    for _ in 0..3 {
        let (hit, value) = trips(&proxy, cache.get_or_create("k", || made(2))).await;
        assert_eq!((hit, value.unwrap()), (1, 1), "a hit");
        let (hit, value) = trips(&proxy, cache.get::<u32>("k")).await;
        assert_eq!((hit, value.unwrap()), (1, Some(1)), "a hit");
    }
    let (set, _) = trips(&proxy, cache.set("k", &2_u32)).await;
    assert_eq!(set, 1);
    let (gone, _) = trips(&proxy, cache.delete("k")).await;
    assert_eq!(gone, 1);
}

/// A large value is its parts, all in two packets of questions at most.
#[tokio::test]
async fn a_value_that_is_split_takes_two() {
    let (_server, proxy, memcached) = behind_a_wire(single()).await;
    let memcached = memcached.with_split(dogpile_memcached::Split::new().with_max_size(8 << 20));
    let entry = Entry::new(SystemClock.now(), Bytes::from(vec![7; 3 << 20]));
    let items = [(Key::name("k"), entry.clone())];
    memcached.set_many(&items, &SetOptions::new()).await.unwrap();
    let (read, found) = trips(&proxy, memcached.get(Key::name("k"))).await;
    assert_eq!(found.unwrap().unwrap(), entry);
    // What is large is not one packet, and the proxy sees each direction in pieces.
    assert!(read <= 4, "{read}");
}

#[tokio::test]
async fn each_server_of_a_fleet_is_asked_once() {
    let servers: Vec<Server> = (0..5).map(|_| Server::start()).collect();
    let proxies: Vec<Proxy> = servers.iter().map(|server| Proxy::to(server.place())).collect();
    let names: Vec<String> = (0..5).map(|at| format!("10.0.0.{at}:11211")).collect();
    let nodes = names.iter().map(|name| (name.as_str(), ()));
    let ring = Ring::with_nodes(Profile::ketama(Ketama::LibmemcachedWeighted), nodes).unwrap();
    let addresses: Vec<String> =
        proxies.iter().map(|proxy| format!("memcached://127.0.0.1:{}", proxy.port())).collect();
    let fleet = Memcached::connect_fleet(&addresses, ring, single()).await.unwrap();
    let names: Vec<String> = (0..100).map(|at| format!("many{at}")).collect();
    let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
    let items: Vec<_> =
        keys.iter().map(|key| (*key, Entry::new(SystemClock.now(), Bytes::from("v")))).collect();
    fleet.set_many(&items, &SetOptions::new()).await.unwrap();

    // All at once: slow wires are waited for together.
    proxies.iter().for_each(|proxy| proxy.delay(millis(30)));
    let before: Vec<u64> = proxies.iter().map(Proxy::trips).collect();
    let began = std::time::Instant::now();
    let found = fleet.get_many(&keys).await.unwrap();
    assert!(began.elapsed() < millis(4 * 60), "{:?}", began.elapsed());
    assert_eq!(found.iter().flatten().count(), 100);
    for (proxy, before) in proxies.iter().zip(before) {
        assert_eq!(proxy.trips() - before, 1);
    }
}

/// A hundred waiters in one process ask as one.
#[tokio::test]
async fn waiters_are_coalesced() {
    let (server, proxy, other) = behind_a_wire(single()).await;
    let one = Memcached::connect(&server.url()).await.unwrap();
    let (began, has_begun) = oneshot::channel();
    let creator = tokio::spawn({
        let cache = region(&one);
        async move {
            let create = || async {
                began.send(()).unwrap();
                tokio::time::sleep(millis(500)).await;
                made(1).await
            };
            cache.get_or_create("k", create).await.unwrap()
        }
    });
    has_begun.await.unwrap();
    let before = proxy.trips();
    let cache = region(&other);
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
    let polls = proxy.trips() - before;
    println!("{polls} round trips in 500 ms");
    assert!(polls < 100, "a hundred waiters of one process: {polls}");
}
