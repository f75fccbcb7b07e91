//! A region, a clock in the test's hand, and what can go wrong between them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::backend::{Memory, MemoryBytes};
use dogpile_cache::codec::{Json, Object, Shared};
use dogpile_cache::{Backend, Entry, Key, Region, Result, Stats};
use dogpile_conformance::ManualClock;
use dogpile_core::SetOptions;
use dogpile_lock::{Dogpile, Solo};
use tokio::sync::oneshot;

pub(crate) type Local<B> = Dogpile<Solo<B>>;

/// A region of many types in memory, 10 s of freshness, and its clock.
pub(crate) fn region() -> (Region<Local<Memory>, Shared>, ManualClock) {
    let clock = ManualClock::new();
    (on(Memory::<Object>::new(1_000), Shared, &clock), clock)
}

/// The same over serialised values.
pub(crate) fn byte_region() -> (Region<Local<MemoryBytes>, Json>, ManualClock) {
    let clock = ManualClock::new();
    (on(MemoryBytes::new(1 << 20), Json, &clock), clock)
}

pub(crate) fn on<B: Backend, C>(backend: B, codec: C, clock: &ManualClock) -> Region<Local<B>, C> {
    Region::new(Dogpile::local(backend), codec)
        .expires_after(seconds(10))
        .with_clock(Arc::new(clock.clone()))
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn watched<R, C>(region: Region<R, C>) -> (Region<R, C>, Arc<Stats>) {
    let stats = Arc::new(Stats::new());
    (region.with_observer(Arc::clone(&stats) as _), stats)
}

/// A creator that makes 1, 2, 3 and so on, and counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Maker(Arc<AtomicUsize>);

impl Maker {
    pub(crate) async fn next(&self) -> Result<usize, Infallible> {
        Ok(self.0.fetch_add(1, SeqCst) + 1)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// A creation that the test holds open.
pub(crate) struct Held {
    started: oneshot::Receiver<()>,
    go: oneshot::Sender<()>,
}

impl Held {
    /// A creator's half, and the test's.
    pub(crate) fn pair() -> (impl Future<Output = ()> + Send + 'static, Self) {
        let (start, started) = oneshot::channel();
        let (go, gone) = oneshot::channel::<()>();
        let half = async move {
            let _ = start.send(());
            let _ = gone.await;
        };
        (half, Self { started, go })
    }

    /// Waits until the creator runs.
    pub(crate) async fn running(&mut self) {
        bounded(&mut self.started).await.unwrap();
    }

    pub(crate) fn finish(self) {
        let _ = self.go.send(());
    }
}

/// Fails a test that would hang.
pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(seconds(20), future).await.expect("it should have ended long ago")
}

/// Puts bytes under a key, as something else might.
pub(crate) async fn plant(
    region: &Region<Local<MemoryBytes>, Json>,
    key: &str,
    entry: Entry<Bytes>,
) {
    region.store().set_many(&[(Key::name(key), entry)], &SetOptions::new()).await.unwrap();
}

/// The answer of a future that has one at once.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
