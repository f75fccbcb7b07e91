//! A worker process: tasks that all want the same value.

use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dogpile_cache::backend::File;
use dogpile_cache::codec::MsgPack;
use dogpile_cache::{Error, Region, Stats};
use dogpile_lock::{Dogpile, FileLock, Paired};

use crate::arguments::Arguments;
use crate::statistics::{self, Statistics};

/// Set for a worker, to how it creates.
pub(crate) const ROLE: &str = "QUICKSTART_ROLE";
pub(crate) const WITH_LOCK: &str = "with the lock";
pub(crate) const WITHOUT_LOCK: &str = "without the lock";

/// How long a value is fresh.
pub(crate) const EXPIRES_AFTER: Duration = Duration::from_millis(400);
const BETWEEN_READS: Duration = Duration::from_millis(5);

type Cache = Region<Dogpile<Paired<File, FileLock>>, MsgPack>;

/// Reads until its standard input is closed, says each creation on its standard output, and leaves
/// what it measured in the cache folder.
pub(crate) fn run(arguments: &Arguments, with_lock: bool) -> Result<(), String> {
    let dir = arguments.dir.as_ref().ok_or("a worker has to be told the cache folder")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.map_err(|error| format!("cannot start a runtime: {error}"))?;
    let stats = Arc::new(Stats::new());
    let cache = open(dir, Arc::clone(&stats)).map_err(|error| explain(&error))?;
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, folder) = (Arc::clone(&stop), Arc::new(arguments.folder.clone()));
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stopped.store(true, Ordering::Relaxed);
    });
    let latencies = runtime.block_on(async {
        let tasks: Vec<_> = (0..arguments.tasks)
            .map(|_| {
                let reader = Reader { cache: cache.clone(), folder: Arc::clone(&folder) };
                tokio::spawn(reader.read_until(Arc::clone(&stop), with_lock))
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.append(&mut task.await.map_err(|error| error.to_string())??);
        }
        Ok::<_, String>(latencies)
    })?;
    let counts = stats.counts();
    // Without the lock, what `get` did not find was computed, and nobody waited for anybody.
    println!("counts {} {} {}", counts.hits, counts.stale, counts.waited);
    write_latencies(&dir.join(format!("latencies.{}", std::process::id())), &latencies)
}

fn open(dir: &Path, stats: Arc<Stats>) -> Result<Cache, Error> {
    let lock = FileLock::open(dir.join("locks"))?;
    let store = Dogpile::with_lock(File::open(dir.join("values"))?, lock);
    Ok(Region::new(store, MsgPack).expires_after(EXPIRES_AFTER).with_observer(stats))
}

#[derive(Clone)]
struct Reader {
    cache: Cache,
    folder: Arc<PathBuf>,
}

impl Reader {
    async fn read_until(self, stop: Arc<AtomicBool>, with_lock: bool) -> Result<Vec<u32>, String> {
        let mut latencies = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let started = Instant::now();
            let statistics =
                if with_lock { self.read().await } else { self.read_unprotected().await };
            statistics.map_err(|error| explain(&error))?;
            latencies.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
            tokio::time::sleep(BETWEEN_READS).await;
        }
        Ok(latencies)
    }

    /// One creates, all others are served the stale value or wait.
    async fn read(&self) -> Result<Statistics, Error> {
        self.cache.get_or_create(("statistics", 1), || self.compute()).await
    }

    /// What a cache without the lock does: whoever finds nothing computes.
    async fn read_unprotected(&self) -> Result<Statistics, Error> {
        if let Some(statistics) = self.cache.get(("statistics", 1)).await? {
            return Ok(statistics);
        }
        let statistics = self.compute().await.map_err(Error::from_creator)?;
        self.cache.set(("statistics", 1), &statistics).await?;
        Ok(statistics)
    }

    async fn compute(&self) -> Result<Statistics, String> {
        let (folder, started) = (Arc::clone(&self.folder), now());
        let statistics = tokio::task::spawn_blocking(move || statistics::of_folder(&folder)).await;
        let statistics = statistics.map_err(|error| error.to_string())??;
        println!("created {started} {}", now());
        Ok(statistics)
    }
}

fn explain(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Microseconds since 1970.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()
}

fn write_latencies(path: &Path, latencies: &[u32]) -> Result<(), String> {
    let write = || {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        latencies.iter().try_for_each(|latency| file.write_all(&latency.to_le_bytes()))?;
        file.flush()
    };
    write().map_err(|error: std::io::Error| format!("cannot write {}: {error}", path.display()))
}
