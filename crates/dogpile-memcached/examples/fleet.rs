//! A fleet of servers behind a ring: where keys live, and what becomes of them when a server dies.
//!
//! ```sh
//! cargo run --release --example fleet -p dogpile-memcached
//! cargo run --release --example fleet -p dogpile-memcached -- --servers 10.0.0.1:11211,10.0.0.2:11211
//! ```
#![expect(clippy::print_stdout, reason = "it is what it is for")]

#[path = "support/mod.rs"]
mod support;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dogpile_core::{Backend, Clock, Entry, Key, Locator, SetOptions, SystemClock};
use dogpile_memcached::{Connect, Memcached};
use shard_ring::{Ketama, Profile, Ring};

use self::support::{Paint, Server};

const HELP: &str = "\
Spreads keys over a fleet of memcached servers by libmemcached's ring, and shows where they live.
With servers of its own, it kills one with signal 9, reads on, and starts it again.

  --servers A,B,C   servers that are there already; none of them is killed [five of its own]
  --keys N          how many keys, 1 to 100000 [1000]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(what) => {
            eprintln!("{what}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match demonstrate(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate(options: Options) -> Result<(), Box<dyn Error>> {
    let mut own = Vec::new();
    if options.servers.is_empty() {
        for _ in 0..5 {
            own.push(Server::start()?);
        }
    }
    let names = match own.is_empty() {
        true => options.servers,
        false => own.iter().map(Server::name).collect(),
    };
    let fleet = Fleet::connect(names, options.keys).await?;
    fleet.write().await?;
    fleet.show();
    fleet.read("all servers are there").await?;
    let Some(victim) = own.get_mut(2) else { return Ok(()) };
    victim.kill();
    println!("\n{}", fleet.paint.bold(&format!("{} was killed", victim.name())));
    for _ in 0..3 {
        fleet.read("its keys are missing, and no others").await?;
    }
    victim.restart()?;
    println!("\n{}", fleet.paint.bold(&format!("{} was started again, empty", victim.name())));
    fleet.heal().await?;
    fleet.write().await?;
    fleet.read("all servers are there").await
}

struct Fleet {
    memcached: Memcached,
    ring: Ring<()>,
    servers: Vec<String>,
    names: Vec<String>,
    paint: Paint,
}

impl Fleet {
    async fn connect(servers: Vec<String>, keys: usize) -> Result<Self, Box<dyn Error>> {
        let nodes = servers.iter().map(|server| (server.as_str(), ()));
        let ring = Ring::with_nodes(Profile::ketama(Ketama::LibmemcachedWeighted), nodes)?;
        // A server that is away is asked again within a tenth of a second.
        let options = Connect::new()
            .with_response_timeout(Duration::from_millis(300))
            .with_retry_after(Duration::from_millis(20), Duration::from_millis(100));
        let memcached = Memcached::connect_fleet(&servers, ring.clone(), options).await?;
        let names = (0..keys).map(|at| format!("page:{at}")).collect();
        Ok(Self { memcached, ring, servers, names, paint: Paint::new() })
    }

    fn keys(&self) -> Vec<Key<'_>> {
        self.names.iter().map(Key::name).collect()
    }

    fn content(name: &str) -> Bytes {
        format!("the text of {name}").into()
    }

    async fn write(&self) -> dogpile_core::Result<()> {
        let now = SystemClock.now();
        let names = self.names.iter();
        let items: Vec<_> =
            names.map(|name| (Key::name(name), Entry::new(now, Self::content(name)))).collect();
        self.memcached.set_many(&items, &SetOptions::new()).await
    }

    /// A line for each server: how much of the keys it has, and some of them.
    fn show(&self) {
        println!("{}", self.paint.bold(&format!("{} keys on the ring", self.names.len())));
        let width = self.servers.iter().map(String::len).max().unwrap_or(0);
        for (at, server) in self.servers.iter().enumerate() {
            let here = |name: &&String| self.ring.locate(name.as_bytes()) == Some(at);
            let names: Vec<&String> = self.names.iter().filter(here).collect();
            let bar = "#".repeat((names.len() * 60).div_ceil(self.names.len()));
            let some: Vec<&str> = names.iter().take(3).map(|name| name.as_str()).collect();
            let some = self.paint.dim(&some.join(" "));
            println!("  {server:<width$}  {:>6}  {bar:<30}  {some}", names.len());
        }
    }

    /// Reads all keys at once, and judges every answer.
    async fn read(&self, what: &str) -> Result<(), Box<dyn Error>> {
        let began = Instant::now();
        let found = self.memcached.get_many(&self.keys()).await?;
        let took = began.elapsed().as_secs_f64() * 1000.0;
        let (mut served, mut missing, mut wrong) = (0, 0, 0);
        for (name, found) in self.names.iter().zip(found) {
            match found {
                Some(entry) if entry.value == Self::content(name) => served += 1,
                Some(_) => wrong += 1,
                None => missing += 1,
            }
        }
        let paint = self.paint;
        let missing = match missing {
            0 => paint.good("0 missing"),
            some => paint.bad(&format!("{some} missing")),
        };
        println!(
            "  {served:>6} served  {missing}  {wrong} wrong  {took:.1} ms  {}",
            paint.dim(what)
        );
        if wrong > 0 { Err("a value was another's".into()) } else { Ok(()) }
    }

    /// Writes until every server takes part again.
    async fn heal(&self) -> Result<(), Box<dyn Error>> {
        let began = Instant::now();
        while let Err(error) = self.write().await {
            if began.elapsed() > Duration::from_secs(10) {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        println!("  it takes part again after {:.1} ms", began.elapsed().as_secs_f64() * 1000.0);
        Ok(())
    }
}

struct Options {
    servers: Vec<String>,
    keys: usize,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { servers: Vec::new(), keys: 1_000 };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let known = matches!(&**name, "--servers" | "--keys");
            if !known {
                return Err(format!("there is no option {name}"));
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match &**name {
                "--servers" => options.servers = value.split(',').map(str::to_owned).collect(),
                _ => options.keys = count(value)?,
            }
        }
        Ok(options)
    }
}

fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=100_000).contains(count));
    count.ok_or_else(|| format!("--keys takes a number from 1 to 100000, and not {text}"))
}
