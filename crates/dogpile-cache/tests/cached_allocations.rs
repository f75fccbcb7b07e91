//! A hit of a cached function takes nothing from the heap. The counts are those of one thread.
#![cfg(feature = "macros")]

#[path = "cached/support.rs"]
mod support;

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dogpile_cache::{Error, cached};

use crate::support::{Cache, Calls, cache};

static REGION: LazyLock<Cache> = LazyLock::new(|| cache().expires_after(Duration::from_secs(300)));
static CALLS: Calls = Calls::new();

#[cached(region = REGION)]
async fn page(_owner: &str, _number: u32) -> Result<Arc<[u8]>, Error> {
    CALLS.next();
    Ok(vec![1; 1024].into())
}

#[cached(
    region = REGION,
    expires_after = Duration::from_secs(60),
    should_cache = |name| !name.is_empty(),
    key = (id, owner.len()),
)]
async fn plain(owner: &[u8], id: Option<u64>) -> Arc<str> {
    CALLS.next();
    String::from_utf8_lossy(owner).into()
}

struct Pages {
    region: Cache,
}

impl Pages {
    #[cached(region = self.region)]
    async fn method(&self, _owner: &str) -> Result<Arc<str>, Error> {
        CALLS.next();
        Ok("page".into())
    }
}

/// What is in memory is there at the first poll.
fn now<T>(answer: impl Future<Output = T>) -> Option<T> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn allocations(mut call: impl FnMut()) -> u64 {
    call();
    allocation_counter::measure(|| (0..100).for_each(|_| call())).count_total
}

#[test]
fn a_hit_allocates_nothing() {
    let pages = Pages { region: cache() };
    let owner = "user:00000000015";
    let hits = [
        ("function", allocations(|| assert!(now(page(owner, 3)).unwrap().is_ok()))),
        ("plain", allocations(|| assert!(now(plain(owner.as_bytes(), Some(3))).is_some()))),
        ("method", allocations(|| assert!(now(pages.method(owner)).unwrap().is_ok()))),
        (
            "get",
            allocations(|| assert!(now(page::get(owner, 3)).unwrap().is_ok_and(|v| v.is_some()))),
        ),
    ];
    assert_eq!(hits, [("function", 0), ("plain", 0), ("method", 0), ("get", 0)]);
    assert_eq!(CALLS.count(), 3);
    // The counter counts.
    assert!(allocations(|| drop(page::key(owner, 3))) >= 100);
}

/// Callers keep it in their own futures.
#[test]
fn a_decorated_function_is_a_small_future() {
    let small = size_of_val(&page("alice", 1));
    assert!(small <= 64, "{small} bytes, of which 20 are the arguments");
}
