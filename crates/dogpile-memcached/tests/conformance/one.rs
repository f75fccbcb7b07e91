//! One server.

use std::sync::OnceLock;

use dogpile_conformance::Subject;
use dogpile_memcached::Memcached;

use crate::subject;
use crate::support::{Options, Server};

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

mod meta {
    use super::*;

    async fn open() -> Memcached {
        Memcached::connect(&server().url()).await.unwrap()
    }

    dogpile_conformance::backend_suite!(subject(open));
    dogpile_conformance::lease_suite!(subject(open));
    dogpile_conformance::counter_suite!(async {
        let counters = subject(open).await;
        Subject::new(counters.counter()).with_other(counters.other().counter())
    });
}

#[cfg(feature = "classic")]
mod classic {
    use dogpile_memcached::{Connect, Protocol};

    use super::*;

    async fn open() -> Memcached {
        let options = Connect::new().with_protocol(Protocol::Classic);
        Memcached::connect_with(&server().url(), options).await.unwrap()
    }

    dogpile_conformance::backend_suite!(subject(open));
    dogpile_conformance::lease_suite!(subject(open));
    dogpile_conformance::counter_suite!(async {
        let counters = subject(open).await;
        Subject::new(counters.counter()).with_other(counters.other().counter())
    });
}

mod on_a_socket {
    use super::*;

    async fn open() -> Memcached {
        static SERVER: OnceLock<Server> = OnceLock::new();
        let server = SERVER.get_or_init(|| Options::new().socket().start());
        Memcached::connect(&server.url()).await.unwrap()
    }

    dogpile_conformance::backend_suite!(subject(open));
}

#[cfg(feature = "tls")]
mod by_tls {
    use dogpile_memcached::Connect;

    use super::*;
    use crate::support::server::TLS_CA;

    async fn open() -> Memcached {
        static SERVER: OnceLock<Server> = OnceLock::new();
        let server = SERVER.get_or_init(|| Options::new().tls().start());
        let options = Connect::new().with_root_certificate(TLS_CA);
        Memcached::connect_with(&server.url(), options).await.unwrap()
    }

    dogpile_conformance::backend_suite!(subject(open));
}
