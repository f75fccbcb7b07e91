//! In a cluster, and behind Sentinels.

use std::sync::OnceLock;

use dogpile_redis::{Connect, Redis};

use crate::fields::Fields;
use crate::subject;
use crate::support::{Cluster, Kind, Sentinels, sentinel};

mod cluster {
    use super::*;

    async fn open() -> Redis {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(|| Cluster::start(Kind::Redis).unwrap());
        Redis::connect_cluster(cluster.urls(), Connect::new()).await.unwrap()
    }

    names!();
    fields!();
}

mod sentinels {
    use super::*;

    async fn open() -> Redis {
        static SENTINELS: OnceLock<Sentinels> = OnceLock::new();
        let sentinels = SENTINELS.get_or_init(|| Sentinels::start().unwrap());
        let master = format!("redis://{}", sentinel::MASTER);
        Redis::connect_sentinel(sentinels.urls(), &master, Connect::new()).await.unwrap()
    }

    names!();
    fields!();
}
