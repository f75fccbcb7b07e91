//! memcached on the same machine: one socket that all tasks share, against a connection for each.

use std::error::Error;
use std::hint::black_box;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::Region;
use dogpile_cache::codec::Typed;
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Key, LeaseBackend, Locator, Policy, SetOptions, SystemClock,
};
use dogpile_lock::Dogpile;
use dogpile_memcached::{Connect, Memcached};
use memcache_async::ascii::Protocol;
use serde_json::json;
use shard_ring::{Ketama, Profile, Ring};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::Measured;
use super::hit::compare;
use super::one_key::count;
use crate::arguments::Settings;
use crate::keys::names;
use crate::report::{Bar, Row};
use crate::timing::{self, Contestant, take_turns};

const KEYS: usize = 256;
const HOUR: Duration = Duration::from_secs(3600);
const SERVERS: usize = 5;

/// As its users have it: three writes of a command make one packet.
pub(super) type Bare = Protocol<BufWriter<TcpStream>>;

/// A server of our own, stopped with the program however that ends: the shell waits for its input.
pub(super) struct Server {
    _child: Child,
    /// Host and port.
    pub(super) address: String,
}

const RUN: &str = r#""$@" >/dev/null & server=$!; read -r _; kill $server; wait $server"#;

impl Server {
    pub(super) fn start() -> Result<Self, Box<dyn Error>> {
        Self::with_threads(4)
    }

    fn with_threads(threads: u32) -> Result<Self, Box<dyn Error>> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = ["memcached", "-u", "root", "-l", "127.0.0.1", "-U", "0", "-m", "256", "-p"];
        let child = Command::new("sh")
            .args(["-c", RUN, "sh"])
            .args(server)
            .args([&port.to_string(), "-t", &threads.to_string()])
            .stdin(Stdio::piped())
            .spawn()?;
        let server = Self { _child: child, address: format!("127.0.0.1:{port}") };
        for _ in 0..500 {
            if std::net::TcpStream::connect(&server.address).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("memcached does not answer: is it installed?".into())
    }
}

pub(super) async fn bare(address: &str) -> std::io::Result<Bare> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Protocol::new(BufWriter::new(stream)))
}

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    // One thread serves all connections: on which core each of several sleeps makes more of a
    // difference to one task than whose client it is.
    let alone = Server::with_threads(1)?;
    rows.extend(hits(&runtime, &alone, settings, 1)?);
    rows.extend(miss(&runtime, &alone, settings)?);
    rows.extend(hits(&runtime, &Server::start()?, settings, 64)?);
    rows.extend(many(&runtime, settings, None)?);
    rows.extend(many(&runtime, settings, Some(Duration::from_millis(1)))?);
    Ok(rows.into())
}

/// One socket, however many tasks.
async fn one_socket(address: &str) -> Result<Memcached, Box<dyn Error>> {
    Ok(Memcached::connect_with(address, Connect::new().with_connections(1)).await?)
}

struct Clients {
    ours: Memcached,
    region: Region<Dogpile<Memcached>, Typed>,
    /// One for each task.
    bare: Vec<Mutex<Bare>>,
    other: Vec<Mutex<async_memcached::Client>>,
}

impl Clients {
    async fn connect(server: &Server, tasks: usize) -> Result<Self, Box<dyn Error>> {
        let ours = one_socket(&server.address).await?;
        let region = Region::new(Dogpile::leased(ours.clone()), Typed).expires_after(HOUR);
        let (mut bare_ones, mut other) = (Vec::new(), Vec::new());
        for _ in 0..tasks {
            bare_ones.push(Mutex::new(bare(&server.address).await?));
            let dsn = format!("tcp://{}", server.address);
            let client = async_memcached::Client::new(dsn).await;
            other.push(Mutex::new(client.map_err(|error| error.to_string())?));
        }
        let clients = Self { ours, region, bare: bare_ones, other };
        for name in names(KEYS) {
            let value = "v".repeat(1024);
            clients.region.set(&*name, &Bytes::from(value.clone())).await?;
            let mut bare = clients.bare[0].lock().await;
            bare.set(format!("bare:{name}"), value.as_bytes(), 0).await?;
        }
        clients.bare[0].lock().await.version().await?;
        Ok(clients)
    }
}

/// Hits of 1 KiB by so many tasks at once.
fn hits(
    runtime: &Runtime,
    server: &Server,
    settings: Settings,
    tasks: usize,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let clients = Arc::new(runtime.block_on(Clients::connect(server, tasks))?);
    let named = |what: &str| -> Arc<[String]> {
        names(KEYS).into_iter().map(|name| format!("{what}{name}")).collect()
    };
    let (names, bare_names) = (named(""), named("bare:"));
    let each = if tasks == 1 { 200 } else { 250 };
    let nothing = || async { Err::<Bytes, _>(std::io::Error::other("it is there")) };

    macro_rules! round {
        ($keys:ident, |$at:ident, $task:ident, $clients:ident| $call:expr) => {
            || {
                runtime.block_on(async {
                    let mut all = JoinSet::new();
                    for $task in 0..tasks {
                        let ($clients, $keys) = (Arc::clone(&clients), Arc::clone(&$keys));
                        all.spawn(async move {
                            for nth in 0..each {
                                let $at = ($task * 31 + nth * 7) % KEYS;
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
    let measured = take_turns(
        settings.rounds * 5,
        vec![
            Contestant::new(
                "memcache-async get",
                round!(bare_names, |at, task, clients| {
                    let value = clients.bare[task].lock().await.get(&bare_names[at]).await;
                    assert_eq!(value.unwrap().len(), 1024);
                }),
            ),
            Contestant::new(
                "Backend::get",
                round!(names, |at, _task, clients| {
                    let entry = clients.ours.get(Key::name(&names[at])).await.unwrap();
                    assert_eq!(entry.unwrap().value.len(), 1024);
                }),
            ),
            Contestant::new(
                "region of bytes",
                round!(names, |at, _task, clients| {
                    let value: Bytes =
                        clients.region.get_or_create(&*names[at], nothing).await.unwrap();
                    assert_eq!(value.len(), 1024);
                }),
            ),
            Contestant::new(
                "async-memcached get",
                round!(bare_names, |at, task, clients| {
                    use async_memcached::AsciiProtocol;
                    let value = clients.other[task].lock().await.get(&bare_names[at]).await;
                    assert_eq!(value.unwrap().unwrap().data.unwrap().len(), 1024);
                }),
            ),
        ],
    );
    let [bare, backend, region, other] = &measured[..] else { unreachable!() };
    let least = Bar::AtLeast(if tasks == 1 { 0.9 } else { 2.0 });
    let name = |what| match tasks {
        1 => format!("memcached hit, 1 KiB, {what}"),
        _ => format!("memcached hit, 1 KiB, {what}, {tasks} tasks on one socket"),
    };
    Ok(vec![
        throughput(&name("backend"), backend, bare, least),
        throughput(&name("region"), region, bare, least),
        throughput(&name("region"), region, other, Bar::None),
    ])
}

/// How much of a peer's throughput ours has.
fn throughput(name: &str, ours: &timing::Measured, peer: &timing::Measured, bar: Bar) -> Row {
    let took = compare(name, ours, peer, Bar::None);
    Row { figure: peer.ratio_to(ours), bar, ..took }
}

/// Finding nothing and becoming its creator, against a `get` that finds nothing.
fn miss(
    runtime: &Runtime,
    server: &Server,
    settings: Settings,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let ours = runtime.block_on(one_socket(&server.address))?;
    let mut bare = runtime.block_on(bare(&server.address))?;
    let mut next = 0_u64;
    let measured = take_turns(
        settings.rounds * 20,
        vec![
            Contestant::new("memcache-async get of nothing", || {
                for _ in 0..50 {
                    runtime.block_on(bare.get("nothing")).unwrap_err();
                }
                50
            }),
            Contestant::new("get_or_lease of nothing", || {
                for _ in 0..50 {
                    next += 1;
                    let name = format!("missing:{next}");
                    let policy = Policy::new().at(SystemClock.now());
                    let ask = Ask::new(Key::name(&name), policy, Duration::from_secs(2));
                    let answer = runtime.block_on(ours.get_or_lease(&ask)).unwrap();
                    assert!(matches!(answer, Answer::Create { .. }));
                }
                50
            }),
        ],
    );
    let [get, lease] = &measured[..] else { unreachable!() };
    let name = "memcached, a miss that takes the lease";
    let per_miss = ours.stats().iter().map(|server| server.round_trips).sum::<u64>().div_ceil(next);
    Ok(vec![
        compare(name, lease, get, Bar::None),
        count(
            format!("{name}: round trips"),
            per_miss,
            Bar::AtMost(1.0),
            json!({ "misses": next }),
        ),
    ])
}

/// 100 keys of 100 bytes over five servers: as near as can be, or so far away.
fn many(
    runtime: &Runtime,
    settings: Settings,
    away: Option<Duration>,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let servers = (0..SERVERS).map(|_| Server::with_threads(1)).collect::<Result<Vec<_>, _>>()?;
    let mut wires = Vec::new();
    let mut addresses: Vec<String> = servers.iter().map(|server| server.address.clone()).collect();
    if let Some(away) = away {
        for address in &mut addresses {
            let wire = LongWire::to(address, away)?;
            *address = wire.address.clone();
            wires.push(wire);
        }
    }
    let nodes = addresses.iter().map(|address| (address.as_str(), ()));
    let ring = Ring::with_nodes(Profile::ketama(Ketama::LibmemcachedWeighted), nodes)?;
    let names = names(100);
    let mut parts = vec![Vec::new(); SERVERS];
    for name in &names {
        parts[ring.locate(name.as_bytes()).ok_or("no server")?].push(name.clone());
    }
    let options = Connect::new().with_connections(1);
    let fleet = runtime.block_on(Memcached::connect_fleet(&addresses, ring.clone(), options))?;
    let keys: Vec<Key<'_>> = names.iter().map(Key::name).collect();
    let entry = Entry::new(SystemClock.now(), Bytes::from(vec![b'v'; 100]));
    let items: Vec<_> = keys.iter().map(|key| (*key, entry.clone())).collect();
    runtime.block_on(fleet.set_many(&items, &SetOptions::new()))?;

    let (mut pipes, mut at_once, mut bare_ones) = (Vec::new(), Vec::new(), Vec::new());
    for (part, address) in parts.iter().zip(&addresses) {
        pipes.push(runtime.block_on(Pipe::connect(address, part))?);
        at_once.push(runtime.block_on(Pipe::connect(address, part))?);
        bare_ones.push(runtime.block_on(bare(address))?);
    }
    let mut contestants: Vec<Contestant<'_>> = pipes
        .iter_mut()
        .map(|pipe| {
            Contestant::new("the slowest server's part by hand", || {
                runtime.block_on(pipe.read()).unwrap();
                1
            })
        })
        .collect();
    contestants.push(Contestant::new("all parts by hand at once", || {
        for name in &names {
            black_box(ring.locate(name.as_bytes()));
        }
        let reads = at_once.iter_mut().map(Pipe::read);
        let read = runtime.block_on(futures_util::future::join_all(reads));
        assert!(read.iter().all(Result::is_ok));
        1
    }));
    contestants.push(Contestant::new("get_many", || {
        let found = runtime.block_on(fleet.get_many(&keys)).unwrap();
        assert_eq!(black_box(found).iter().flatten().count(), 100);
        1
    }));
    contestants.push(Contestant::new("memcache-async get_multi, one after the other", || {
        let mut found = 0;
        for (bare, part) in bare_ones.iter_mut().zip(&parts) {
            found += runtime.block_on(bare.get_multi(part)).unwrap().len();
        }
        assert_eq!(found, 100);
        1
    }));
    let measured = take_turns(settings.rounds * 20, contestants);
    let (singles, rest) = measured.split_at(SERVERS);
    let [by_hand, ours, bare] = rest else { unreachable!() };
    let slowest = singles
        .iter()
        .max_by(|a, b| a.median().total_cmp(&b.median()))
        .ok_or("there is no server")?;
    let name = match away {
        None => "memcached, 100 keys over 5 servers".to_owned(),
        Some(away) => format!("memcached, 100 keys over 5 servers {away:?} away"),
    };
    // On the same machine nothing takes time but the work of five servers and their client, which
    // share its cores: on two of them all parts by hand already take twice what the slowest does.
    Ok(vec![
        compare(&name, ours, slowest, Bar::AtMost(1.3)),
        compare(&name, ours, by_hand, if away.is_some() { Bar::AtMost(1.3) } else { Bar::None }),
        compare(&name, ours, bare, Bar::None),
    ])
}

/// A way to a server that takes a while in each direction, in a thread of its own.
struct LongWire {
    address: String,
    _runtime: Runtime,
}

impl LongWire {
    fn to(server: &str, each_way: Duration) -> Result<Self, Box<dyn Error>> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?.to_string();
        let server = server.to_owned();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { return };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (client_reads, client_writes) = client.into_split();
                let (server_reads, server_writes) = server.into_split();
                tokio::spawn(pass(client_reads, server_writes, each_way));
                tokio::spawn(pass(server_reads, client_writes, each_way));
            }
        });
        Ok(Self { address, _runtime: runtime })
    }
}

/// What comes in goes out a while later, however much comes in meanwhile.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (under_way, mut arriving) =
        tokio::sync::mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((due, bytes)) = arriving.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let _ = under_way.send((tokio::time::Instant::now() + delay, bytes[..length].to_vec()));
    }
}

/// The least that a client can do: questions that were written beforehand, and an answer whose end is
/// looked for and which is not parsed.
struct Pipe {
    stream: TcpStream,
    questions: Vec<u8>,
    answer: Vec<u8>,
}

impl Pipe {
    async fn connect(address: &str, names: &[String]) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let questions: String = names.iter().map(|name| format!("mg {name} v\r\n")).collect();
        Ok(Self { stream, questions: (questions + "mn\r\n").into(), answer: Vec::new() })
    }

    async fn read(&mut self) -> std::io::Result<()> {
        self.answer.clear();
        self.stream.write_all(&self.questions).await?;
        while !self.answer.ends_with(b"MN\r\n") {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}
