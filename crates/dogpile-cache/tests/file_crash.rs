//! The file backend among processes, and when they are killed.
//!
//! The child processes are this test binary, told by a variable what to be.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dogpile_cache::backend::File;
use dogpile_core::{Backend, BackendExt, Entry, Key, Timestamp};
use tempfile::TempDir;

const FOLDER: &str = "DOGPILE_TEST_FOLDER";
const KEYS: usize = 8;

/// A value that shows whether it is whole: its number, and as many bytes as the number says, made
/// from it.
fn value(number: u64) -> Bytes {
    let size = usize::try_from(number * 7_919 % 40_000).unwrap();
    let fill = u8::try_from(number % 251).unwrap();
    [&number.to_le_bytes()[..], &vec![fill; size]].concat().into()
}

fn number_of(read: &Bytes) -> u64 {
    let number = u64::from_le_bytes(read[..8].try_into().unwrap());
    assert!(*read == value(number), "the value {number} is torn: {} bytes", read.len());
    number
}

/// Which of the keys a number is written to.
fn slot(n: u64) -> usize {
    usize::try_from(n).unwrap() % KEYS
}

fn key(n: u64) -> String {
    format!("key {}", slot(n))
}

/// Half of the keys are fields of a group.
async fn set(file: &File, n: u64) {
    let (name, entry) = (key(n), Entry::new(Timestamp::from_millis(n), value(n)));
    match n % 2 {
        0 => file.set(Key::name(&name), entry).await.unwrap(),
        _ => file.set(Key::field("group", &name), entry).await.unwrap(),
    }
}

async fn get(file: &File, n: u64) -> Option<u64> {
    let name = key(n);
    let key = match n % 2 {
        0 => Key::name(&name),
        _ => Key::field("group", &name),
    };
    let entry = file.get(key).await.unwrap()?;
    let number = number_of(&entry.value);
    assert_eq!(entry.created.as_millis(), number);
    Some(number)
}

/// Not a test of its own: what a child process does, until it is killed. It writes numbers in order
/// and says each once it is written.
#[tokio::test]
#[ignore = "run by the other tests, in processes of their own"]
async fn child() {
    let folder = env::var_os(FOLDER).unwrap();
    let file = File::open(folder).unwrap();
    let mut next = 0;
    for n in (0..).take(KEYS) {
        next = next.max(get(&file, n).await.map_or(0, |number| number + 1));
    }
    let mut out = std::io::stdout().lock();
    for n in next.. {
        set(&file, n).await;
        writeln!(out, "wrote {n}").unwrap();
    }
}

fn spawn(folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a child, and reads what it still said.
fn kill(mut child: Child, said: &mut impl BufRead) -> Vec<u64> {
    child.kill().unwrap();
    child.wait().unwrap();
    said.lines().map_while(Result::ok).filter_map(|line| written(&line)).collect()
}

/// The number in a whole line: the last one may have been cut short.
fn written(line: &str) -> Option<u64> {
    line.strip_prefix("wrote ")?.parse().ok()
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_written_and_tears_nothing() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    let mut last = [None; KEYS];
    let (started, mut rounds) = (Instant::now(), 0);
    while rounds < 100 && (rounds < 20 || started.elapsed() < Duration::from_secs(10)) {
        let mut child = spawn(folder.path());
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut lines = Vec::new();
        // Some rounds end after the first write, some later, all at no moment in particular.
        for _ in 0..1 + rounds % 30 {
            let mut line = String::new();
            while written(line.trim_end()).is_none() {
                line.clear();
                assert!(said.read_line(&mut line).unwrap() > 0, "the child ended by itself");
            }
            lines.extend(written(line.trim_end()));
        }
        let pause = Duration::from_micros(rounds * 7_919 % 700);
        let until = Instant::now() + pause;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        // The last line may be cut in the middle of its number: only what is sure is compared.
        let rest = kill(child, &mut said);
        lines.extend(rest.iter().rev().skip(1).rev());
        for n in lines {
            last[slot(n)] = Some(n);
        }
        for (n, last) in (0..).zip(last) {
            let found = get(&file, n).await;
            assert!(found >= last, "key {n}: {last:?} was written, and {found:?} is there");
        }
        rounds += 1;
    }
    assert_eq!(file.stats().damaged, 0);
    assert!(last.iter().all(Option::is_some), "{last:?}");
}

#[tokio::test]
async fn processes_see_each_others_writes_and_deletions_at_once() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    let mut child = spawn(folder.path());
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut seen = 0;
    while seen < 200 {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "the child ended by itself");
        if let Some(n) = written(line.trim_end()) {
            assert!(get(&file, n).await >= Some(n));
            seen += 1;
        }
    }
    kill(child, &mut said);
    file.delete_group(b"group").await.unwrap();
    for n in (0..).take(KEYS) {
        let other = File::open(folder.path()).unwrap();
        assert_eq!(get(&other, n).await.is_some(), n % 2 == 0);
    }
}
