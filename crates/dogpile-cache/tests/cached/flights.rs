//! Many callers at once.

use std::sync::{Arc, LazyLock};

use dogpile_cache::{Error, cached};
use tokio::sync::{Barrier, Notify, Semaphore};

use crate::support::{Cache, Calls, cache};

static REGION: LazyLock<Cache> = LazyLock::new(cache);
static CALLS: Calls = Calls::new();

#[cached(region = REGION, ignore(all_started))]
async fn slow(_name: &str, all_started: &Barrier) -> Result<u64, Error> {
    all_started.wait().await;
    Ok(CALLS.next())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_make_one_creation() -> Result<(), Error> {
    const CALLERS: usize = 100;
    let all_started = Arc::new(Barrier::new(2));
    let started = Arc::new(Semaphore::new(0));
    let calls: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (all_started, started) = (Arc::clone(&all_started), Arc::clone(&started));
            tokio::spawn(async move {
                started.add_permits(1);
                slow("name", &all_started).await
            })
        })
        .collect();
    let _all = started.acquire_many(100).await;
    all_started.wait().await;
    for call in calls {
        assert_eq!(call.await.unwrap()?, 1);
    }
    assert_eq!(CALLS.count(), 1);
    Ok(())
}

static GATE: Notify = Notify::const_new();
static STARTED: Notify = Notify::const_new();

#[cached(region = REGION, detached)]
async fn outliving(id: u64) -> Result<u64, Error> {
    STARTED.notify_one();
    GATE.notified().await;
    Ok(id * 10)
}

#[tokio::test]
async fn a_detached_creation_goes_on_without_its_caller() -> Result<(), Error> {
    let caller = tokio::spawn(outliving(1));
    STARTED.notified().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    GATE.notify_one();
    // The creation that goes on is waited for: a second one would find the gate closed.
    assert_eq!(outliving(1).await?, 10);
    Ok(())
}

struct Service {
    region: Cache,
}

impl Service {
    #[cached(region = self.region, detached, should_cache = |n| *n > 1, expiry_of = |_| dogpile_cache::Expiry::never())]
    async fn answer(self: Arc<Self>, n: u64) -> u64 {
        n
    }
}

#[tokio::test]
async fn a_detached_method_keeps_what_it_belongs_to() -> Result<(), Error> {
    let service = Arc::new(Service { region: cache() });
    assert_eq!(Arc::clone(&service).answer(1).await, 1);
    assert_eq!(Arc::clone(&service).answer(2).await, 2);
    assert_eq!((service.answer_get(1).await?, service.answer_get(2).await?), (None, Some(2)));
    Ok(())
}
