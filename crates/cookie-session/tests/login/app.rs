//! An application in a process of its own, which ends with the test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use crate::http::Client;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Framework {
    Axum,
    Actix,
}

pub(crate) struct App {
    process: Child,
    /// `127.0.0.1:12345`.
    pub(crate) address: String,
}

impl App {
    pub(crate) fn start(framework: Framework, arguments: &[&str]) -> Self {
        Self::run(command(framework).args(["--port", "0"]).args(arguments))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let address = first.strip_prefix("listening on http://").expect(&first).to_owned();
        // Whoever does not read on stops the process in the middle of a line.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&self.address)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).unwrap();
    }
}

pub(crate) fn command(framework: Framework) -> Command {
    example(match framework {
        Framework::Axum => "axum_login",
        Framework::Actix => "actix_login",
    })
}

/// Cargo builds examples beside tests, but not whenever it builds a test: so it is asked to.
pub(crate) fn example(name: &str) -> Command {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let arguments =
            ["build", "--quiet", "--examples", "--package", "cookie-session", "--all-features"];
        assert!(Command::new(env!("CARGO")).args(arguments).status().unwrap().success());
    });
    let folder: PathBuf =
        std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples");
    Command::new(folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}
