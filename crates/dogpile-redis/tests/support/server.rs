//! One server.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::process::{Folder, PATIENCE, Process, free_port, wait_until};
use super::programs::Kind;
use super::resp::{Place, Reply, Wire};

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Options {
    kind: Kind,
    program: Option<PathBuf>,
    password: Option<String>,
    tls: bool,
    arguments: Vec<String>,
    files: Vec<(&'static str, String)>,
}

impl Options {
    pub fn new(kind: Kind) -> Self {
        let (arguments, files) = (Vec::new(), Vec::new());
        Self { kind, program: None, password: None, tls: false, arguments, files }
    }

    /// Another program than the one of its kind.
    #[must_use]
    pub fn program(mut self, program: PathBuf) -> Self {
        self.program = Some(program);
        self
    }

    /// Nobody may do anything without it.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.arguments(&["--requirepass", password])
    }

    /// The port takes TLS only; the certificate is for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self.files.extend(TLS_FILES.map(|(name, text)| (name, text.to_owned())));
        self.arguments(&["--tls-cert-file", "server.pem", "--tls-key-file", "server.key"])
            .arguments(&["--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no"])
            .arguments(&["--tls-replication", "yes"])
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Lines of redis.conf, as arguments: `["--maxmemory", "3mb"]`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&a| a.to_owned()));
        self
    }

    /// A file in the server's folder.
    #[must_use]
    pub fn file(mut self, name: &'static str, text: &str) -> Self {
        self.files.push((name, text.to_owned()));
        self
    }

    /// Starts it and waits until it answers; `None` where there is no such server, which is said.
    pub fn start(self) -> Option<Server> {
        self.path()?;
        let started = (0..10).find_map(|_| self.clone().start_at(free_port()));
        assert!(started.is_some(), "{self:?} does not start");
        started
    }

    /// The same at a port; `None` also if the server ended, as it does if the port is taken.
    pub fn start_at(self, port: u16) -> Option<Server> {
        let program = self.path()?;
        let folder = Folder::new();
        for (name, text) in &self.files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let mut process = self.spawn(&program, &folder, port);
        if !answers(&mut process, &folder, self.password.as_deref()) {
            println!("{program:?} at port {port}: {}", log(&folder));
            return None;
        }
        Some(Server { process: Mutex::new(process), program, port, options: self, folder })
    }

    fn path(&self) -> Option<PathBuf> {
        self.program.clone().or_else(|| self.kind.program())
    }

    fn spawn(&self, program: &Path, folder: &Folder, port: u16) -> Process {
        let port = port.to_string();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(program);
        command.current_dir(folder.path()).stdout(log).stderr(Stdio::null());
        command.args(["--bind", "127.0.0.1", "--unixsocket", SOCKET]);
        command.args(["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]);
        if self.tls {
            command.args(["--port", "0", "--tls-port", &port]);
        } else {
            command.args(["--port", &port]);
        }
        Process::start(command.args(&self.arguments), folder.path())
    }
}

/// The certificate of whoever signed the servers' certificate, for clients that use TLS.
pub const TLS_CA: &str = include_str!("tls/ca.pem");

/// What a server needs, in its folder.
pub const TLS_FILES: [(&str, &str); 3] = [
    ("ca.pem", TLS_CA),
    ("server.pem", include_str!("tls/server.pem")),
    ("server.key", include_str!("tls/server.key")),
];

const SOCKET: &str = "socket";

/// Whether it answers before it ends.
fn answers(process: &mut Process, folder: &Folder, password: Option<&str>) -> bool {
    wait_until("a server to start", || {
        if open(folder, password).is_ok() {
            return Some(true);
        }
        (!process.is_running()).then_some(false)
    })
}

fn open(folder: &Folder, password: Option<&str>) -> io::Result<Wire> {
    let mut wire = Wire::connect(&Place::Socket(folder.join(SOCKET)), PATIENCE)?;
    if let Some(password) = password {
        wire.ask(&["AUTH", password])?;
    }
    match wire.ask(&["PING"])? {
        Reply::Error(what) => Err(io::Error::other(what)),
        _ => Ok(wire),
    }
}

fn log(folder: &Folder) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A server that runs until this is dropped.
pub struct Server {
    // In this order: the process before its folder.
    process: Mutex<Process>,
    program: PathBuf,
    port: u16,
    options: Options,
    folder: Folder,
}

impl Server {
    /// The path's `redis-server` with nothing special about it; `None` where there is none.
    pub fn start() -> Option<Self> {
        Options::new(Kind::Redis).start()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }

    /// By TCP, with the password if there is one, and TLS if that is what the port takes.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same through something that listens on another port.
    pub fn url_at(&self, port: u16) -> String {
        let scheme = if self.options.tls { "rediss" } else { "redis" };
        let password = self.options.password.as_deref();
        let user = password.map(|password| format!(":{password}@")).unwrap_or_default();
        let host = if self.options.tls { "localhost" } else { "127.0.0.1" };
        format!("{scheme}://{user}{host}:{port}")
    }

    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// A connection through the socket.
    pub fn wire(&self) -> Wire {
        open(&self.folder, self.options.password.as_deref())
            .unwrap_or_else(|error| panic!("{error}: {}", log(&self.folder)))
    }

    /// One command through the socket; a panic if the server refuses it.
    pub fn ask<A: AsRef<[u8]>>(&self, command: &[A]) -> Reply {
        match self.wire().ask(command).unwrap() {
            Reply::Error(error) => panic!("{error}"),
            reply => reply,
        }
    }

    /// A field of `INFO`.
    pub fn info(&self, field: &str) -> String {
        let info = self.ask(&["INFO", "everything"]).text();
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has no {field}")).to_owned()
    }

    /// How often each command was called, ours not counted.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let info = self.ask(&["INFO", "commandstats"]).text();
        let calls = info.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        });
        let ours = ["info", "ping", "auth", "config|resetstat"];
        calls.filter(|(name, _)| !ours.contains(&name.as_str())).collect()
    }

    /// Forgets how often commands were called.
    pub fn forget_calls(&self) {
        self.ask(&["CONFIG", "RESETSTAT"]);
    }

    /// Stops it where it stands; connections stay open and get no answer.
    pub fn pause(&self) {
        self.process.lock().unwrap().signal("STOP");
    }

    pub fn go_on(&self) {
        self.process.lock().unwrap().signal("CONT");
    }

    pub fn id(&self) -> u32 {
        self.process.lock().unwrap().id()
    }

    /// Signal 9.
    pub fn kill(&self) {
        self.process.lock().unwrap().kill();
    }

    /// Starts it again where it was, empty, after [`Server::kill`].
    pub fn restart(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill();
        let _ = std::fs::remove_file(self.socket());
        *process = self.options.spawn(&self.program, &self.folder, self.port);
        let up = answers(&mut process, &self.folder, self.options.password.as_deref());
        assert!(up, "{:?} does not start again: {}", self.program, log(&self.folder));
    }
}
