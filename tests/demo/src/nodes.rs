//! The nodes of the cache, and the ring that places keys on them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use dogpile_cache::backend::{File, MemoryBytes};
use dogpile_cache::layer::{LayerExt, Prefix, Sharded};
use dogpile_cache::{Error, ErrorKind, Key, KeyBuf};
use dogpile_core::{Backend, DynBackend, DynReadThrough, LeaseBackend};
use dogpile_lock::Dogpile;
use dogpile_memcached::Memcached;
use dogpile_redis::Redis;
use shard_ring::{Profile, Ring};
use tokio::sync::Mutex;

const NAMES: [&str; 4] = ["oak", "elm", "ash", "fir"];
/// Few, so that the arcs can be told apart in a picture: a real ring has a hundred for each node.
const POINTS: u32 = 20;
const CAPACITY: u64 = 64 << 20;

/// Where regions keep their entries: a backend behind the dogpile lock, whichever it is.
pub(crate) type Store = Arc<dyn DynReadThrough<Value = Bytes>>;

type Node = Arc<dyn DynBackend<Value = Bytes>>;

/// All nodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// The marks of nodes that are down are shared by all clones of the ring, so that the store sees
    /// what is marked here.
    ring: Ring<()>,
    nodes: Vec<Node>,
    kinds: Vec<&'static str>,
    store: Store,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Nodes {
    /// Four nodes in this process: two in memory, two in folders.
    pub(crate) fn embedded(folder: &Path) -> Result<Self, Error> {
        let ring = ring()?;
        let memory = || Arc::new(MemoryBytes::new(CAPACITY));
        let file = |name| File::open(folder.join(name)).map(|file| file.with_capacity(CAPACITY));
        let nodes: Vec<Node> =
            vec![memory(), memory(), Arc::new(file(NAMES[2])?), Arc::new(file(NAMES[3])?)];
        let sharded = Sharded::new(ring.clone(), nodes.clone())?;
        // A stale value is served to everybody, and the next one is created behind their backs.
        let store = Arc::new(Dogpile::local(sharded).with_background(true));
        let kinds = vec!["memory", "memory", "file", "file"];
        Ok(Self { ring, nodes, kinds, store, changing: Mutex::default() })
    }

    /// Four nodes on these servers of Redis.
    pub(crate) async fn on_redis(urls: &[String]) -> Result<Self, Error> {
        let mut servers = Vec::new();
        for url in urls {
            servers.push(Redis::connect(url).await?);
        }
        Self::on_servers(&servers, "redis")
    }

    /// Four nodes on these servers of memcached.
    pub(crate) async fn on_memcached(addresses: &[String]) -> Result<Self, Error> {
        let mut servers = Vec::new();
        for address in addresses {
            servers.push(Memcached::connect(address).await?);
        }
        Self::on_servers(&servers, "memcached")
    }

    /// Nodes are prefixes on these servers in turn, which keep the leases of their keys: all processes
    /// that use the same servers share what is cached, and elect one creator between them.
    fn on_servers<B>(servers: &[B], kind: &'static str) -> Result<Self, Error>
    where
        B: LeaseBackend<Value = Bytes> + Clone + 'static,
    {
        let ring = ring()?;
        let shards = NAMES.iter().zip(servers.iter().cycle()).map(|(name, server)| {
            server.clone().layer(Prefix::new(&format!("dogpile-demo:{name}:")))
        });
        let shards: Vec<_> = shards.collect();
        let nodes = shards.iter().map(|shard| Arc::new(shard.clone()) as Node).collect();
        let sharded = Sharded::new(ring.clone(), shards)?;
        let store = Arc::new(Dogpile::leased(sharded).with_background(true));
        Ok(Self { ring, nodes, kinds: vec![kind; NAMES.len()], store, changing: Mutex::default() })
    }

    /// The nodes behind the dogpile lock.
    pub(crate) fn store(&self) -> Store {
        Arc::clone(&self.store)
    }

    pub(crate) fn ring(&self) -> &Ring<()> {
        &self.ring
    }

    /// Names and kinds, in the order of their numbers.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.ring.iter().map(|node| node.name()).zip(self.kinds.iter().copied())
    }

    /// The number of the node that has this key now.
    pub(crate) fn owner(&self, key: Key<'_>) -> Option<usize> {
        let owner = self.ring.node(key.as_bytes())?;
        self.ring.number(owner.name())
    }

    /// Takes a node away with everything that it had. Its keys go to the nodes that follow it.
    pub(crate) async fn kill(&self, name: &str, keys: &[KeyBuf]) -> Result<(), Error> {
        let _one = self.changing.lock().await;
        let number = self.number(name)?;
        if self.list().all(|(other, _)| other == name || self.ring.is_down(other)) {
            return Err(Error::new(ErrorKind::Refused, "the last node has to stay"));
        }
        self.ring.mark_down(name).map_err(unknown)?;
        // A server that cannot be reached forgets when the node is revived.
        let _ = self.forget(number, keys).await;
        Ok(())
    }

    /// Brings a node back, empty.
    pub(crate) async fn revive(&self, name: &str, keys: &[KeyBuf]) -> Result<(), Error> {
        let _one = self.changing.lock().await;
        let number = self.number(name)?;
        // A write that was under way when it was killed may have come through.
        self.forget(number, keys).await?;
        self.ring.mark_up(name).map_err(unknown)?;
        // What stood in for it must not be found when it is killed again.
        let own: Vec<KeyBuf> =
            keys.iter().filter(|key| self.owner(key.as_key()) == Some(number)).cloned().collect();
        for other in (0..self.nodes.len()).filter(|other| *other != number) {
            self.forget(other, &own).await?;
        }
        Ok(())
    }

    async fn forget(&self, number: usize, keys: &[KeyBuf]) -> Result<(), Error> {
        let keys: Vec<Key<'_>> = keys.iter().map(KeyBuf::as_key).collect();
        self.nodes[number].delete_many(&keys).await
    }

    fn number(&self, name: &str) -> Result<usize, Error> {
        let number = self.ring.number(name);
        number.ok_or_else(|| Error::new(ErrorKind::Refused, format!("there is no node {name:?}")))
    }
}

fn ring() -> Result<Ring<()>, Error> {
    let profile = Profile::native().with_points(POINTS).map_err(unknown)?;
    Ring::with_nodes(profile, NAMES.map(|name| (name, ()))).map_err(unknown)
}

fn unknown(error: shard_ring::Error) -> Error {
    Error::new(ErrorKind::Refused, "the ring refuses it").with_source(error)
}
