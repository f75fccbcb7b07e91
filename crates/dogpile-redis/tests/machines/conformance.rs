//! The conformance suite in a cluster, behind Sentinels, and on servers that let fields expire.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use dogpile_conformance::Subject;
use dogpile_redis::{Connect, Redis};

use crate::fields::Fields;
use crate::support::{Cluster, Kind, Options, Sentinels, Server, sentinel};

/// Two handles with the same prefix, which no other test has.
async fn subject<B>(open: impl AsyncFn() -> Redis, of: impl Fn(Redis) -> B) -> Subject<B> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("{} ", NEXT.fetch_add(1, Ordering::Relaxed));
    let handle = async || of(open().await.with_prefix(&prefix));
    Subject::new(handle().await).with_other(handle().await)
}

mod cluster {
    use super::*;

    async fn open() -> Redis {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(|| Cluster::start(Kind::Redis).unwrap());
        Redis::connect_cluster(cluster.urls(), Connect::new()).await.unwrap()
    }

    dogpile_conformance::backend_suite!(subject(open, |redis| redis));
    dogpile_conformance::lease_suite!(subject(open, |redis| redis));
    dogpile_conformance::counter_suite!(subject(open, |redis| redis.counter()));

    mod fields_of_a_group {
        use super::*;

        dogpile_conformance::backend_suite!(subject(open, Fields));
        dogpile_conformance::lease_suite!(subject(open, Fields));
    }
}

mod sentinels {
    use super::*;

    async fn open() -> Redis {
        static SENTINELS: OnceLock<Sentinels> = OnceLock::new();
        let sentinels = SENTINELS.get_or_init(|| Sentinels::start().unwrap());
        let master = format!("redis://{}", sentinel::MASTER);
        Redis::connect_sentinel(sentinels.urls(), &master, Connect::new()).await.unwrap()
    }

    dogpile_conformance::backend_suite!(subject(open, |redis| redis));
    dogpile_conformance::lease_suite!(subject(open, |redis| redis));
    dogpile_conformance::counter_suite!(subject(open, |redis| redis.counter()));
}

/// Servers that let fields expire. Where there is none, the usual one is asked instead, without that.
macro_rules! newer {
    ($name:ident $kind:ident $suite:ident) => {
        mod $name {
            use super::*;

            async fn open() -> Redis {
                static SERVER: OnceLock<(Server, bool)> = OnceLock::new();
                let (server, newer) =
                    SERVER.get_or_init(|| match Options::new(Kind::$kind).start() {
                        Some(server) => (server, true),
                        None => (Server::start().unwrap(), false),
                    });
                Redis::connect(&server.url()).await.unwrap().with_field_expiry(*newer)
            }

            dogpile_conformance::$suite!(subject(open, Fields));
        }
    };
}

newer!(valkey Valkey backend_suite);
newer!(valkey_leases Valkey lease_suite);
newer!(redis_8 Redis8 backend_suite);
