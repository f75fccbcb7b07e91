//! One server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::process::{Folder, PATIENCE, Process, free_port, wait_until};
use super::resp::{Place, Stream};
use super::wire::Wire;

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    tls: bool,
    socket: bool,
    asks: bool,
    arguments: Vec<String>,
}

/// The certificate of whoever signed the servers' certificate, for clients that use TLS.
pub const TLS_CA: &str = include_str!("../../../dogpile-redis/tests/support/tls/ca.pem");
const TLS_SERVER: &str = include_str!("../../../dogpile-redis/tests/support/tls/server.pem");
const TLS_KEY: &str = include_str!("../../../dogpile-redis/tests/support/tls/server.key");

const SOCKET: &str = "socket";

impl Options {
    pub fn new() -> Self {
        Self::default()
    }

    /// On a Unix socket and not on a port.
    #[must_use]
    pub fn socket(mut self) -> Self {
        self.socket = true;
        self
    }

    /// The port takes TLS only; the certificate is for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self.arguments(&["-Z", "-o", "ssl_chain_cert=server.pem,ssl_key=server.key"])
    }

    /// Whoever connects is asked for what is in this file, and told nothing before.
    #[must_use]
    pub fn with_password(mut self, file: &str) -> Self {
        self.asks = true;
        self.arguments(&["-Y", file])
    }

    /// As on the command line: `["-m", "2"]`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&a| a.to_owned()));
        self
    }

    /// Starts it and waits until it answers.
    pub fn start(self) -> Server {
        let started = (0..10).find_map(|_| self.start_at(free_port()));
        started.unwrap_or_else(|| panic!("{self:?} does not start"))
    }

    /// The same at a port; `None` if the server ended, as it does if the port is taken.
    fn start_at(&self, port: u16) -> Option<Server> {
        let folder = Folder::new();
        std::fs::write(folder.join("server.pem"), TLS_SERVER).unwrap();
        std::fs::write(folder.join("server.key"), TLS_KEY).unwrap();
        let mut process = self.spawn(&folder, port);
        if !answers(&mut process, &self.place(&folder, port), self.tells_nobody()) {
            println!("memcached at port {port}: {}", log(&folder));
            return None;
        }
        Some(Server {
            process: Mutex::new(process),
            port,
            options: self.clone(),
            folder,
            asked: AtomicU64::new(0),
        })
    }

    fn spawn(&self, folder: &Folder, port: u16) -> Process {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new("memcached");
        command.current_dir(folder.path()).stderr(log);
        // Whose name is asked for only if it is root who starts it.
        command.args(["-u", "root"]);
        if self.socket {
            command.args(["-s", SOCKET]);
        } else {
            command.args(["-l", "127.0.0.1", "-U", "0", "-p", &port.to_string()]);
        }
        Process::start(command.args(&self.arguments), folder.path())
    }

    /// Whether it answers only to those who know how to ask.
    fn tells_nobody(&self) -> bool {
        self.tls || self.asks
    }

    fn place(&self, folder: &Folder, port: u16) -> Place {
        match self.socket {
            true => Place::Socket(folder.join(SOCKET)),
            false => Place::Port(port),
        }
    }
}

/// Whether it answers before it ends.
fn answers(process: &mut Process, place: &Place, silent: bool) -> bool {
    let answers = || match silent {
        true => Stream::connect(place).is_ok(),
        false => Wire::connect(place, PATIENCE)
            .and_then(|mut wire| wire.try_ask("version"))
            .is_ok_and(|line| line.starts_with("VERSION")),
    };
    wait_until("a server to start", || {
        if answers() {
            return Some(true);
        }
        (!process.is_running()).then_some(false)
    })
}

/// Whether no thread of a process runs any more, where the system can tell.
fn is_stopped(id: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{id}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['T', 't']))
    })
}

fn log(folder: &Folder) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A server that runs until this is dropped.
pub struct Server {
    // In this order: the process before its folder.
    process: Mutex<Process>,
    port: u16,
    options: Options,
    folder: Folder,
    asked: AtomicU64,
}

impl Server {
    /// One with nothing special about it.
    pub fn start() -> Self {
        Options::new().start()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn place(&self) -> Place {
        self.options.place(&self.folder, self.port)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> String {
        match self.options.socket {
            true => format!("unix://{}", self.socket().display()),
            false => self.url_at(self.port),
        }
    }

    /// The same through something that listens on another port.
    pub fn url_at(&self, port: u16) -> String {
        match self.options.tls {
            true => format!("memcacheds://localhost:{port}"),
            false => format!("memcached://127.0.0.1:{port}"),
        }
    }

    /// As rings name it.
    pub fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn wire(&self) -> Wire {
        Wire::connect(&self.place(), PATIENCE)
            .unwrap_or_else(|error| panic!("{error}: {}", log(&self.folder)))
    }

    /// One command with a line for its answer.
    pub fn ask(&self, command: impl AsRef<[u8]>) -> String {
        self.wire().ask(command)
    }

    pub fn stat(&self, name: &str) -> u64 {
        self.wire().stat(name)
    }

    /// How many connections others have made since it started.
    pub fn connections(&self) -> u64 {
        // One is of who asks.
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.stat("total_connections") - asked
    }

    /// Stops it where it stands; connections stay open and get no answer.
    pub fn pause(&self) {
        let process = self.process.lock().unwrap();
        process.signal("STOP");
        // Each of its threads stops when it likes.
        wait_until("all threads to stop", || is_stopped(process.id()).then_some(()));
    }

    pub fn go_on(&self) {
        self.process.lock().unwrap().signal("CONT");
    }

    /// Signal 9.
    pub fn kill(&self) {
        self.process.lock().unwrap().kill();
    }

    /// Starts it again where it was, empty.
    pub fn restart(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill();
        let _ = std::fs::remove_file(self.socket());
        *process = self.options.spawn(&self.folder, self.port);
        let up = answers(&mut process, &self.place(), self.options.tells_nobody());
        assert!(up, "it does not start again: {}", log(&self.folder));
    }
}
