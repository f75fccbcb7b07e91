//! A hit takes nothing from the heap, and does not ask for the precise time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests may fail as tests do")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dogpile_cache::backend::{Memory, MemoryCounter};
use dogpile_cache::codec::Shared;
use dogpile_cache::{CallOptions, Clock, Expiry, Field, Region, Result, Stats, Timestamp, ToKey};
use dogpile_conformance::ManualClock;
use dogpile_lock::{Dogpile, Solo};

type Cache = Region<Dogpile<Solo<Memory>>, Shared>;
type Page = Arc<[u8]>;

fn cache() -> Cache {
    Region::new(Dogpile::local(Memory::new(100)), Shared).expires_after(Duration::from_secs(300))
}

/// What is in memory is there at the first poll.
fn now<T>(answer: impl Future<Output = T>) -> T {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a hit does not wait"),
    }
}

async fn missing() -> Result<Page, &'static str> {
    Err("it is not missing")
}

fn hits_allocate_nothing(region: &Cache, key: impl ToKey + Copy + Send + Sync) {
    let page: Page = vec![1; 1024].into();
    now(region.set(key, &page)).unwrap();
    let hit = || now(region.get_or_create(key, missing)).unwrap();
    hit();
    for (what, counted) in [
        ("get_or_create", allocation_counter::measure(|| drop(hit()))),
        (
            "get",
            allocation_counter::measure(|| drop(now(region.get::<Page>(key)).unwrap().unwrap())),
        ),
    ] {
        assert_eq!(counted.count_total, 0, "{what} of {}", key.to_key().as_key());
    }
}

#[test]
fn keys_of_all_kinds() {
    let region = cache();
    hits_allocate_nothing(&region, "a plain key of 24 bytes.");
    hits_allocate_nothing(&region, &"long ".repeat(1_000)[..]);
    hits_allocate_nothing(&region, ("user", 15, true));
    hits_allocate_nothing(&region, Field("users", 15));
    hits_allocate_nothing(&region, 15);
}

#[test]
fn regions_of_all_kinds() {
    for region in [
        cache().never_expires(),
        cache().with_jitter(0.1).with_hard_deadline(Duration::from_secs(900)),
        cache().with_prefix("app:"),
        cache().with_version(7),
        cache().with_observer(Arc::new(Stats::new())),
        cache().with_shared_invalidation(MemoryCounter::new(), Duration::from_secs(60)),
    ] {
        hits_allocate_nothing(&region, "key");
        hits_allocate_nothing(&region, Field("group", "key"));
    }
}

#[test]
fn options_of_a_call() {
    let region = cache();
    now(region.set("key", &Page::from(vec![1]))).unwrap();
    let of = |_: &Page| Expiry::never();
    let hit = || {
        let options = CallOptions::new()
            .with_expiry(Expiry::after(Duration::from_secs(60)))
            .with_expiry_of(&of)
            .with_should_cache(&|_, _| true);
        now(region.get_or_create_with("key", options, missing)).unwrap()
    };
    assert_eq!(allocation_counter::measure(|| drop(hit())).count_total, 0);
}

#[derive(Debug, Default)]
struct Watch {
    clock: ManualClock,
    precise: AtomicUsize,
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        self.precise.fetch_add(1, SeqCst);
        self.clock.now()
    }
    fn recent(&self) -> Timestamp {
        self.clock.now()
    }
}

#[test]
fn the_precise_time_is_asked_for_only_in_doubt() {
    let watch = Arc::new(Watch::default());
    let region = cache().with_clock(Arc::clone(&watch) as _);
    now(region.set("key", &Page::from(vec![1]))).unwrap();
    let asked = || watch.precise.swap(0, SeqCst);
    asked();
    watch.clock.advance(Duration::from_millis(300_000 - 20));
    for _ in 0..10 {
        now(region.get_or_create("key", missing)).unwrap();
        now(region.get::<Page>("key")).unwrap().unwrap();
    }
    assert_eq!(asked(), 0);
    watch.clock.advance(Duration::from_millis(20));
    now(region.get_or_create("key", missing)).unwrap();
    assert_eq!(asked(), 1, "fresh to the last millisecond");
}
