//! Leases between processes: holders that die, and servers that begin anew.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Held, Key, Lease, LeaseBackend, Policy, SetOptions,
    SystemClock,
};
use dogpile_memcached::Memcached;

use crate::support::{Server, example, wait_until};
use crate::{made, millis, open, put, region, value};

async fn ask(memcached: &Memcached, key: &str, lease_for: Duration) -> Answer<Bytes> {
    let policy = Policy::new().at(SystemClock.now());
    memcached.get_or_lease(&Ask::new(Key::name(key), policy, lease_for)).await.unwrap()
}

async fn turn(memcached: &Memcached, key: &str) -> Lease {
    match ask(memcached, key, millis(60_000)).await {
        Answer::Create { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

async fn fill(memcached: &Memcached, key: &str, lease: Lease, value: &'static str) -> Held {
    let entry = Entry::new(SystemClock.now(), value.into());
    memcached.fill(Key::name(key), lease, entry, &SetOptions::new()).await.unwrap()
}

/// A process that creates for a minute, unless it is killed.
fn creator(server: &Server, arguments: &[&str]) -> Child {
    let mut command: Command = example("once");
    command.args(["--servers", &server.name(), "--sleep-ms", "60000", "--lease-ms", "1000"]);
    command.args(arguments).stdout(Stdio::null()).spawn().unwrap()
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_dead_creator_is_replaced() {
    let (server, memcached) = open().await;
    let leader = Killed(creator(&server, &["--key", "k"]));
    wait_until("the leader's lease", || server.ask("mg k s").starts_with("HD").then_some(()));
    let cache = region(&memcached).with_lease_for(millis(1_000));
    drop(leader);
    let began = Instant::now();
    assert_eq!(cache.get_or_create("k", || made(7)).await.unwrap(), 7);
    let took = began.elapsed();
    assert!(took < millis(2_400), "a lease of 1 s: {took:?}");
    println!("replaced after {took:?}");
}

#[tokio::test]
async fn a_stale_value_outlives_its_refresher() {
    let (server, memcached) = open().await;
    let cache = region(&memcached).expires_after(millis(20)).with_lease_for(millis(1_000));
    cache.set("k", &"old".to_owned()).await.unwrap();
    tokio::time::sleep(millis(30)).await;
    let leader = Killed(creator(&server, &["--key", "k", "--expires-ms", "20"]));
    wait_until("the leader's lease", || {
        // The time that is left of the value is the lease and an hour. `mg` would take the turn.
        let line = server.ask("me k");
        let left = line.split("exp=").nth(1)?.split(' ').next()?.parse::<i64>().ok()?;
        // Some versions count it from the other side.
        (3_600 < left.abs() && left.abs() < 3_700).then_some(())
    });
    drop(leader);
    let new = || async { Ok::<_, String>("new".to_owned()) };
    let began = Instant::now();
    let mut served = 0;
    loop {
        let value = cache.get_or_create("k", new).await.unwrap();
        if value == "new" {
            break;
        }
        assert_eq!(value, "old");
        served += 1;
        assert!(began.elapsed() < millis(3_500), "nobody takes over");
        tokio::time::sleep(millis(20)).await;
    }
    assert!(served > 0, "stale while the dead one's lease runs");
    println!("{served} times old, replaced after {:?}", began.elapsed());
}

/// A server that was restarted counts from one again: the number of an old lease is that of a new one.
#[tokio::test]
async fn a_lease_from_before_a_restart_is_lost() {
    for rounds in 0..3 {
        let (server, memcached) = open().await;
        for round in 0..rounds {
            put(&memcached, Key::name("other"), format!("{round}")).await.unwrap();
        }
        let old = turn(&memcached, "k").await;
        server.restart();
        let began = Instant::now();
        let other = loop {
            // The handle connects again by itself.
            match Memcached::connect(&server.url()).await {
                Ok(other) => break other,
                Err(error) => assert!(began.elapsed() < millis(5_000), "{error}"),
            }
        };
        for round in 0..rounds {
            put(&other, Key::name("other"), format!("{round}")).await.unwrap();
        }
        let new = turn(&other, "k").await;
        let held = loop {
            let entry = Entry::new(SystemClock.now(), "late".into());
            match memcached.fill(Key::name("k"), old, entry, &SetOptions::new()).await {
                Ok(held) => break held,
                Err(error) => assert!(began.elapsed() < millis(5_000), "{error}"),
            }
        };
        assert_eq!(held, Held::Lost);
        assert_eq!(memcached.extend(Key::name("k"), old, millis(1_000)).await.unwrap(), Held::Lost);
        assert_eq!(memcached.release(Key::name("k"), old).await.unwrap(), Held::Lost);
        assert_eq!(fill(&other, "k", new, "new").await, Held::Kept);
        assert_eq!(value(&memcached, Key::name("k")).await.unwrap(), "new");
    }
}

/// The server answers that a fill succeeded to who asks in time, and that it is lost to who is late.
#[tokio::test]
async fn a_flush_or_a_foreign_write_takes_the_lease() {
    let (server, memcached) = open().await;
    let lease = turn(&memcached, "k").await;
    server.ask("flush_all");
    assert_eq!(fill(&memcached, "k", lease, "late").await, Held::Lost);
    assert_eq!(value(&memcached, Key::name("k")).await, None, "a flush is not undone");

    for (at, write) in
        ["set k 0 0 5\r\nother", "delete k", "touch k 100", "incr k 1", "append k 0 0 1\r\nx"]
            .into_iter()
            .enumerate()
    {
        let key = format!("k{at}");
        let lease = turn(&memcached, &key).await;
        server.ask(
            write.replace(" k ", &format!(" {key} ")).replace("delete k", &format!("delete {key}")),
        );
        let held = fill(&memcached, &key, lease, "mine").await;
        let there = memcached.get(Key::name(&key)).await.ok().flatten().map(|entry| entry.value);
        match held {
            Held::Kept => assert_eq!(there.unwrap(), "mine", "{write}"),
            Held::Lost => assert_ne!(there, Some(Bytes::from("mine")), "{write}"),
        }
        // A write takes the lease with it; what changes nothing need not.
        if matches!(at, 0 | 1 | 4) {
            assert_eq!(held, Held::Lost, "{write}");
        }
    }
}

/// 100 callers on connections of their own: one creates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_connections_one_creates() {
    let server = Server::start();
    let mut handles = Vec::new();
    for _ in 0..100 {
        handles.push(Memcached::connect(&server.url()).await.unwrap());
    }
    for (round, stale) in [false, true, false, true].into_iter().enumerate() {
        let key = format!("k{round}");
        let now = SystemClock.now();
        if stale {
            let old = Entry::new(now.minus(millis(1_000)), Bytes::from("old"));
            handles[0].set_many(&[(Key::name(&key), old)], &SetOptions::new()).await.unwrap();
        }
        let policy = Policy::new().with_stale_before(now).at(now);
        let calls: Vec<_> = handles
            .iter()
            .map(|memcached| {
                let (memcached, key) = (memcached.clone(), key.clone());
                tokio::spawn(async move {
                    let ask = Ask::new(Key::name(&key), policy, millis(10_000));
                    memcached.get_or_lease(&ask).await.unwrap()
                })
            })
            .collect();
        let mut creators = 0;
        for call in calls {
            match call.await.unwrap() {
                Answer::Create { stale: there, .. } => {
                    creators += 1;
                    assert_eq!(there.is_some(), stale);
                }
                Answer::Busy { stale: there } => assert_eq!(there.is_some(), stale),
                Answer::Fresh(entry) => panic!("{entry:?}"),
            }
        }
        assert_eq!(creators, 1, "stale: {stale}");
    }
}

/// Who has seen a turn before the server was restarted does not take the next one for it, although its
/// number is the same.
#[tokio::test]
async fn a_turn_after_a_restart_is_not_as_old_as_the_one_before() {
    let (server, memcached) = open().await;
    let other = Memcached::connect(&server.url()).await.unwrap();
    let granted = async || match ask(&other, "k", millis(1_000)).await {
        Answer::Create { lease, .. } => lease,
        other => panic!("{other:?}"),
    };
    let is_busy =
        async || ask(&memcached, "k", millis(1_000)).await == Answer::Busy { stale: None };
    let before = granted().await;
    assert!(is_busy().await);
    server.restart();
    tokio::time::sleep(millis(1_100)).await;
    let after = granted().await;
    assert_eq!(before.token() << 64, after.token() << 64, "the numbers are the same");
    assert!(is_busy().await);
    memcached.wait(Key::name("k"), millis(200)).await;
    assert_eq!(fill(&other, "k", after, "v").await, Held::Kept);
}

/// Marked as stale: readers keep the old value, one of all that ask creates, and a reader that wants no
/// turn takes none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_marked_stale_is_created_once_and_read_meanwhile() {
    let (_server, memcached) = open().await;
    let other = memcached.clone();
    for name in ["a", "b"] {
        put(&memcached, Key::name(name), "old").await.unwrap();
    }
    let running = turn(&memcached, "running").await;
    let keys = ["a", "running", "absent"].map(Key::name);
    memcached.mark_stale(&keys).await.unwrap();
    assert_eq!(fill(&memcached, "running", running, "late").await, Held::Lost);
    assert!(matches!(ask(&memcached, "running", millis(1_000)).await, Answer::Create { .. }));
    assert!(matches!(ask(&memcached, "absent", millis(1_000)).await, Answer::Create { .. }));

    for _ in 0..3 {
        assert_eq!(value(&memcached, Key::name("a")).await.unwrap(), "old");
        assert!(memcached.get_many(&keys).await.unwrap()[0].is_some());
    }
    let calls: Vec<_> = (0..50)
        .map(|at| {
            let memcached = if at % 2 == 0 { memcached.clone() } else { other.clone() };
            tokio::spawn(async move { ask(&memcached, "a", millis(10_000)).await })
        })
        .collect();
    let mut leases = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Answer::Create { lease, stale } => {
                assert_eq!(stale.unwrap().value, "old");
                leases.push(lease);
            }
            Answer::Busy { stale } => assert_eq!(stale.unwrap().value, "old"),
            // Its stamps say so to who asks while somebody creates already.
            Answer::Fresh(entry) => assert_eq!(entry.value, "old"),
        }
    }
    let [lease] = leases[..] else { panic!("{} create", leases.len()) };
    assert_eq!(value(&memcached, Key::name("a")).await.unwrap(), "old", "while it is created");
    assert_eq!(fill(&memcached, "a", lease, "new").await, Held::Kept);
    assert!(matches!(ask(&memcached, "a", millis(1_000)).await, Answer::Fresh(_)));
    assert_eq!(value(&memcached, Key::name("b")).await.unwrap(), "old");
    assert!(matches!(ask(&memcached, "b", millis(1_000)).await, Answer::Fresh(_)));
}
