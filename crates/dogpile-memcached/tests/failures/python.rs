//! pylibmc (libmemcached) and pymemcache, in a process of their own, on the same fleet.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use dogpile_memcached::Connect;

use crate::support::{Server, python};
use crate::{Cache, fleet, region};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/failures/fleet.py");

struct Python {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Python {
    /// None where the clients are not installed, which is said.
    fn start(servers: &[Server]) -> Option<Self> {
        let python = python()?;
        if !has(&python, "pylibmc") {
            println!("skipped: no pylibmc here; `cargo xtask test` installs it where it can");
            return None;
        }
        let mut child = Command::new(python)
            .args(["-u", PROGRAM])
            .args(servers.iter().map(Server::name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut this = Self { child, answers };
        assert_eq!(this.answer(), "ready");
        Some(this)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, what: &str, values: &BTreeMap<String, Value>) -> String {
        let values = serde_json::to_string(values).unwrap();
        writeln!(self.child.stdin.as_mut().unwrap(), "{what} {values}").unwrap();
        self.answer()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has(python: &Path, module: &str) -> bool {
    let import = format!("import {module}");
    let tried = Command::new(python).args(["-c", &import]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

type Value = (u32, String);

/// A thousand keys: most of them plain, some that have to be encoded or hashed.
fn values(of: &str) -> BTreeMap<String, Value> {
    let key = |at: u32| match at % 10 {
        7 => format!("{of} with spaces {at}"),
        8 => format!("{of}:{at}:{}", "long".repeat(80)),
        9 => format!("~{of}:{at}"),
        _ => format!("{of}:{at}"),
    };
    (0..1_000).map(|at| (key(at), (at, "ol\u{e9} \r\n".repeat(at as usize % 50)))).collect()
}

async fn write(cache: &Cache, values: &BTreeMap<String, Value>) {
    let items: Vec<_> = values.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    cache.set_many(&items).await.unwrap();
}

async fn read(cache: &Cache, values: &BTreeMap<String, Value>) -> usize {
    let keys: Vec<&str> = values.keys().map(String::as_str).collect();
    let found: Vec<Option<Value>> = cache.get_many(&keys).await.unwrap();
    found.iter().zip(values.values()).filter(|(found, value)| found.as_ref() == Some(value)).count()
}

#[tokio::test]
async fn a_thousand_keys_go_both_ways() {
    let servers: Vec<Server> = (0..5).map(|_| Server::start()).collect();
    let Some(mut python) = Python::start(&servers) else { return };
    let cache = region(&fleet(&servers, Connect::new()).await);
    for client in ["pylibmc", "pymemcache"] {
        let ours = values("ours");
        write(&cache, &ours).await;
        let there: Vec<u64> = servers.iter().map(|server| server.stat("curr_items")).collect();
        assert!(there.iter().all(|count| *count > 50), "{there:?}");
        assert_eq!(python.ask(&format!("{client} read"), &ours), "1000 of 1000", "{client}");

        let theirs = values(client);
        assert_eq!(python.ask(&format!("{client} write"), &theirs), "1000 of 1000", "{client}");
        assert_eq!(read(&cache, &theirs).await, 1_000, "written by {client}");

        // Written where ours were: no server has a key that another has.
        assert_eq!(python.ask(&format!("{client} write"), &ours), "1000 of 1000", "{client}");
        let items: u64 = servers.iter().map(|server| server.stat("curr_items")).sum();
        assert_eq!(items, 2_000, "each key once");

        assert_eq!(python.ask(&format!("{client} delete"), &ours), "1000 of 1000", "{client}");
        assert_eq!(read(&cache, &ours).await, 0, "deleted by {client}");
        let keys: Vec<String> = theirs.keys().cloned().collect();
        cache.delete_many(&keys).await.unwrap();
        assert_eq!(python.ask(&format!("{client} read"), &theirs), "0 of 1000", "{client}");
    }
}
