//! Redis on the same machine: what a region adds to the bare client, and what groups save.

use std::error::Error;
use std::hint::black_box;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cached::{AsyncRedisCache, ConcurrentCachedAsync};
use dogpile_cache::codec::{Json, MsgPack, Typed};
use dogpile_cache::{Field, Region};
use dogpile_core::Policy;
use dogpile_lock::Dogpile;
use dogpile_redis::Redis;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Measured;
use super::hit::compare;
use crate::arguments::Settings;
use crate::keys::names;
use crate::plot::{Lines, Plot, Series};
use crate::report::{Bar, Row};
use crate::timing::{self, Contestant, take_turns};

/// More than a client may want to remember anything of.
const KEYS: usize = 20_000;
const HOUR: Duration = Duration::from_secs(3600);

pub(super) type Cache = Region<Dogpile<Redis>, MsgPack>;

/// A server of our own, stopped with the program however that ends: the shell waits for its input.
pub(super) struct Server {
    _child: Child,
    pub(super) url: String,
}

const RUN: &str = r#""$@" >/dev/null & server=$!; read -r _; kill $server; wait $server"#;

impl Server {
    pub(super) fn start() -> Result<Self, Box<dyn Error>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--port"];
        let child = Command::new("sh")
            .args(["-c", RUN, "sh"])
            .args(server)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()?;
        let server = Self { _child: child, url: format!("redis://127.0.0.1:{port}/") };
        let client = redis::Client::open(&*server.url)?;
        for _ in 0..500 {
            if client.get_connection().is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("redis-server does not answer: is it installed?".into())
    }
}

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let server = Server::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    let mut loads = Vec::new();
    let three = Arc::new(runtime.block_on(Three::connect(&server))?);
    for tasks in [1, 4, 16, 64, 256] {
        let measured = hits(&runtime, &three, settings, tasks);
        if [1, 64].contains(&tasks) {
            rows.extend(promised(&measured, tasks)?);
        }
        loads.push((tasks, measured));
    }
    rows.push(lazy(&runtime, &server, settings)?);
    rows.push(many(&runtime, &server, settings)?);
    Ok(Measured { rows, outcomes: Vec::new(), plots: vec![plot(&loads)] })
}

fn plot(loads: &[(usize, Vec<timing::Measured>)]) -> Plot {
    let drawn = [
        ("region", "a region", 0),
        ("MultiplexedConnection GET", "redis, bare GET", 5),
        ("cached AsyncRedisCache", "cached", 1),
    ];
    let series = drawn.map(|(measured, name, colour)| {
        let points = loads.iter().filter_map(|(tasks, all)| {
            let one = all.iter().find(|one| one.name == measured)?;
            Some((*tasks as f64, 1e6 / one.median()))
        });
        Series { name: name.to_owned(), colour, points: points.collect() }
    });
    Plot::new(
        "redis-throughput.svg",
        "Hits on Redis by the number of tasks",
        "values of 1 KiB, one connection, one thread, the server on the same machine; both axes logarithmic, higher is better",
        &Lines { across: "tasks at once", up: "thousand hits a second", series: series.into() },
    )
}

struct Three {
    region: Cache,
    /// The same over values that are bytes already, as those of the bare client are.
    bytes: Region<Dogpile<Redis>, Typed>,
    bare: MultiplexedConnection,
    cached: AsyncRedisCache<String, String>,
}

impl Three {
    async fn connect(server: &Server) -> Result<Self, Box<dyn Error>> {
        let redis = Redis::connect(&server.url).await?;
        let bare = redis::Client::open(&*server.url)?.get_multiplexed_async_connection().await?;
        let cached = AsyncRedisCache::builder("cached")
            .ttl(HOUR)
            .connection_string(&server.url)
            .build()
            .await?;
        let dogpile = Dogpile::leased(redis);
        let bytes = Region::new(dogpile.clone(), Typed).expires_after(HOUR);
        let region = Region::new(dogpile, MsgPack).expires_after(HOUR);
        let three = Self { region, bytes, bare, cached };
        let value = "v".repeat(1024);
        for names in names(KEYS).chunks(1_000) {
            let named = |what| names.iter().map(move |name| format!("{what}{name}"));
            let bytes = Bytes::from(value.clone());
            let bytes: Vec<_> = named("bytes ").map(|name| (name, bytes.clone())).collect();
            three.bytes.set_many(&bytes).await?;
            let texts: Vec<_> = named("").map(|name| (name, value.clone())).collect();
            three.region.set_many(&texts).await?;
            let bare: Vec<_> = named("bare ").map(|name| (name, &value)).collect();
            three.bare.clone().mset::<_, _, ()>(&bare).await?;
            for name in names {
                three.cached.async_cache_set(name.clone(), value.clone()).await?;
            }
        }
        Ok(three)
    }
}

/// Hits of 1 KiB by so many tasks at once, all on one connection.
fn hits(
    runtime: &tokio::runtime::Runtime,
    three: &Arc<Three>,
    settings: Settings,
    tasks: usize,
) -> Vec<timing::Measured> {
    let named = |what: &str| -> Arc<[String]> {
        names(KEYS).into_iter().map(|name| format!("{what}{name}")).collect()
    };
    let (names, bare_names, byte_names) = (named(""), named("bare "), named("bytes "));
    // One task mostly waits to be woken, which takes longer now and then: it takes more rounds to tell.
    let (each, rounds) = if tasks == 1 { (200, 15) } else { (250, 5) };
    let nothing = || async { Err::<String, _>(std::io::Error::other("it is there")) };
    let no_bytes = || async { Err::<Bytes, _>(std::io::Error::other("it is there")) };

    macro_rules! round {
        ($keys:ident, |$at:ident, $three:ident| $call:expr) => {
            || {
                runtime.block_on(async {
                    let mut all = JoinSet::new();
                    for task in 0..tasks {
                        let ($three, $keys) = (Arc::clone(three), Arc::clone(&$keys));
                        all.spawn(async move {
                            for nth in 0..each {
                                let $at = (task * 7_919 + nth * 31) % KEYS;
                                black_box($call);
                            }
                        });
                    }
                    all.join_all().await
                });
                (tasks * each) as u64
            }
        };
    }
    take_turns(
        settings.rounds * rounds,
        vec![
            Contestant::new(
                "MultiplexedConnection GET",
                round!(bare_names, |at, three| {
                    let value: Result<Vec<u8>, _> = three.bare.clone().get(&bare_names[at]).await;
                    assert!(value.is_ok_and(|value| value.len() == 1024));
                }),
            ),
            Contestant::new(
                "region of bytes",
                round!(byte_names, |at, three| {
                    let value: Bytes =
                        three.bytes.get_or_create(&*byte_names[at], no_bytes).await.unwrap();
                    assert_eq!(value.len(), 1024);
                }),
            ),
            Contestant::new(
                "region",
                round!(names, |at, three| {
                    let value: String =
                        three.region.get_or_create(&*names[at], nothing).await.unwrap();
                    assert_eq!(value.len(), 1024);
                }),
            ),
            Contestant::new(
                "cached AsyncRedisCache",
                round!(names, |at, three| {
                    let value = three.cached.async_cache_get(&names[at]).await;
                    assert!(value.is_ok_and(|value| value.is_some()));
                }),
            ),
        ],
    )
}

fn promised(measured: &[timing::Measured], tasks: usize) -> Result<Vec<Row>, Box<dyn Error>> {
    let [bare, bytes, region, cached] = measured else {
        return Err("a contestant is missing".into());
    };
    let name = |what| format!("Redis hit, 1 KiB of {what}, {tasks} at once");
    Ok(vec![
        throughput(&name("bytes"), bytes, bare, Bar::AtLeast(0.9)),
        throughput(&name("text"), region, cached, Bar::AtLeast(1.0)),
    ])
}

/// How much of a peer's throughput ours has.
fn throughput(name: &str, ours: &timing::Measured, peer: &timing::Measured, bar: Bar) -> Row {
    let took = compare(name, ours, peer, Bar::None);
    Row { figure: peer.ratio_to(ours), bar, ..took }
}

/// An order of twenty lines, 1.3 KB of JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: u32,
    customer: String,
    lines: Vec<OrderLine>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct OrderLine {
    article: String,
    count: u32,
    price: f64,
    sent: bool,
}

impl Order {
    fn new(id: u32) -> Self {
        let line = |line: u32| OrderLine {
            article: format!("A-{}", id * 7 + line),
            count: line + 1,
            price: f64::from(line) + 0.99,
            sent: line % 3 == 0,
        };
        Self { id, customer: format!("customer {}", id % 17), lines: (0..20).map(line).collect() }
    }
}

/// A group of 1,000 fields of which 10 are shown.
fn lazy(
    runtime: &tokio::runtime::Runtime,
    server: &Server,
    settings: Settings,
) -> Result<Row, Box<dyn Error>> {
    let redis = runtime.block_on(Redis::connect(&server.url))?.with_inline_limit(usize::MAX);
    let region = Region::new(Dogpile::leased(redis.clone()), Json);
    let items: Vec<_> = (0..1_000).map(|id| (Field("orders", id), Order::new(id))).collect();
    runtime.block_on(region.set_many(&items))?;
    let any = Policy::new();
    let round = |count: u32| {
        let (redis, any) = (&redis, &any);
        move || {
            let group = runtime.block_on(redis.read_group("orders")).unwrap();
            for id in 0..count {
                let order: Option<Order> = group.value(id * (1_000 / count), any, &Json).unwrap();
                assert!(black_box(order).is_some());
            }
            1
        }
    };
    let measured = take_turns(
        settings.rounds * 6,
        vec![
            Contestant::new("decoding all", round(1_000)),
            Contestant::new("decoding 10", round(10)),
        ],
    );
    let [all, ten] = &measured[..] else { unreachable!() };
    Ok(compare("group of 1,000 fields, 10 touched", ten, all, Bar::AtMost(0.3)))
}

/// 100 keys of 10 groups at once.
fn many(
    runtime: &tokio::runtime::Runtime,
    server: &Server,
    settings: Settings,
) -> Result<Row, Box<dyn Error>> {
    let redis = runtime.block_on(Redis::connect(&server.url))?;
    let mut bare =
        runtime.block_on(redis::Client::open(&*server.url)?.get_multiplexed_async_connection())?;
    let region = Region::new(Dogpile::leased(redis), MsgPack).expires_after(HOUR);
    let groups: Vec<_> = (0..10).map(|group| format!("group {group}")).collect();
    let keys: Vec<_> =
        groups.iter().flat_map(|group| (0..10_u32).map(move |id| Field(group, id))).collect();
    let create = |missing: Vec<&Field<'_, u32>>| {
        let values: Vec<_> = missing.iter().map(|key| format!("value {}", key.1)).collect();
        async move { Ok::<_, std::io::Error>(values) }
    };
    runtime.block_on(region.get_or_create_many(&keys, create))?;
    let mut by_hand = || {
        let mut pipeline = redis::pipe();
        for group in &groups {
            let command = pipeline.cmd("HMGET").arg(format!("{group}:fields"));
            for id in 0..10 {
                command.arg(format!("({id})"));
            }
        }
        let found: Vec<Vec<Vec<u8>>> = runtime.block_on(pipeline.query_async(&mut bare)).unwrap();
        for stored in found.iter().flatten() {
            // A mark and a stamp come before the value.
            let value: String = rmp_serde::from_slice(&stored[7..]).unwrap();
            black_box(value);
        }
        1
    };
    let measured = take_turns(
        settings.rounds * 20,
        vec![
            Contestant::new("HMGET pipelined by hand", &mut by_hand),
            Contestant::new("get_or_create_many", || {
                let found = runtime.block_on(region.get_or_create_many(&keys, create)).unwrap();
                assert_eq!(black_box(found).len(), 100);
                1
            }),
        ],
    );
    let [hand, ours] = &measured[..] else { unreachable!() };
    Ok(compare("100 keys of 10 hashes", ours, hand, Bar::AtMost(1.3)))
}
