//! Four processes, each this program again, that share a folder.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dogpile_cache::Region;
use dogpile_cache::backend::File;
use dogpile_cache::codec::MsgPack;
use dogpile_lock::{Dogpile, FileLock};
use serde_json::json;

use super::Measured;
use crate::arguments::Settings;
use crate::report::{Bar, Row};
use crate::worker::Worker;

const PROCESSES: usize = 4;
const TASKS: usize = 8;
const CREATOR: Duration = Duration::from_millis(20);
const EXPIRY: Duration = Duration::from_millis(300);

/// Each round has a key of its own.
const MISSING: &str = "missing";
/// All rounds have one key, which has expired.
const EXPIRED: &str = "expired";

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let rounds = if settings.quick { 10 } else { 50 };
    Ok(vec![rows_of(MISSING, rounds)?, rows_of(EXPIRED, rounds)?].into())
}

fn rows_of(what: &str, rounds: usize) -> Result<Row, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut workers = Vec::new();
    for _ in 0..PROCESSES {
        workers.push(Worker::start(&[folder.path()])?);
    }
    if what == EXPIRED {
        ask_all(&mut workers[..1], what)?;
    }
    let mut created = Vec::new();
    for round in 0..rounds {
        let before = creations(folder.path())?;
        if what == EXPIRED {
            std::thread::sleep(EXPIRY + Duration::from_millis(10));
        }
        let key = if what == EXPIRED { what.to_owned() } else { format!("{what} {round}") };
        ask_all(&mut workers, &key)?;
        created.push(creations(folder.path())? - before);
    }
    let exactly_one = created.iter().filter(|&&creations| creations == 1).count();
    Ok(Row {
        name: format!("{PROCESSES} processes, {what} key, rounds with 1 creation"),
        ours: format!("{exactly_one} of {rounds}"),
        peer: String::new(),
        figure: exactly_one as f64,
        unit: "",
        bar: Bar::AtLeast(rounds as f64),
        details: json!({ "creations": created, "tasks": TASKS }),
    })
}

fn creations(folder: &Path) -> std::io::Result<u64> {
    match std::fs::metadata(folder.join("creations")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        found => found.map(|found| found.len()),
    }
}

/// Tells all of them a key at once, and waits until all tasks of all have the value.
fn ask_all(workers: &mut [Worker], key: &str) -> Result<(), Box<dyn Error>> {
    workers.iter_mut().try_for_each(|worker| worker.tell(key))?;
    for worker in workers {
        match worker.answer()?.as_str() {
            "done" => {}
            other => return Err(format!("a process failed: {other}").into()),
        }
    }
    Ok(())
}

/// What each of the processes does.
pub(crate) fn process(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    match arguments {
        [role, rest @ ..] if role == "memcached" => {
            return super::memcached_processes::process(rest);
        }
        [role, rest @ ..] if role == "redis" => return super::redis_processes::process(rest),
        _ => {}
    }
    let folder = Path::new(arguments.first().ok_or("no folder")?).to_owned();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (file, lock) = (File::open(folder.join("cache"))?, FileLock::open(folder.join("locks"))?);
    let region = Region::new(Dogpile::with_lock(file, lock), MsgPack).expires_after(EXPIRY);
    println!("done");
    for key in std::io::stdin().lines() {
        let key: Arc<str> = key?.into();
        let all = runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..TASKS {
                let (region, folder, key) = (region.clone(), folder.clone(), Arc::clone(&key));
                tasks.spawn(async move {
                    let create = || create(&folder);
                    region.get_or_create::<String, _, _, _>(&*key, create).await.map(drop)
                });
            }
            tasks.join_all().await
        });
        match all.into_iter().collect::<Result<(), _>>() {
            Ok(()) => println!("done"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

/// Adds one byte to a file that all processes share.
async fn create(folder: &Path) -> std::io::Result<String> {
    let log = folder.join("creations");
    OpenOptions::new().create(true).append(true).open(log)?.write_all(b".")?;
    tokio::time::sleep(CREATOR).await;
    Ok("a value".to_owned())
}
