//! The master is killed while four processes use the cache.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dogpile_cache::Region;
use dogpile_cache::codec::Json;
use dogpile_lock::Dogpile;
use dogpile_redis::{Connect, Redis};
use serde::{Deserialize, Serialize};

use crate::support::{Cluster, Kind, Sentinels, Server, sentinel};

const PROCESSES: usize = 4;
const OPERATIONS: usize = 2_500;
/// How long the operations of one process are spread over.
const LASTS: Duration = Duration::from_millis(7_500);
/// When the master is killed.
const KILLED_AFTER: Duration = Duration::from_millis(1_500);
const EXPIRES: Duration = Duration::from_millis(150);
const LEASE: Duration = Duration::from_millis(800);
const KEYS: usize = 12;
/// What one call may take: it asks, waits for another's creation, asks again, and stores.
const CALL: Duration = Duration::from_millis(2_500);
/// How soon after its end the service has to be back.
const BACK: Duration = Duration::from_secs(5);

#[test]
fn a_killed_master_is_survived() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let cluster = Cluster::start(Kind::Redis).unwrap();
            let report = run(&Job { sentinels: false, urls: cluster.urls() }, || {
                cluster.master_of(name(0).as_bytes()).unwrap().kill();
            });
            report.check("a cluster");
        });
        scope.spawn(|| {
            let sentinels = Sentinels::start().unwrap();
            let report = run(&Job { sentinels: true, urls: sentinels.urls() }, || {
                sentinels.master().kill();
            });
            report.check("Sentinels");
            assert!(sentinels.servers.iter().filter(|server| is_up(server)).count() == 1);
        });
    });
}

fn is_up(server: &Server) -> bool {
    std::os::unix::net::UnixStream::connect(server.socket()).is_ok()
}

/// What a process is told to do.
#[derive(Deserialize, Serialize)]
struct Job {
    sentinels: bool,
    urls: Vec<String>,
}

/// What became of it. Instants are milliseconds of the machine's clock.
#[derive(Default, Deserialize, Serialize)]
struct Report {
    operations: usize,
    wrong: Vec<String>,
    slowest_ms: u64,
    /// When the call ended, and what it said.
    errors: Vec<(u64, String)>,
    created: Vec<Created>,
    #[serde(skip)]
    killed: u64,
}

#[derive(Clone, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct Created {
    key: String,
    began: u64,
    made: u64,
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap()
}

fn name(index: usize) -> String {
    format!("key {index}")
}

/// Runs the processes, and kills in between.
fn run(job: &Job, kill: impl FnOnce()) -> Report {
    let job = serde_json::to_string(job).unwrap();
    let began = Instant::now();
    let workers: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "failover::worker", "--nocapture"])
                .env(JOB, &job)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    thread::sleep(KILLED_AFTER.saturating_sub(began.elapsed()));
    let mut all = Report { killed: now(), ..Report::default() };
    kill();
    for worker in workers {
        let output = String::from_utf8(worker.wait_with_output().unwrap().stdout).unwrap();
        let line = output.lines().find_map(|line| line.split_once(REPORT));
        let (_, line) = line.unwrap_or_else(|| panic!("a process says {output}"));
        let report: Report = serde_json::from_str(line).unwrap();
        all.operations += report.operations;
        all.wrong.extend(report.wrong);
        all.errors.extend(report.errors);
        all.created.extend(report.created);
        all.slowest_ms = all.slowest_ms.max(report.slowest_ms);
    }
    all
}

impl Report {
    fn check(mut self, what: &str) {
        assert_eq!(self.operations, PROCESSES * OPERATIONS);
        assert_eq!(self.wrong, [""; 0], "{what}: wrong values");
        assert!(self.slowest_ms <= millis(CALL), "{what}: a call took {} ms", self.slowest_ms);
        self.errors.sort();
        let early = self.errors.iter().find(|(at, _)| *at < self.killed);
        assert!(early.is_none(), "{what}: before the master was killed: {early:?}");
        let back = self.errors.last().map_or(self.killed, |(at, _)| *at);
        let down = back - self.killed;
        assert!(down <= millis(BACK), "{what}: {down} ms after the end: {:?}", self.errors.last());

        // One creation for each expiry: the next one begins when the value has aged. Around the
        // failover writes may be lost, leases among them, and a lost lease has to run out.
        let window = (self.killed - millis(EXPIRES))..=(back + millis(LEASE + EXPIRES) + 500);
        self.created.sort();
        let mut counted = 0;
        for pair in self.created.windows(2).filter(|pair| pair[0].key == pair[1].key) {
            if window.contains(&pair[0].began) || window.contains(&pair[1].began) {
                continue;
            }
            counted += 1;
            let apart = i128::from(pair[1].began) - i128::from(pair[0].made);
            // The value's age counts from then on; each of the three moments is cut to a millisecond.
            let least = i128::from(millis(EXPIRES)) - 2;
            assert!(apart >= least, "{what}: {} created again after {apart} ms", pair[0].key);
        }
        assert!(counted >= KEYS * 4, "{what}: only {counted} creations to judge by");
        let (errors, slowest) = (self.errors.len(), self.slowest_ms);
        eprintln!("{what}: down for {down} ms, {errors} errors, slowest call {slowest} ms");
    }
}

const JOB: &str = "DOGPILE_TEST_JOB";
const REPORT: &str = "REPORT ";

/// One of the processes; nothing if it is not started as one.
#[test]
fn worker() {
    let Ok(job) = std::env::var(JOB) else { return };
    let job: Job = serde_json::from_str(&job).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(work(job));
    println!("{REPORT}{}", serde_json::to_string(&report).unwrap());
}

#[derive(Debug, Deserialize, Serialize)]
struct Value {
    key: String,
    made: String,
    copies: Vec<String>,
}

impl Value {
    fn is_whole(&self, key: &str) -> bool {
        self.key == key && self.copies.len() == 40 && self.copies.iter().all(|c| *c == self.made)
    }
}

async fn work(job: Job) -> Report {
    let options = Connect::new()
        .with_connect_timeout(Duration::from_millis(200))
        .with_response_timeout(Duration::from_millis(250))
        .with_total_timeout(Duration::from_millis(400));
    let redis = if job.sentinels {
        let master = format!("redis://{}", sentinel::MASTER);
        Redis::connect_sentinel(&job.urls, &master, options).await.unwrap()
    } else {
        Redis::connect_cluster(&job.urls, options).await.unwrap()
    };
    let region = Region::new(Dogpile::leased(redis), Json)
        .expires_after(EXPIRES)
        .with_lease_for(LEASE)
        .with_wait_for(Duration::from_millis(500));
    let report = Arc::<Mutex<Report>>::default();
    let began = tokio::time::Instant::now();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (region, report) = (region.clone(), Arc::clone(&report));
            tokio::spawn(async move {
                for operation in (task..OPERATIONS).step_by(8) {
                    let due = LASTS.mul_f64(operation as f64 / OPERATIONS as f64);
                    tokio::time::sleep_until(began + due).await;
                    one(&region, &name(operation % KEYS), &report).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    std::mem::take(&mut *report.lock().unwrap())
}

type Cache = Region<Dogpile<Redis>, Json>;

async fn one(region: &Cache, key: &str, report: &Mutex<Report>) {
    let (began, created) = (Instant::now(), Mutex::new(None));
    let create = || async {
        let at = now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let made = format!("{at} by {}", std::process::id());
        *created.lock().unwrap() = Some((at, now()));
        Ok::<_, String>(Value { key: key.to_owned(), copies: vec![made.clone(); 40], made })
    };
    let answer = region.get_or_create(key, create).await;
    let mut report = report.lock().unwrap();
    report.operations += 1;
    report.slowest_ms = report.slowest_ms.max(millis(began.elapsed()));
    if let Some((began, made)) = created.into_inner().unwrap() {
        report.created.push(Created { key: key.to_owned(), began, made });
    }
    match answer {
        Ok(value) if value.is_whole(key) => {}
        Ok(value) => report.wrong.push(format!("{key}: {value:?}")),
        Err(error) => report.errors.push((now(), error.to_string())),
    }
}
