//! The conformance suite on a real server, in every envelope and layout.

use std::sync::atomic::{AtomicUsize, Ordering};

use dogpile_conformance::Subject;
use dogpile_redis::{Connect, Envelope, Protocol, Redis};

use crate::fields::Fields;
use crate::server::{open, server};

/// A prefix for each test: some properties use names that others use too, such as none at all.
fn prefix() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{} ", NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn subject(with: impl Fn(Redis) -> Redis) -> Subject<Redis> {
    let prefix = prefix();
    let handle = async || with(open().await.with_prefix(&prefix));
    Subject::new(handle().await).with_other(handle().await)
}

mod strings {
    use super::*;

    dogpile_conformance::backend_suite!(subject(|redis| redis));
    dogpile_conformance::lease_suite!(subject(|redis| redis));
    dogpile_conformance::counter_suite!(async {
        let counters = subject(|redis| redis).await;
        Subject::new(counters.counter()).with_other(counters.other().counter())
    });
}

mod fields_of_a_group {
    use super::*;

    async fn subject() -> Subject<Fields> {
        let prefix = prefix();
        let handle = async || Fields(open().await.with_prefix(&prefix));
        Subject::new(handle().await).with_other(handle().await)
    }

    dogpile_conformance::backend_suite!(subject());
    dogpile_conformance::lease_suite!(subject());
}

mod compact {
    use super::*;

    dogpile_conformance::backend_suite!(
        subject(|redis| redis.with_envelope(Envelope::compact())),
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
        subject(|redis| redis.with_envelope(Envelope::raw())),
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

    async fn subject() -> Subject<Redis> {
        super::subject(|redis| {
            redis.with_envelope(Envelope::dogpile_cache()).with_python_locks("_lock")
        })
        .await
    }

    dogpile_conformance::backend_suite!(subject());
    dogpile_conformance::lease_suite!(subject());
}

mod resp2 {
    use super::*;

    async fn open() -> Redis {
        let options = Connect::new().with_protocol(Protocol::Resp2);
        Redis::connect_with(&server().url(), options).await.unwrap()
    }

    dogpile_conformance::lease_suite!(async {
        Subject::new(open().await).with_other(open().await)
    });
}
