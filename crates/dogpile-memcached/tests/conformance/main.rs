//! The conformance suite on real servers: by the meta protocol and by the classic one, on a port, on a
//! socket, by TLS, and on a fleet of five.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::unwrap_in_result, clippy::print_stdout, reason = "this is for tests")]
#![allow(clippy::cast_possible_truncation, reason = "these numbers are small")]

mod fleet;
mod one;
#[path = "../support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile_conformance::Subject;
use dogpile_memcached::{KeyNames, Memcached};

/// By how much a lease may end late: the servers count in seconds.
const LAG: Duration = Duration::from_secs(2);

/// Two handles with a prefix of their own: some properties use names that others use too, such as none
/// at all.
async fn subject(open: impl AsyncFn() -> Memcached) -> Subject<Memcached> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("{}:", NEXT.fetch_add(1, Ordering::Relaxed));
    let names = KeyNames::readable().with_prefix(prefix).unwrap();
    let handle = async || open().await.with_key_names(names.clone());
    Subject::new(handle().await).with_other(handle().await).with_lag(LAG)
}
