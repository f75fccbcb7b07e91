#![allow(missing_docs, clippy::unwrap_used)]
use dogpile_conformance::Subject;
use dogpile_memcached::{Connect, KeyNames, Memcached, Split};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn prefix() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{}:{}:", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
async fn subject(with: impl Fn(Memcached) -> Memcached) -> Subject<Memcached> {
    let prefix = prefix();
    let handle = async || {
        with(
            Memcached::connect_with("127.0.0.1:18811", Connect::new())
                .await
                .unwrap()
                .with_key_names(KeyNames::readable().with_prefix(&prefix).unwrap()),
        )
    };
    Subject::new(handle().await).with_other(handle().await).with_lag(Duration::from_secs(2))
}
mod plain {
    use super::*;
    dogpile_conformance::backend_suite!(subject(|m| m));
    dogpile_conformance::lease_suite!(subject(|m| m));
    dogpile_conformance::counter_suite!(async {
        let counters = subject(|m| m).await;
        Subject::new(counters.counter()).with_other(counters.other().counter())
    });
}
mod split {
    use super::*;
    dogpile_conformance::backend_suite!(subject(|m| m.with_split(Split::new())));
    dogpile_conformance::lease_suite!(subject(|m| m.with_split(Split::new())));
}
mod classic {
    use super::*;
    use dogpile_memcached::Protocol;
    async fn subject() -> Subject<Memcached> {
        let prefix = prefix();
        let handle = async || {
            Memcached::connect_with(
                "127.0.0.1:18811",
                Connect::new().with_protocol(Protocol::Classic),
            )
            .await
            .unwrap()
            .with_key_names(KeyNames::readable().with_prefix(&prefix).unwrap())
        };
        Subject::new(handle().await).with_other(handle().await).with_lag(Duration::from_secs(2))
    }
    dogpile_conformance::backend_suite!(subject());
    dogpile_conformance::lease_suite!(subject());
    dogpile_conformance::counter_suite!(async {
        let counters = subject().await;
        Subject::new(counters.counter()).with_other(counters.other().counter())
    });
}
