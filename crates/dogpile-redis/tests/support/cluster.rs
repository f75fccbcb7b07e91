//! A cluster of three masters with a replica each.

use std::sync::Arc;
use std::thread;

use super::process::{free_port, wait_until};
use super::programs::Kind;
use super::resp::Reply;
use super::server::{Options, Server};

/// Six servers that know one another.
pub struct Cluster {
    /// The masters at first, then their replicas in the same order.
    pub nodes: Vec<Server>,
}

/// How long a silent node counts as alive, in milliseconds.
const NODE_TIMEOUT: &str = "800";
const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

impl Cluster {
    /// Starts one; `None` where there is no such server, which is said.
    ///
    /// It takes two seconds, because a master that starts in a cluster takes no writes before.
    pub fn start(kind: Kind) -> Option<Self> {
        Self::of(&Options::new(kind))
    }

    /// The same, of servers that are started like this.
    pub fn of(options: &Options) -> Option<Self> {
        options.kind().program()?;
        let cluster = (0..5).find_map(|_| Self::try_start(options));
        assert!(cluster.is_some(), "a cluster of {options:?} does not start");
        let cluster = cluster?;
        for (index, node) in cluster.nodes.iter().enumerate() {
            wait_until("the cluster", || {
                let info = node.ask(&["CLUSTER", "INFO"]).text();
                let linked = index < MASTERS || node.info("master_link_status") == "up";
                (info.contains("cluster_state:ok") && linked).then_some(())
            });
        }
        Some(cluster)
    }

    fn try_start(options: &Options) -> Option<Self> {
        let ports: Vec<(u16, u16)> = (0..2 * MASTERS).map(|_| (free_port(), free_port())).collect();
        let ports = Arc::new(ports);
        let starting: Vec<_> = (0..ports.len())
            .map(|index| {
                let (options, ports) = (options.clone(), Arc::clone(&ports));
                thread::spawn(move || node(options, &ports, index).start_at(ports[index].0))
            })
            .collect();
        // All of them, so that none is left that starts later.
        let nodes: Vec<_> = starting.into_iter().map(|started| started.join().unwrap()).collect();
        Some(Self { nodes: nodes.into_iter().collect::<Option<_>>()? })
    }

    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }

    /// The master of a key, as those nodes say that answer.
    pub fn master_of(&self, key: &[u8]) -> Option<&Server> {
        let slot = self.slot_of(key);
        self.nodes.iter().find(|node| {
            let Ok(Reply::List(ranges)) = node.wire().ask(&["CLUSTER", "SLOTS"]) else {
                return false;
            };
            ranges.iter().any(|range| {
                let range = range.list();
                (range[0].number()..=range[1].number()).contains(&slot)
                    && range[2].list()[1].number() == i64::from(node.port())
            })
        })
    }

    pub fn slot_of(&self, key: &[u8]) -> i64 {
        self.nodes[0].ask(&[&b"CLUSTER"[..], b"KEYSLOT", key]).number()
    }

    pub fn id(&self, node: &Server) -> String {
        node.ask(&["CLUSTER", "MYID"]).text()
    }

    /// Begins to move a slot: its missing keys are asked for at the other node.
    pub fn begin_move(&self, slot: i64, from: &Server, to: &Server) {
        let slot = slot.to_string();
        to.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)]);
        from.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.id(to)]);
    }

    /// Moves a slot's keys, and tells the two nodes who has it.
    pub fn end_move(&self, slot: i64, from: &Server, to: &Server) {
        let slot = slot.to_string();
        let keys = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1000000"]);
        for key in keys.list() {
            let (port, key) = (to.port().to_string(), key.bytes().unwrap_or_default());
            from.ask(&[&b"MIGRATE"[..], b"127.0.0.1", port.as_bytes(), key, b"0", b"5000"]);
        }
        for node in [to, from] {
            node.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &self.id(to)]);
        }
    }
}

/// A node that finds in its configuration what it would otherwise have to be told.
fn node(options: Options, ports: &[(u16, u16)], index: usize) -> Options {
    let id = |index: usize| format!("{:040x}", index + 1);
    let mut nodes = String::new();
    for (other, (port, bus)) in ports.iter().enumerate() {
        let myself = if other == index { "myself," } else { "" };
        let (role, master) = if other < MASTERS {
            ("master", "-".to_owned())
        } else {
            ("slave", id(other - MASTERS))
        };
        let epoch = other % MASTERS + 1;
        nodes += &format!(
            "{} 127.0.0.1:{port}@{bus} {myself}{role} {master} 0 0 {epoch} connected",
            id(other)
        );
        if other < MASTERS {
            let slots = (SLOTS * other / MASTERS, SLOTS * (other + 1) / MASTERS - 1);
            nodes += &format!(" {}-{}", slots.0, slots.1);
        }
        nodes.push('\n');
    }
    nodes += &format!("vars currentEpoch {MASTERS} lastVoteEpoch 0\n");

    let bus = if options.is_tls() { "yes" } else { "no" };
    options
        .file("nodes.conf", &nodes)
        .arguments(&["--tls-cluster", bus])
        .arguments(&["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"])
        .arguments(&["--cluster-port", &ports[index].1.to_string()])
        .arguments(&["--cluster-node-timeout", NODE_TIMEOUT])
        .arguments(&["--cluster-replica-validity-factor", "0"])
        .arguments(&["--cluster-allow-replica-migration", "no"])
        .arguments(&["--repl-diskless-sync-delay", "0"])
}
