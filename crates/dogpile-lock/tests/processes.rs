//! The lock between real processes, some of which are killed.
//!
//! The test binary runs itself: with `DOGPILE_ROLE` set, [`child`] plays that role.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dogpile_core::{
    Backend, Clock, Entry, Key, Made, ReadThrough, Result, ServedBy, SetOptions, Timestamp,
};
use dogpile_lock::{Dogpile, FileLock};
use support::{clock, expired, request};

/// A value in a file: its creation time and itself. Whoever creates it appends to `creations`.
#[derive(Clone, Debug)]
struct OneFile(PathBuf);

impl Backend for OneFile {
    type Value = u64;

    async fn get(&self, _: Key<'_>) -> Result<Option<Entry<u64>>> {
        let Ok(text) = std::fs::read_to_string(self.0.join("value")) else { return Ok(None) };
        let (created, value) = text.split_once(' ').unwrap();
        Ok(Some(Entry::new(
            Timestamp::from_millis(created.parse().unwrap()),
            value.parse().unwrap(),
        )))
    }

    async fn get_many(&self, _: &[Key<'_>]) -> Result<Vec<Option<Entry<u64>>>> {
        unreachable!("one key is enough")
    }

    async fn set_many(&self, items: &[(Key<'_>, Entry<u64>)], _: &SetOptions) -> Result<()> {
        let entry = items[0].1;
        let new = self.0.join(format!("value.{}", std::process::id()));
        std::fs::write(&new, format!("{} {}", entry.created.as_millis(), entry.value)).unwrap();
        std::fs::rename(new, self.0.join("value")).unwrap();
        Ok(())
    }

    async fn delete_many(&self, _: &[Key<'_>]) -> Result<()> {
        let _ = std::fs::remove_file(self.0.join("value"));
        Ok(())
    }

    async fn delete_group(&self, _: &[u8]) -> Result<()> {
        unreachable!("there is no group")
    }
}

fn dogpile(folder: &Path) -> Dogpile<dogpile_lock::Paired<OneFile, FileLock>> {
    Dogpile::with_lock(OneFile(folder.to_path_buf()), FileLock::open(folder.join("locks")).unwrap())
}

fn creations(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("creations")).map_or(0, |text| text.lines().count())
}

async fn create(folder: PathBuf, clock: Arc<dyn Clock>) -> Result<Made<u64>> {
    use std::io::Write;
    let mut log = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join("creations"))
        .unwrap();
    writeln!(log, "{}", std::process::id()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(Made::new(Entry::new(clock.now(), 7), SetOptions::new()))
}

fn spawn(role: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("DOGPILE_ROLE", role)
        .env("DOGPILE_FOLDER", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A child that holds the turn, seen by what it says.
fn spawn_holder(folder: &Path, lease: &str) -> Child {
    let mut child = spawn(lease, folder);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("creating")), "the child creates");
    child
}

/// Not a test by itself: the part of the child.
#[test]
fn child() {
    let Ok(role) = std::env::var("DOGPILE_ROLE") else { return };
    let folder = PathBuf::from(std::env::var("DOGPILE_FOLDER").unwrap());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (dogpile, clock) = (dogpile(&folder), clock());
        if let Some(millis) = role.strip_prefix("hold ") {
            let request =
                expired("k", &clock).with_lease_for(Duration::from_millis(millis.parse().unwrap()));
            let for_ever = || async {
                println!("creating");
                std::future::pending().await
            };
            let _ = dogpile.read_through(&request, for_ever).await;
        } else {
            let tasks: Vec<_> = (0..25)
                .map(|_| {
                    let (dogpile, folder, clock) =
                        (dogpile.clone(), folder.clone(), Arc::clone(&clock));
                    tokio::spawn(async move {
                        let request = request("k", &clock);
                        dogpile
                            .read_through(&request, || create(folder, Arc::clone(&clock)))
                            .await
                            .unwrap()
                    })
                })
                .collect();
            for task in tasks {
                assert_eq!(task.await.unwrap().entry.value, 7);
            }
        }
    });
}

#[test]
fn four_processes_on_a_missing_key_create_once() {
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let children: Vec<_> = (0..4).map(|_| spawn("read", folder.path())).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(creations(folder.path()), 1);
    }
}

/// Rule 5 across processes: a killed holder's turn is free at once, long before its lease ends.
#[tokio::test]
async fn a_killed_creator_frees_its_turn_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..10 {
        let mut holder = spawn_holder(folder.path(), "hold 60000");
        let (dogpile, clock) = (dogpile(folder.path()), clock());
        assert!(dogpile.is_creating(Key::name("k")).await.unwrap());
        holder.kill().unwrap();
        holder.wait().unwrap();
        let start = Instant::now();
        let request = request("k", &clock);
        let served = dogpile
            .read_through(&request, || create(folder.path().into(), Arc::clone(&clock)))
            .await
            .unwrap();
        assert_eq!(served.by, ServedBy::Created);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "it did not wait for the end of the lease"
        );
        OneFile(folder.path().into()).delete_many(&[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_process_that_waits_goes_on_when_the_creator_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = spawn_holder(folder.path(), "hold 60000");
    let (dogpile, clock) = (dogpile(folder.path()), clock());
    let request = request("k", &clock);
    let mut waiting = Box::pin(
        dogpile.read_through(&request, || create(folder.path().into(), Arc::clone(&clock))),
    );
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err(),
        "the child has the turn"
    );
    let start = Instant::now();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(waiting.await.unwrap().entry.value, 7);
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// A holder that is stopped, not dead, keeps its turn to the end of its lease, and is fenced then.
#[cfg(unix)]
#[tokio::test]
async fn a_stopped_creator_keeps_its_turn_to_the_end_of_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = spawn_holder(folder.path(), "hold 400");
    let stop = Command::new("kill").args(["-STOP", &holder.id().to_string()]).status().unwrap();
    assert!(stop.success());
    let (dogpile, clock) = (dogpile(folder.path()), clock());
    let request = request("k", &clock);
    let served =
        dogpile.read_through(&request, || create(folder.path().into(), Arc::clone(&clock))).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(served.unwrap().by, ServedBy::Created);
    assert_eq!(creations(folder.path()), 1);
}

/// The stale value is everybody's while another process creates, also of a process just started.
#[tokio::test]
async fn a_fresh_process_is_served_the_stale_value() {
    let folder = tempfile::tempdir().unwrap();
    let value = OneFile(folder.path().into());
    value.set_many(&[(Key::name("k"), support::old(3))], &SetOptions::new()).await.unwrap();
    let mut holder = spawn_holder(folder.path(), "hold 60000");
    let (dogpile, clock) = (dogpile(folder.path()), clock());
    let start = Instant::now();
    let request = expired("k", &clock);
    let served =
        dogpile.read_through(&request, || create(folder.path().into(), Arc::clone(&clock))).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    let served = served.unwrap();
    assert_eq!((served.entry.value, served.by), (3, ServedBy::Stale));
    assert!(start.elapsed() < Duration::from_secs(1));
}
