//! On servers that let fields expire, one of each kind for all tests.

use std::sync::OnceLock;

use dogpile_redis::Redis;

use crate::fields::Fields;
use crate::subject;
use crate::support::{Kind, Options, Server};

fn started(kind: Kind) -> Option<&'static Server> {
    static VALKEY: OnceLock<Option<Server>> = OnceLock::new();
    static REDIS_8: OnceLock<Option<Server>> = OnceLock::new();
    let server = if kind == Kind::Valkey { &VALKEY } else { &REDIS_8 };
    server.get_or_init(|| Options::new(kind).start()).as_ref()
}

/// Those that are there.
pub(crate) fn newer() -> impl Iterator<Item = (Kind, &'static Server)> {
    [Kind::Valkey, Kind::Redis8].into_iter().filter_map(|kind| Some((kind, started(kind)?)))
}

/// Where there is no such server, the usual one is asked instead, and lets no field expire.
async fn open_newer(kind: Kind) -> Redis {
    match started(kind) {
        Some(server) => Redis::connect(&server.url()).await.unwrap().with_field_expiry(true),
        None => crate::one::open().await,
    }
}

mod valkey {
    use super::*;

    async fn open() -> Redis {
        open_newer(Kind::Valkey).await
    }

    names!();
    fields!();
}

mod redis_8 {
    use super::*;

    async fn open() -> Redis {
        open_newer(Kind::Redis8).await
    }

    names!();
    fields!();
}
