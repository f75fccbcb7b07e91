//! A master with a replica, and three Sentinels that watch them.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::{Folder, Process, free_port, wait_until};
use super::programs::Kind;
use super::resp::{Place, Reply, Wire};
use super::server::{Options, Server, TLS_FILES};

/// Three Sentinels and the two servers they watch.
pub struct Sentinels {
    /// The master at first, then its replica.
    pub servers: [Server; 2],
    sentinels: Vec<Sentinel>,
}

struct Sentinel {
    process: Process,
    port: u16,
    /// For clients, where the servers take TLS only.
    tls_port: Option<u16>,
    folder: Folder,
}

/// What the Sentinels call the master.
pub const MASTER: &str = "main";

impl Sentinels {
    /// Starts them, and waits until they know one another; `None` where there is no such server.
    pub fn start() -> Option<Self> {
        Self::of(&Options::new(Kind::Redis))
    }

    /// The same, of servers that are started like this.
    pub fn of(options: &Options) -> Option<Self> {
        let options = options.clone().arguments(&["--repl-diskless-sync-delay", "0"]);
        let tls = options.is_tls();
        let master = options.clone().start()?;
        let port = master.port().to_string();
        let replica = options.arguments(&["--replicaof", "127.0.0.1", &port]).start()?;
        wait_until("the replica", || (replica.info("master_link_status") == "up").then_some(()));
        wait_until("the master to know its replica", || {
            master.info("slave0").contains("state=online").then_some(())
        });
        let sentinels: Vec<_> =
            [800, 3_000, 6_000].map(|ms| sentinel(master.port(), ms, tls)).into();
        let all = Self { servers: [master, replica], sentinels };
        for sentinel in &all.sentinels {
            wait_until("the Sentinels to agree", || {
                let known = ask(sentinel.port, &["SENTINEL", "MASTER", MASTER])?;
                let known: Vec<String> = known.list().iter().map(Reply::text).collect();
                let says = |name: &str, value: &str| {
                    known.chunks(2).any(|pair| pair[0] == name && pair[1] == value)
                };
                (says("num-other-sentinels", "2") && says("num-slaves", "1")).then_some(())
            });
        }
        for sentinel in &all.sentinels {
            // Four such periods pass before a Sentinel that has not heard of a failover undoes it; and
            // in a failover, a replica that last told of itself five pings ago is no candidate.
            let slower = ["SENTINEL", "DEBUG", "publish-period", "1000", "ping-period", "400"];
            let slower = ask(sentinel.port, &slower);
            assert!(slower.is_some(), "a Sentinel does not answer");
        }
        Some(all)
    }

    pub fn urls(&self) -> Vec<String> {
        let url = |sentinel: &Sentinel| match sentinel.tls_port {
            Some(port) => format!("rediss://localhost:{port}"),
            None => format!("redis://127.0.0.1:{}", sentinel.port),
        };
        self.sentinels.iter().map(url).collect()
    }

    pub fn port(&self, index: usize) -> u16 {
        self.sentinels[index].port
    }

    /// Stops one where it stands.
    pub fn pause(&self, index: usize) {
        self.sentinels[index].process.signal("STOP");
    }

    /// What they say happened.
    pub fn logs(&self) -> String {
        let log = |sentinel: &Sentinel| std::fs::read_to_string(sentinel.folder.join("log"));
        self.sentinels.iter().map(|sentinel| log(sentinel).unwrap_or_default()).collect()
    }

    /// The server that the first Sentinel calls the master.
    pub fn master(&self) -> &Server {
        let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
        let port = wait_until("a Sentinel to name a master", || {
            let address = ask(self.sentinels[0].port, &command)?;
            address.list().get(1)?.text().parse::<u16>().ok()
        });
        let master = self.servers.iter().find(|server| server.port() == port);
        master.unwrap_or_else(|| panic!("the master has port {port}"))
    }

    /// Lets the replica and the master change places; they have when this returns.
    pub fn fail_over(&self) {
        let before = self.master().port();
        assert!(ask(self.sentinels[0].port, &["SENTINEL", "FAILOVER", MASTER]).is_some());
        wait_until("the failover", || (self.master().port() != before).then_some(()));
    }
}

/// A Sentinel that takes the master for dead after so long.
///
/// They differ in that, and the first does not wait for the others' opinion: if two stand for election
/// at the same time, both may lose, and the next election is six seconds later.
fn sentinel(master: u16, dead_after_ms: u32, tls: bool) -> Sentinel {
    let Some(program) = Kind::Redis.program() else { panic!("no redis-server") };
    for _ in 0..10 {
        let (folder, port) = (Folder::new(), free_port());
        let tls_port = tls.then(free_port);
        let mut config = format!(
            "port {port}\nbind 127.0.0.1\n\
             sentinel monitor {MASTER} 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds {MASTER} {dead_after_ms}\n\
             logfile log\n\
             sentinel failover-timeout {MASTER} 3000\n"
        );
        if let Some(tls_port) = tls_port {
            config += &format!(
                "tls-port {tls_port}\ntls-cert-file server.pem\ntls-key-file server.key\n\
                 tls-ca-cert-file ca.pem\ntls-auth-clients no\ntls-replication yes\n"
            );
            for (name, text) in TLS_FILES {
                std::fs::write(folder.join(name), text).unwrap();
            }
        }
        std::fs::write(folder.join("sentinel.conf"), config).unwrap();
        let mut command = Command::new(&program);
        command.args(["sentinel.conf", "--sentinel"]).current_dir(folder.path());
        let mut process =
            Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()), folder.path());
        // They would speak to one another every two to ten seconds.
        let quick = ["info-period", "publish-period", "ping-period", "ask-period"];
        let command =
            ["SENTINEL", "DEBUG"].into_iter().chain(quick.into_iter().flat_map(|p| [p, "100"]));
        let command: Vec<&str> = command.collect();
        let up = wait_until("a Sentinel to start", || {
            ask(port, &command).map(|_| true).or((!process.is_running()).then_some(false))
        });
        if up {
            return Sentinel { process, port, tls_port, folder };
        }
    }
    panic!("no Sentinel starts");
}

/// The answer, if there is one that is not an error.
fn ask(port: u16, command: &[&str]) -> Option<Reply> {
    let mut wire = Wire::connect(&Place::Port(port), Duration::from_secs(5)).ok()?;
    wire.ask(command).ok().filter(|reply| !matches!(reply, Reply::Error(_)))
}
