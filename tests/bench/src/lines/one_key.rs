//! Four processes, each this program again, that share a Redis.

use std::error::Error;
use std::time::{Duration, Instant};

use dogpile_cache::{Event, Key, Observe, Region, codec::MsgPack};
use dogpile_lock::Dogpile;
use dogpile_redis::Redis;
use redis::Commands;
use serde_json::json;

use super::Measured;
use super::redis::Server;
use crate::arguments::Settings;
use crate::report::{Bar, Row};
use crate::timing::quantile;
use crate::worker::Worker;

const PROCESSES: usize = 4;
const TASKS: usize = 250;

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let server = Server::start()?;
    let mut counts = redis::Client::open(&*server.url)?.get_connection()?;
    let mut rows = missing(&server, &mut counts, settings)?;
    rows.extend(killed(&server, &mut counts, settings)?);
    rows.push(slow(&server, &mut counts, settings)?);
    rows.push(stale(&server, settings)?);
    Ok(rows.into())
}

fn missing(
    server: &Server,
    counts: &mut redis::Connection,
    settings: Settings,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut workers = start(server, PROCESSES)?;
    let (mut last, mut creations) = (Vec::new(), Vec::new());
    for round in 0..settings.rounds * 2 {
        let asked = Asked {
            key: format!("missing {round}"),
            tasks: TASKS,
            sleep_ms: 50,
            ..Asked::default()
        };
        let answers = ask_all(&mut workers, &asked)?;
        last.push(answers.iter().map(|answer| answer.ms).fold(0.0, f64::max));
        creations.push(created(counts, &asked.key)?);
    }
    let most = creations.iter().copied().max().unwrap_or(0);
    let details = json!({ "last_ms": last, "creations": creations });
    let name = format!("Redis, {PROCESSES} processes x {TASKS} tasks, missing key, 50 ms creator");
    Ok(vec![
        ms(
            format!("{name}: last waiter"),
            quantile(&last, 0.5),
            Bar::AtMost(60.0),
            details.clone(),
        ),
        count(format!("{name}: creations"), most, Bar::AtMost(1.0), details),
    ])
}

/// The creator is killed; its lease is a second.
fn killed(
    server: &Server,
    counts: &mut redis::Connection,
    settings: Settings,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let rounds = if settings.quick { 1 } else { 3 };
    let (mut last, mut creations) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut workers = start(server, PROCESSES)?;
        let key = format!("killed {round}");
        let mut leader = workers.remove(0);
        let stuck = Asked {
            key: key.clone(),
            tasks: 1,
            sleep_ms: 60_000,
            lease_ms: 1_000,
            ..Asked::default()
        };
        leader.tell(&stuck.line())?;
        while created(counts, &key)? == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let asked = Asked { sleep_ms: 50, tasks: TASKS, ..stuck };
        workers.iter_mut().try_for_each(|worker| worker.tell(&asked.line()))?;
        std::thread::sleep(Duration::from_millis(200));
        leader.kill()?;
        let began = Instant::now();
        workers.iter_mut().try_for_each(|worker| told(worker).map(drop))?;
        last.push(began.elapsed().as_secs_f64() * 1000.0);
        creations.push(created(counts, &key)? - 1);
    }
    let most = creations.iter().copied().max().unwrap_or(0);
    let details = json!({ "last_ms": last, "further_creations": creations });
    let name = "Redis, creator killed with -9, lease of 1 s";
    let slowest = last.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        ms(format!("{name}: last waiter"), slowest, Bar::AtMost(1_060.0), details.clone()),
        count(format!("{name}: further creations"), most, Bar::AtMost(1.0), details),
    ])
}

/// A creation that takes longer than any lease.
fn slow(
    server: &Server,
    counts: &mut redis::Connection,
    settings: Settings,
) -> Result<Row, Box<dyn Error>> {
    let seconds = if settings.quick { 2 } else { 8 };
    let mut workers = start(server, PROCESSES)?;
    let asked = Asked {
        key: "slow".into(),
        tasks: TASKS,
        sleep_ms: seconds * 1000,
        lease_ms: 1_000,
        ..Asked::default()
    };
    let answers = ask_all(&mut workers, &asked)?;
    let last = answers.iter().map(|answer| answer.ms).fold(0.0, f64::max);
    let name =
        format!("Redis, {seconds} s creator on {PROCESSES} processes, lease of 1 s: creations");
    Ok(count(name, created(counts, "slow")?, Bar::AtMost(1.0), json!({ "last_ms": last })))
}

/// What a process that has just started is answered while another creates for 3 s.
fn stale(server: &Server, settings: Settings) -> Result<Row, Box<dyn Error>> {
    let rounds = if settings.quick { 1 } else { 5 };
    let mut creator = start(server, 1)?.remove(0);
    let old = Asked { key: "stale".into(), tasks: 1, ..Asked::default() };
    creator.tell(&old.line())?;
    told(&mut creator)?;
    std::thread::sleep(Duration::from_millis(50));
    creator.tell(&Asked { expires_ms: 20, sleep_ms: 3_000, ..old.clone() }.line())?;
    std::thread::sleep(Duration::from_millis(100));
    let mut times = Vec::new();
    for _ in 0..rounds {
        let mut fresh = start(server, 1)?.remove(0);
        fresh.tell(&Asked { expires_ms: 20, ..old.clone() }.line())?;
        let answer = told(&mut fresh)?;
        if answer.outcome != "stale" {
            return Err(format!("a stale value was expected, and it was {}", answer.outcome).into());
        }
        times.push(answer.ms);
    }
    let slowest = times.iter().copied().fold(0.0, f64::max);
    let name = "Redis, stale value to a process that has just started, another creates for 3 s";
    Ok(ms(name.into(), slowest, Bar::AtMost(5.0), json!({ "ms": times })))
}

fn ms(name: String, figure: f64, bar: Bar, details: serde_json::Value) -> Row {
    Row {
        name,
        ours: format!("{figure:.2} ms"),
        peer: String::new(),
        figure,
        unit: " ms",
        bar,
        details,
    }
}

fn count(name: String, figure: u64, bar: Bar, details: serde_json::Value) -> Row {
    Row {
        name,
        ours: figure.to_string(),
        peer: String::new(),
        figure: figure as f64,
        unit: "",
        bar,
        details,
    }
}

fn created(counts: &mut redis::Connection, key: &str) -> Result<u64, Box<dyn Error>> {
    Ok(counts.get::<_, Option<u64>>(format!("created {key}"))?.unwrap_or(0))
}

/// One question to a process, as a line of text.
#[derive(Clone)]
struct Asked {
    key: String,
    tasks: usize,
    sleep_ms: u64,
    lease_ms: u64,
    expires_ms: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Self { key: String::new(), tasks: 1, sleep_ms: 0, lease_ms: 5_000, expires_ms: 3_600_000 }
    }
}

impl Asked {
    fn line(&self) -> String {
        let Self { key, tasks, sleep_ms, lease_ms, expires_ms } = self;
        format!("{tasks} {sleep_ms} {lease_ms} {expires_ms} {key}")
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(5, ' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let (tasks, sleep_ms, lease_ms, expires_ms) = (number()?, number()?, number()?, number()?);
        Some(Self {
            key: words.next()?.to_owned(),
            tasks: tasks as usize,
            sleep_ms,
            lease_ms,
            expires_ms,
        })
    }
}

/// How long the last task waited, and what became of it.
struct Told {
    ms: f64,
    outcome: String,
}

fn start(server: &Server, count: usize) -> Result<Vec<Worker>, Box<dyn Error>> {
    (0..count).map(|_| Worker::start(&["redis", &server.url])).collect()
}

fn ask_all(workers: &mut [Worker], asked: &Asked) -> Result<Vec<Told>, Box<dyn Error>> {
    workers.iter_mut().try_for_each(|worker| worker.tell(&asked.line()))?;
    workers.iter_mut().map(told).collect()
}

fn told(worker: &mut Worker) -> Result<Told, Box<dyn Error>> {
    let line = worker.answer()?;
    let (ms, outcome) = line.split_once(' ').ok_or_else(|| format!("a process failed: {line}"))?;
    Ok(Told { ms: ms.parse()?, outcome: outcome.to_owned() })
}

/// What happened last.
#[derive(Debug, Default)]
struct Last(std::sync::Mutex<&'static str>);

impl Observe for Last {
    fn event(&self, _: Key<'_>, event: Event<'_>) {
        let outcome = match event {
            Event::Hit => "fresh",
            Event::Stale => "stale",
            Event::Created { .. } => "created",
            Event::Waited { .. } => "waited",
            _ => return,
        };
        *self.0.lock().unwrap() = outcome;
    }
}

/// What each of the processes does.
pub(super) fn process(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let url = arguments.first().ok_or("no server")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let redis = runtime.block_on(Redis::connect(url))?;
    let counts =
        runtime.block_on(redis::Client::open(&**url)?.get_multiplexed_async_connection())?;
    let last = std::sync::Arc::new(Last::default());
    let dogpile = Dogpile::leased(redis);
    println!("0 connected");
    for line in std::io::stdin().lines() {
        let asked = Asked::read(&line?).ok_or("a question was expected")?;
        let region = Region::new(dogpile.clone(), MsgPack)
            .expires_after(Duration::from_millis(asked.expires_ms))
            .with_lease_for(Duration::from_millis(asked.lease_ms))
            .with_observer(last.clone());
        let began = Instant::now();
        let all = runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..asked.tasks {
                let (region, asked, mut counts) = (region.clone(), asked.clone(), counts.clone());
                tasks.spawn(async move {
                    let key = asked.key.clone();
                    let create = || async move {
                        let name = format!("created {}", asked.key);
                        let _: u64 = redis::AsyncCommands::incr(&mut counts, name, 1).await?;
                        tokio::time::sleep(Duration::from_millis(asked.sleep_ms)).await;
                        Ok::<_, redis::RedisError>("value".to_owned())
                    };
                    region.get_or_create::<String, _, _, _>(&*key, create).await.map(drop)
                });
            }
            tasks.join_all().await
        });
        let took = began.elapsed().as_secs_f64() * 1000.0;
        match all.into_iter().collect::<Result<(), _>>() {
            Ok(()) => println!("{took:.3} {}", last.0.lock().unwrap()),
            Err(error) => println!("error: {error}"),
        }
    }
    Ok(())
}
