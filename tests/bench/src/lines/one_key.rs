//! Four processes, each this program again, that share a server and ask for one key.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dogpile_cache::{Event, Key, Observe, ReadThrough, Region, codec::MsgPack};
use serde_json::json;

use super::Measured;
use crate::arguments::Settings;
use crate::report::{Bar, Row};
use crate::timing::quantile;
use crate::worker::Worker;

/// A server that the processes share, and what is demanded of it.
pub(super) trait Shared {
    const NAME: &'static str;
    /// What a process is called that connects to it.
    const ROLE: &'static str;
    /// For the last waiter of a creation of 50 ms.
    const LAST: Bar;
    /// For the last waiter after the creator was killed, whose lease is a second.
    const KILLED: Bar;

    fn address(&self) -> &str;

    /// How often a key was created.
    fn created(&mut self, key: &str) -> Result<u64, Box<dyn Error>>;
}

const PROCESSES: usize = 4;
const TASKS: usize = 250;

pub(super) fn run<S: Shared>(
    mut server: S,
    settings: Settings,
) -> Result<Measured, Box<dyn Error>> {
    let mut rows = missing(&mut server, settings)?;
    rows.extend(killed(&mut server, settings)?);
    rows.push(slow(&mut server, settings)?);
    rows.push(stale(&server, settings)?);
    Ok(rows.into())
}

fn missing<S: Shared>(server: &mut S, settings: Settings) -> Result<Vec<Row>, Box<dyn Error>> {
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
        creations.push(server.created(&asked.key)?);
    }
    let most = creations.iter().copied().max().unwrap_or(0);
    let details = json!({ "last_ms": last, "creations": creations });
    let name =
        format!("{}, {PROCESSES} processes x {TASKS} tasks, missing key, 50 ms creator", S::NAME);
    Ok(vec![
        ms(format!("{name}: last waiter"), quantile(&last, 0.5), S::LAST, details.clone()),
        count(format!("{name}: creations"), most, Bar::AtMost(1.0), details),
    ])
}

/// The creator is killed; its lease is a second.
fn killed<S: Shared>(server: &mut S, settings: Settings) -> Result<Vec<Row>, Box<dyn Error>> {
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
        while server.created(&key)? == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let asked = Asked { sleep_ms: 50, tasks: TASKS, ..stuck };
        workers.iter_mut().try_for_each(|worker| worker.tell(&asked.line()))?;
        std::thread::sleep(Duration::from_millis(200));
        leader.kill()?;
        let began = Instant::now();
        workers.iter_mut().try_for_each(|worker| told(worker).map(drop))?;
        last.push(began.elapsed().as_secs_f64() * 1000.0);
        creations.push(server.created(&key)? - 1);
    }
    let most = creations.iter().copied().max().unwrap_or(0);
    let details = json!({ "last_ms": last, "further_creations": creations });
    let name = format!("{}, creator killed with -9, lease of 1 s", S::NAME);
    let slowest = last.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        ms(format!("{name}: last waiter"), slowest, S::KILLED, details.clone()),
        count(format!("{name}: further creations"), most, Bar::AtMost(1.0), details),
    ])
}

/// A creation that takes longer than any lease.
fn slow<S: Shared>(server: &mut S, settings: Settings) -> Result<Row, Box<dyn Error>> {
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
    let name = format!(
        "{}, {seconds} s creator on {PROCESSES} processes, lease of 1 s: creations",
        S::NAME
    );
    Ok(count(name, server.created("slow")?, Bar::AtMost(1.0), json!({ "last_ms": last })))
}

/// What a process that has just started is answered while another creates for 3 s.
fn stale<S: Shared>(server: &S, settings: Settings) -> Result<Row, Box<dyn Error>> {
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
    let name = "stale value to a process that has just started, another creates for 3 s";
    Ok(ms(format!("{}, {name}", S::NAME), slowest, Bar::AtMost(5.0), json!({ "ms": times })))
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

pub(super) fn count(name: String, figure: u64, bar: Bar, details: serde_json::Value) -> Row {
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

fn start<S: Shared>(server: &S, count: usize) -> Result<Vec<Worker>, Box<dyn Error>> {
    (0..count).map(|_| Worker::start(&[S::ROLE, server.address()])).collect()
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

/// What each of the processes does: it answers questions with a store, and counts what it creates.
pub(super) fn answer<R, F, Fut>(
    runtime: &tokio::runtime::Runtime,
    store: R,
    count: F,
) -> Result<(), Box<dyn Error>>
where
    R: ReadThrough<Value = Bytes> + Clone + 'static,
    F: Fn(String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let last = std::sync::Arc::new(Last::default());
    println!("0 connected");
    for line in std::io::stdin().lines() {
        let asked = Asked::read(&line?).ok_or("a question was expected")?;
        let region = Region::new(store.clone(), MsgPack)
            .expires_after(Duration::from_millis(asked.expires_ms))
            .with_lease_for(Duration::from_millis(asked.lease_ms))
            .with_observer(last.clone());
        let began = Instant::now();
        let all = runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..asked.tasks {
                let (region, asked, count) = (region.clone(), asked.clone(), count.clone());
                tasks.spawn(async move {
                    let key = asked.key.clone();
                    let create = || async move {
                        count(asked.key).await;
                        tokio::time::sleep(Duration::from_millis(asked.sleep_ms)).await;
                        Ok::<_, std::io::Error>("value".to_owned())
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

/// The runtime of such a process.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}
