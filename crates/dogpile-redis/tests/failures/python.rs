//! dogpile.cache on redis-py, in processes of its own, on the same server.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile_cache::Region;
use dogpile_cache::codec::Json;
use dogpile_lock::Dogpile;
use dogpile_redis::{Envelope, Redis};

use crate::support::{Server, python};
use crate::{Cache, millis};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/failures/region.py");

/// A region of dogpile.cache with JSON values, driven line by line.
struct Python {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Python {
    fn start(python: &Path, server: &Server) -> Self {
        let mut child = Command::new(python)
            .args(["-u", PROGRAM, &server.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut this = Self { child, answers };
        assert_eq!(this.answer(), "ready");
        this
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, what: &str) -> String {
        self.tell(what);
        self.answer()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn region(redis: Redis) -> Cache {
    let redis = redis.with_envelope(Envelope::dogpile_cache()).with_python_locks("_lock");
    Region::new(Dogpile::leased(redis), Json).with_version(2)
}

#[tokio::test]
async fn values_go_both_ways() {
    let Some(python) = python() else { return };
    let server = Server::start().unwrap();
    let mut python = Python::start(&python, &server);
    let cache = region(Redis::connect(&server.url()).await.unwrap());

    assert_eq!(python.ask(r#"set from-python ["tea", 2, null]"#), "done");
    let value: (String, u32, Option<u32>) = cache.get("from-python").await.unwrap().unwrap();
    assert_eq!(value, ("tea".to_owned(), 2, None));

    cache.set("from-rust", &("ol\u{e9}".to_owned(), 1.5)).await.unwrap();
    assert_eq!(python.ask("get from-rust"), "[\"ol\\u00e9\", 1.5]");
    assert_eq!(python.ask("age from-rust"), "0", "the stamp is read as seconds");

    cache.delete("from-python").await.unwrap();
    assert_eq!(python.ask("get from-python"), "no value");
    assert_eq!(python.ask("delete from-rust"), "done");
    assert_eq!(cache.get::<String>("from-rust").await.unwrap(), None);

    // Each finds the other's value expired, and creates the next.
    assert_eq!(python.ask("set old 1"), "done");
    tokio::time::sleep(millis(30)).await;
    let short = cache.clone().expires_after(millis(20));
    assert_eq!(short.get_or_create("old", || crate::made(2)).await.unwrap(), 2);
    assert_eq!(python.ask("get old"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_and_rust_elect_one_creator_between_them() {
    let Some(python) = python() else { return };
    let server = Server::start().unwrap();
    let mut pythons: Vec<_> = (0..3).map(|_| Python::start(&python, &server)).collect();
    let made = Arc::<AtomicUsize>::default();
    for round in 0..4 {
        let key = format!("round-{round}");
        let create = format!("create {key} 0.15");
        // In turn one side or the other is a little earlier.
        if round % 2 == 0 {
            pythons.iter_mut().for_each(|python| python.tell(&create));
        }
        let mut callers = Vec::new();
        for _ in 0..3 {
            let cache = region(Redis::connect(&server.url()).await.unwrap());
            for _ in 0..4 {
                let (cache, key, made) = (cache.clone(), key.clone(), Arc::clone(&made));
                callers.push(tokio::spawn(async move {
                    let create = || async {
                        made.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(millis(150)).await;
                        Ok::<_, String>("made in rust".to_owned())
                    };
                    cache.get_or_create(&key, create).await.unwrap()
                }));
            }
        }
        if round % 2 == 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            pythons.iter_mut().for_each(|python| python.tell(&create));
        }
        let mut values = Vec::new();
        for caller in callers {
            values.push(caller.await.unwrap());
        }
        for python in &mut pythons {
            values.push(python.answer().trim_matches('"').to_owned());
        }
        assert_eq!(values.len(), 15);
        assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "{values:?}");
    }
    let python: usize = pythons.iter_mut().map(|p| p.ask("made").parse::<usize>().unwrap()).sum();
    let rust = made.load(Ordering::SeqCst);
    assert_eq!(python + rust, 4, "{python} by Python and {rust} by Rust");
    assert_eq!(server.ask(&["KEYS", "_lock*"]).list(), [], "every lock was given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_releases_the_others_lock() {
    let Some(python) = python() else { return };
    let server = Server::start().unwrap();
    let mut python = Python::start(&python, &server);
    let cache = region(Redis::connect(&server.url()).await.unwrap());
    assert_eq!(python.ask("lock k"), "done");
    assert!(cache.is_locked("k").await.unwrap());
    let impatient = cache.clone().with_wait_for(millis(100));
    let waited = impatient.get_or_create("k", || crate::made(1)).await;
    assert!(waited.is_err(), "Python holds the lock");
    assert_eq!(python.ask("unlock k"), "done");
    assert_eq!(cache.get_or_create("k", || crate::made(2)).await.unwrap(), 2);
    assert_eq!(server.ask(&["KEYS", "_lock*"]).list(), []);
}

/// A write needs no lock, and takes none away.
#[tokio::test]
async fn what_rust_writes_leaves_the_lock_of_python_alone() {
    let Some(python) = python() else { return };
    let server = Server::start().unwrap();
    let mut python = Python::start(&python, &server);
    let cache = region(Redis::connect(&server.url()).await.unwrap());
    assert_eq!(python.ask("lock k"), "done");
    let token = server.ask(&["GET", "_lockk"]).text();
    for round in 0..2 {
        cache.set("k", &round).await.unwrap();
        assert_eq!(server.ask(&["GET", "_lockk"]).text(), token, "after a write");
        assert_eq!(python.ask("get k"), round.to_string());
        cache.delete("k").await.unwrap();
        assert_eq!(server.ask(&["GET", "_lockk"]).text(), token, "after a deletion");
        assert_eq!(python.ask("get k"), "no value");
    }
    assert!(cache.is_locked("k").await.unwrap());
    assert_eq!(python.ask("unlock k"), "done");
    assert!(!cache.is_locked("k").await.unwrap());
}
