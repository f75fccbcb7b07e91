//! The demo in a process of its own, which ends with the test.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::http::{Answer, Client};
use crate::servers::process::Process;
use crate::servers::{Folder, wait_until};

pub(crate) struct App {
    pub(crate) process: Process,
    /// `127.0.0.1:12345`.
    pub(crate) address: String,
    folder: Folder,
}

impl App {
    /// At any free port.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::run(&[&["--port", "0"], arguments].concat())
    }

    /// At a port of its own choice.
    pub(crate) fn start_by_itself() -> Self {
        Self::run(&[])
    }

    fn run(arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let said = folder.join("said");
        let mut command = command();
        command.args(arguments);
        command.env("TMPDIR", folder.path()).stdout(File::create(&said).unwrap());
        let mut process = Process::start(&mut command, folder.path());
        let address = wait_until("the address of the shop", || {
            assert!(process.is_running(), "the demo ended: {command:?}");
            address(&said)
        });
        Self { process, address, folder }
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.client().get(path)
    }

    /// A product list, as JSON.
    pub(crate) fn list(&self, category: &str) -> Value {
        let answer = self.get(&format!("/api/products/{category}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The number of the query that a product list came from.
    pub(crate) fn query_of(&self, category: &str) -> u64 {
        self.list(category)["query"].as_u64().unwrap()
    }

    /// The same for many callers at the same time.
    pub(crate) fn queries_of(&self, category: &str, callers: usize) -> Vec<u64> {
        thread::scope(|scope| {
            let asked: Vec<_> =
                (0..callers).map(|_| scope.spawn(|| self.query_of(category))).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        })
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.get("/dashboard/state").body).unwrap()
    }

    /// Presses a button of the dashboard.
    pub(crate) fn press(&self, what: &str) {
        let answer = self.client().post(&format!("/dashboard/{what}"), "");
        assert_eq!(answer.status, 204, "{what}: {answer:?}");
    }

    /// What it has left in its temporary folder.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let entries = self.folder.path().read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "said").collect()
    }
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dogpile-demo"));
    command.stdin(Stdio::null());
    command
}

fn address(said: &Path) -> Option<String> {
    let said = std::fs::read_to_string(said).unwrap();
    let line = said.lines().find_map(|line| line.split_once("http://"))?;
    // The line is whole when another one follows.
    said.contains("Ctrl-C").then(|| line.1.trim_end_matches('/').to_owned())
}
