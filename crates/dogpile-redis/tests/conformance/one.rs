//! On one server, in every envelope and layout, and through every kind of connection.

use std::sync::OnceLock;

use dogpile_redis::{Connect, Envelope, Protocol, Redis};

use crate::fields::Fields;
use crate::subject;
use crate::support::Server;

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start().unwrap())
}

pub(crate) async fn open() -> Redis {
    Redis::connect(&server().unix_url()).await.unwrap()
}

names!();
fields!();

mod compact {
    use super::*;

    dogpile_conformance::backend_suite!(
        subject(open, |redis| redis.with_envelope(Envelope::compact())),
        except = [
            created_is_kept,
            version_is_kept,
            expires_is_kept,
            set_many_stores_each,
            a_stale_entry_is_found
        ]
    );
}

mod raw {
    use super::*;

    dogpile_conformance::backend_suite!(
        subject(open, |redis| redis.with_envelope(Envelope::raw())),
        except = [
            created_is_kept,
            version_is_kept,
            expires_is_kept,
            set_many_stores_each,
            a_stale_entry_is_found
        ]
    );
}

mod dogpile_cache {
    use super::*;

    async fn open() -> Redis {
        let redis = super::open().await.with_envelope(Envelope::dogpile_cache());
        redis.with_python_locks("_lock")
    }

    names!();
}

mod resp2 {
    use super::*;

    async fn open() -> Redis {
        let options = Connect::new().with_protocol(Protocol::Resp2);
        Redis::connect_with(&server().url(), options).await.unwrap()
    }

    names!();
}

/// Connections that somebody else made.
mod given {
    use super::*;

    fn client() -> redis::Client {
        redis::Client::open(server().url()).unwrap()
    }

    mod multiplexed {
        use super::*;

        async fn open() -> Redis {
            Redis::over(client().get_multiplexed_async_connection().await.unwrap())
        }

        names!();
    }

    mod managed {
        use super::*;

        async fn open() -> Redis {
            Redis::over(client().get_connection_manager().await.unwrap())
        }

        names!();
    }
}
