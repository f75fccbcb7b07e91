//! Five servers, and a ring that tells which of them has what.

use std::sync::OnceLock;

use dogpile_conformance::Subject;
use dogpile_memcached::{Connect, Memcached};
use shard_ring::{Ketama, Profile, Ring};

use crate::subject;
use crate::support::Server;

async fn open() -> Memcached {
    static SERVERS: OnceLock<Vec<Server>> = OnceLock::new();
    let servers = SERVERS.get_or_init(|| (0..5).map(|_| Server::start()).collect());
    let nodes = servers.iter().map(|server| (server.name(), ()));
    let ring = Ring::with_nodes(Profile::ketama(Ketama::LibmemcachedWeighted), nodes).unwrap();
    let addresses: Vec<String> = servers.iter().map(Server::url).collect();
    Memcached::connect_fleet(&addresses, ring, Connect::new()).await.unwrap()
}

dogpile_conformance::backend_suite!(subject(open));
dogpile_conformance::lease_suite!(subject(open));
dogpile_conformance::counter_suite!(async {
    let counters = subject(open).await;
    Subject::new(counters.counter()).with_other(counters.other().counter())
});
