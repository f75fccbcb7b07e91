//! A cache spread over backends by the hash ring.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use dogpile_cache::Region;
use dogpile_cache::backend::MemoryBytes;
use dogpile_cache::codec::MsgPack;
use dogpile_cache::layer::Sharded;
use dogpile_conformance::{Faulty, Subject};
use dogpile_core::{Backend, Key};
use dogpile_lock::{Dogpile, LocalLock, Paired};
use shard_ring::{Profile, Ring};

const NAMES: [&str; 4] = ["blue", "green", "red", "white"];

fn ring() -> Ring<()> {
    Ring::with_nodes(Profile::md5(), NAMES.map(|name| (name, ()))).unwrap()
}

fn store() -> MemoryBytes {
    MemoryBytes::new(16 << 20)
}

mod backend {
    use super::*;
    dogpile_conformance::backend_suite!(async {
        let shards = NAMES.iter().map(|_| store()).collect();
        Subject::new(Sharded::new(ring(), shards).unwrap()).with_advance(|_| {})
    });
}

mod leases {
    use super::*;
    dogpile_conformance::lease_suite!(async {
        let shards = NAMES.iter().map(|_| Paired::new(store(), LocalLock::new())).collect();
        Subject::new(Sharded::new(ring(), shards).unwrap())
    });
}

#[tokio::test]
async fn a_region_over_a_ring_keeps_each_value_on_the_node_of_its_key() {
    let shards: Vec<Faulty<MemoryBytes>> = NAMES.iter().map(|_| Faulty::new(store())).collect();
    let (handles, ring_of_names) = (shards.clone(), ring());
    let region = Region::new(Dogpile::local(Sharded::new(ring(), shards).unwrap()), MsgPack);
    for user in 0..100_u32 {
        region.set(&*format!("user {user}"), &user).await.unwrap();
    }
    for user in 0..100 {
        let name = format!("user {user}");
        let owner = ring_of_names.node(&name).unwrap().name();
        for (shard, node) in handles.iter().zip(NAMES) {
            let there = shard.inner().get(Key::name(&name)).await.unwrap().is_some();
            assert_eq!(there, node == owner, "{name} on {node}");
        }
    }

    handles[1].fail_all(true);
    for user in 0..100_u32 {
        let name = format!("user {user}");
        let value = region.get::<u32>(&*name).await;
        match ring_of_names.node(&name).unwrap().name() {
            "green" => assert!(value.is_err()),
            _ => assert_eq!(value.unwrap(), Some(user)),
        }
    }
}
