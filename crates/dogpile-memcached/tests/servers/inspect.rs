//! What people ask servers by telnet.

use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Held, Key, LeaseBackend, Policy, SetOptions, SystemClock,
};
use dogpile_memcached::{Connect, LeaseState, Memcached, Split};
use shard_ring::{Ketama, Profile, Ring};

use crate::support::Server;
use crate::{millis, open, put};

#[tokio::test]
async fn a_key_is_told_what_it_holds() {
    let (server, memcached) = open().await;
    let key = Key::name("k");
    let nothing = memcached.inspect(key).await.unwrap();
    assert!(!nothing.is_there && nothing.lease == LeaseState::Free, "{nothing:?}");
    assert_eq!((nothing.name.as_str(), &nothing.server), ("k", &server.name()));

    let keep = SetOptions::new().with_keep_for(Some(Duration::from_secs(100)));
    let created = SystemClock.now().minus(millis(5_000));
    let entry = Entry::new(created, Bytes::from("value")).with_version(3);
    memcached.set_many(&[(key, entry)], &keep).await.unwrap();
    let inspection = memcached.inspect(key).await.unwrap();
    let (bytes, flags) = server.wire().get("k").unwrap();
    assert!(inspection.is_there);
    assert_eq!((inspection.stored_len, inspection.flags), (bytes.len(), flags));
    assert_eq!((inspection.created, inspection.version), (Some(created), 3));
    let age = inspection.age.unwrap();
    assert!(age >= millis(5_000) && age < millis(15_000), "{age:?}");
    let left = inspection.expires_in.unwrap().as_secs();
    assert!((90..=102).contains(&left), "{left}");

    let shown = inspection.to_string();
    assert!(shown.lines().count() == 1 && shown.contains(&server.name()), "{shown}");
    println!("{shown}\n{nothing}");
}

#[tokio::test]
async fn whoever_holds_the_lease_is_seen_and_not_disturbed() {
    let (_server, memcached) = open().await;
    let stale = |at: dogpile_core::Timestamp| Policy::new().with_stale_before(at).at(at);
    for there in [false, true] {
        let name = format!("k{there}");
        let key = Key::name(&name);
        if there {
            let old = Entry::new(SystemClock.now().minus(millis(1_000)), Bytes::from("old"));
            memcached.set_many(&[(key, old)], &SetOptions::new()).await.unwrap();
        }
        let ask = || Ask::new(key, stale(SystemClock.now()), millis(10_000));
        for _ in 0..3 {
            assert_eq!(memcached.inspect(key).await.unwrap().lease, LeaseState::Free);
        }
        let Answer::Create { lease, .. } = memcached.get_or_lease(&ask()).await.unwrap() else {
            panic!("nobody creates, whoever looks on")
        };
        for _ in 0..3 {
            let inspection = memcached.inspect(key).await.unwrap();
            let LeaseState::Held { .. } = inspection.lease else { panic!("{inspection:?}") };
            assert_eq!(inspection.is_there, there);
            println!("{inspection}");
        }
        let answer = memcached.get_or_lease(&ask()).await.unwrap();
        assert!(matches!(answer, Answer::Busy { .. }), "{answer:?}");
        assert_eq!(memcached.release(key, lease).await.unwrap(), Held::Kept);
        for _ in 0..3 {
            let inspection = memcached.inspect(key).await.unwrap();
            assert!(!matches!(inspection.lease, LeaseState::Held { .. }), "{inspection:?}");
        }
        let answer = memcached.get_or_lease(&ask()).await.unwrap();
        assert!(matches!(answer, Answer::Create { .. }), "{answer:?}");
    }
}

#[tokio::test]
async fn parts_and_foreigners_are_told() {
    let (server, memcached) = open().await;
    let memcached = memcached.with_split(Split::new());
    put(&memcached, Key::name("large"), vec![7; 3 << 20]).await.unwrap();
    let inspection = memcached.inspect(Key::name("large")).await.unwrap();
    let (count, bytes) = inspection.parts.unwrap();
    assert!(count > 2 && bytes == 3 << 20, "{inspection:?}");

    server.wire().set("foreign", "pickle");
    let inspection = memcached.inspect(Key::name("foreign")).await.unwrap();
    assert!(inspection.foreign.is_some(), "{inspection:?}");
    assert_eq!(inspection.flags, 0);
    for name in ["\r\nflush_all\r\n", "", "\0", "~"] {
        let shown = memcached.inspect(Key::name(name)).await.unwrap().to_string();
        assert_eq!(shown.lines().count(), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_fleet_says_which_server_has_it() {
    let servers: Vec<Server> = (0..3).map(|_| Server::start()).collect();
    let names: Vec<String> = servers.iter().map(Server::name).collect();
    let nodes = names.iter().map(|name| (name.as_str(), ()));
    let ring = Ring::with_nodes(Profile::ketama(Ketama::LibmemcachedWeighted), nodes).unwrap();
    let fleet = Memcached::connect_fleet(&names, ring, Connect::new()).await.unwrap();
    for at in 0..20 {
        let name = format!("page:{at}");
        put(&fleet, Key::name(&name), "v").await.unwrap();
        let inspection = fleet.inspect(Key::name(&name)).await.unwrap();
        let owner = names.iter().position(|name| *name == inspection.server).unwrap();
        assert!(servers[owner].wire().get(&name).is_some());
    }
    let stats = fleet.stats();
    assert_eq!(
        stats.iter().map(|server| &server.name).collect::<Vec<_>>(),
        names.iter().collect::<Vec<_>>()
    );
    for server in &stats {
        assert_eq!(server.item_limit, Some(1 << 20));
        assert!(!server.is_down && server.round_trips > 0 && server.connects > 0, "{server:?}");
        assert!(server.version.as_ref().is_some_and(|version| version.starts_with("1.")));
    }
    servers[1].kill();
    let dead = (0..100).map(|at| format!("page:{at}"));
    for name in dead {
        let _ = fleet.get(Key::name(&name)).await;
    }
    let stats = fleet.stats();
    assert!(stats[1].is_down && stats[1].failures + stats[1].failed_connects > 0, "{stats:?}");
    assert!(!stats[0].is_down && !stats[2].is_down);
}
