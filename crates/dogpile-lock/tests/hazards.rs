//! What goes wrong only in odd company: leases of nothing, creators that wait for several at once,
//! values that cannot be copied, runtimes inside of creators, tables that are torn.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use dogpile_core::{
    Answer, Ask, Backend, BackendExt, Entry, ErrorKind, Held, Key, Lease, LeaseBackend, Lock,
    ReadThrough, Result, ServedBy, SetOptions,
};
use dogpile_lock::{Dogpile, FileLock, LocalLock, Paired, read_fn};
use support::{Map, clock, expired, join_all, made, old, request};

const LONG: Duration = Duration::from_secs(60);

/// What `future` answers, which must not take long.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(3), future).await.expect("it hangs")
}

/// The same for what may not even come back from a poll.
fn soon_on_a_thread<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, outcome) = mpsc::channel();
    std::thread::spawn(move || done.send(run()));
    outcome.recv_timeout(Duration::from_secs(3)).expect("it hangs")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_lease_of_nothing_keeps_no_thread_busy() {
    let outcome = soon_on_a_thread(|| {
        runtime().block_on(async {
            let (clock, lock) = (clock(), LocalLock::new());
            let dogpile = Dogpile::with_lock(Map::default(), lock.clone());
            let request = request("k", &clock).with_lease_for(Duration::ZERO);
            let create = || async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(made(1))
            };
            dogpile.read_through(&request, create).await?;

            dogpile.delete(Key::name("k")).await?;
            let lease = lock.try_lock(Key::name("k"), LONG).await?.unwrap();
            let other = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                lock.unlock(Key::name("k"), lease).await
            });
            dogpile.read_through(&request, || async { Ok(made(1)) }).await?;
            other.await.unwrap()
        })
    });
    assert_eq!(outcome.unwrap(), Held::Kept);
}

/// A server on which somebody else is always creating, and that has the previous value.
#[derive(Clone, Debug, Default)]
struct Busy {
    asks: Arc<AtomicUsize>,
}

impl Backend for Busy {
    type Value = u64;

    async fn get(&self, _: Key<'_>) -> Result<Option<Entry<u64>>> {
        Ok(Some(old(1)))
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<u64>>>> {
        Ok(vec![Some(old(1)); keys.len()])
    }

    async fn set_many(&self, _: &[(Key<'_>, Entry<u64>)], _: &SetOptions) -> Result<()> {
        Ok(())
    }

    async fn delete_many(&self, _: &[Key<'_>]) -> Result<()> {
        Ok(())
    }

    async fn delete_group(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

impl LeaseBackend for Busy {
    async fn get_or_lease(&self, _: &Ask<'_>) -> Result<Answer<u64>> {
        self.asks.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(Answer::Busy { stale: Some(old(1)) })
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<u64>>> {
        Ok(vec![Answer::Busy { stale: Some(old(1)) }; asks.len()])
    }

    async fn fill(&self, _: Key<'_>, _: Lease, _: Entry<u64>, _: &SetOptions) -> Result<Held> {
        Ok(Held::Lost)
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<u64>)],
        _: &SetOptions,
    ) -> Result<Vec<Held>> {
        Ok(vec![Held::Lost; fills.len()])
    }

    async fn extend(&self, _: Key<'_>, _: Lease, _: Duration) -> Result<Held> {
        Ok(Held::Lost)
    }

    async fn release(&self, _: Key<'_>, _: Lease) -> Result<Held> {
        Ok(Held::Lost)
    }

    fn abandon(&self, _: Key<'_>, _: Lease) {}

    async fn wait(&self, _: Key<'_>, _: Duration) {}

    async fn is_leased(&self, _: Key<'_>) -> Result<bool> {
        Ok(true)
    }
}

#[tokio::test]
async fn callers_who_are_served_the_stale_value_of_a_server_ask_it_once() {
    let busy = Busy::default();
    let (dogpile, clock) = (Dogpile::leased(busy.clone()), clock());
    let request = expired("k", &clock);
    let calls = (0..100).map(|_| dogpile.read_through(&request, || async { Ok(made(2)) }));
    for served in join_all(calls).await {
        assert_eq!(served.unwrap().by, ServedBy::Stale);
    }
    assert_eq!(busy.asks.load(Ordering::SeqCst), 1);
}

/// The creator of k1 waits for k2 and k3 at once, and that of k2 for k1.
#[tokio::test]
async fn a_circle_is_seen_through_one_of_several_waits() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let all_create = Arc::new(tokio::sync::Barrier::new(3));
    let spawn = |key: &'static str, wants: Option<&'static str>| {
        let (dogpile, clock, all_create) =
            (dogpile.clone(), Arc::clone(&clock), Arc::clone(&all_create));
        tokio::spawn(async move {
            let create = || async {
                all_create.wait().await;
                tokio::time::sleep(Duration::from_millis(50)).await;
                match wants {
                    Some(key) => {
                        let request = request(key, &clock).with_wait_for(LONG);
                        dogpile.read_through(&request, || async { Ok(made(1)) }).await?;
                    }
                    None => tokio::time::sleep(Duration::from_millis(100)).await,
                }
                Ok(made(1))
            };
            let request = request(key, &clock);
            dogpile.read_through(&request, create).await
        })
    };
    let (second, third) = (spawn("k2", Some("k1")), spawn("k3", None));
    let create = || async {
        all_create.wait().await;
        let (two, three) = (request("k2", &clock), request("k3", &clock));
        let (two, three) = tokio::join!(
            dogpile.read_through(&two, || async { Ok(made(1)) }),
            dogpile.read_through(&three, || async { Ok(made(1)) }),
        );
        two.and(three).map(|_| made(1))
    };
    let request = request("k1", &clock);
    assert!(soon(dogpile.read_through(&request, create)).await.is_err());
    assert_eq!(soon(second).await.unwrap().unwrap_err().kind(), ErrorKind::Reentrant);
    assert!(soon(third).await.unwrap().is_ok());
}

/// It waits for nobody, so it is no circle.
#[tokio::test]
async fn a_creator_that_asks_for_its_own_key_is_served_the_stale_value() {
    async fn creates_on_top<L: LeaseBackend<Value = u64> + 'static>(dogpile: Dogpile<L>) {
        dogpile.set(Key::name("k"), old(1)).await.unwrap();
        let clock = clock();
        let request = expired("k", &clock);
        let create = || async {
            let before = dogpile.read_through(&request, || async { Ok(made(9)) }).await?;
            Ok(made(before.entry.value + 10))
        };
        assert_eq!(dogpile.read_through(&request, create).await.unwrap().entry.value, 11);
    }
    creates_on_top(Dogpile::local(Map::default())).await;
    creates_on_top(Dogpile::leased(Paired::new(Map::default(), LocalLock::new()))).await;
}

#[test]
fn a_creator_on_a_second_thread_that_asks_for_its_own_key_is_told() {
    let error = soon_on_a_thread(|| {
        let (clock, dogpile) = (clock(), Dogpile::with_lock(Map::default(), LocalLock::new()));
        let dogpile = dogpile.blocking().with_heartbeat(true);
        let request = request("k", &clock).with_wait_for(LONG);
        dogpile.read_through(&request, || {
            dogpile.read_through(&request, || Ok(made(1))).map(|_| made(2))
        })
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Reentrant);
}

/// The creator of a, made by a caller of a and x, wants x, which another process was creating.
#[tokio::test]
async fn a_caller_of_many_holds_no_place_while_it_creates() {
    let (clock, lock) = (clock(), LocalLock::new());
    let x = Key::name("x");
    let lease = lock.try_lock(x, LONG).await.unwrap().unwrap();
    let dogpile = Dogpile::with_lock(Map::default(), lock.clone());
    let request = request("x", &clock).with_wait_for(LONG);
    let keys = [Key::name("a"), x];
    let served = dogpile.read_through_many(&keys, &request, |at| {
        let (lock, dogpile, request) = (&lock, &dogpile, &request);
        async move {
            if at == [0] {
                let _ = lock.unlock(x, lease).await?;
                dogpile.read_through(request, || async { Ok(made(5)) }).await?;
            }
            Ok(at.iter().map(|_| made(1)).collect())
        }
    });
    let values: Vec<_> = soon(served).await.unwrap().iter().map(|it| it.entry.value).collect();
    assert_eq!(values, [1, 5]);
}

#[tokio::test]
async fn a_caller_of_many_that_waits_for_one_key_does_not_keep_others_from_the_next() {
    let (clock, lock) = (clock(), LocalLock::new());
    let (slow, quick) = (Key::name("slow"), Key::name("the quick"));
    let _slow = lock.try_lock(slow, LONG).await.unwrap().unwrap();
    let lease = lock.try_lock(quick, LONG).await.unwrap().unwrap();
    let dogpile = Dogpile::with_lock(Map::default(), lock.clone());
    let request = request("the quick", &clock).with_lease_for(LONG).with_wait_for(LONG);
    let keys = [slow, quick];
    let mut many = std::pin::pin!(dogpile.read_through_many(&keys, &request, |at| async move {
        Ok(at.iter().map(|_| made(1)).collect())
    }));
    let one = async {
        tokio::task::yield_now().await;
        let released = async {
            tokio::task::yield_now().await;
            lock.unlock(quick, lease).await
        };
        let create = || async { Ok(made(2)) };
        tokio::join!(dogpile.read_through(&request, create), released).0
    };
    let one = async {
        tokio::select! {
            biased;
            _ = &mut many => panic!("the slow one is not there yet"),
            one = one => one,
        }
    };
    soon(one).await.unwrap();
}

/// Two callers of the same keys on two threads, each at the head of some that another process has
/// and behind the other for the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_many_do_not_wait_for_each_other_in_a_circle() {
    for _ in 0..50 {
        let lock = LocalLock::new();
        let names: Arc<Vec<String>> = Arc::new((0..40).map(|n| format!("{n:03}")).collect());
        let mut leases = Vec::new();
        for name in names.iter() {
            leases.push(lock.try_lock(Key::name(name), LONG).await.unwrap().unwrap());
        }
        let dogpile = Dogpile::with_lock(Map::default(), lock.clone());
        let started = Arc::new(std::sync::Barrier::new(2));
        let calls = [(); 2].map(|()| {
            let (dogpile, names, started) =
                (dogpile.clone(), Arc::clone(&names), Arc::clone(&started));
            std::thread::spawn(move || {
                let (clock, runtime) = (clock(), runtime());
                started.wait();
                let request = request("", &clock).with_wait_for(Duration::from_secs(3));
                let keys: Vec<_> = names.iter().map(Key::name).collect();
                runtime.block_on(dogpile.read_through_many(&keys, &request, |at| async move {
                    Ok(at.iter().map(|_| made(1)).collect())
                }))
            })
        });
        tokio::time::sleep(Duration::from_millis(2)).await;
        for (name, lease) in names.iter().zip(leases) {
            let _ = lock.unlock(Key::name(name), lease).await.unwrap();
        }
        for call in calls {
            assert_eq!(call.join().unwrap().unwrap().len(), 40);
        }
    }
}

/// The timers inside are the runtime's, and not those of the blocking call around it.
#[test]
fn a_runtime_inside_of_a_blocking_creator_has_its_timers() {
    let error = soon_on_a_thread(|| {
        let (outer, inner) = (Dogpile::local(Map::default()), Dogpile::local(Map::default()));
        outer.blocking().get_or_create("outer", LONG, || {
            runtime().block_on(async {
                let clock = clock();
                let request = request("inner", &clock).with_wait_for(Duration::from_millis(20));
                let leader = inner.read_through(&request, std::future::pending);
                tokio::select! {
                    biased;
                    led = leader => led,
                    followed = inner.read_through(&request, || async { Ok(made(2)) }) => followed,
                }
                .map(|served| served.entry.value)
            })
        })
    });
    assert!(format!("{:?}", error.unwrap_err()).contains("TimedOut"));
}

#[tokio::test]
async fn a_torn_table_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let lock = FileLock::open(folder.path()).unwrap();
    for number in 0..64 {
        std::fs::write(folder.path().join(format!("{number:02x}.holds")), "torn").unwrap();
    }
    soon(lock.wait(Key::name("k"), LONG)).await;
    assert!(lock.try_lock(Key::name("k"), LONG).await.unwrap().is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn a_holder_of_whom_nothing_can_be_told_counts_as_alive() {
    let folder = tempfile::tempdir().unwrap();
    let (lock, other) =
        (FileLock::open(folder.path()).unwrap(), FileLock::open(folder.path()).unwrap());
    let lease = lock.try_lock(Key::name("k"), LONG).await.unwrap();
    assert!(lease.is_some());
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|it| it == "owner") {
            // It can no more be opened, whoever tries.
            std::fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink(&path, &path).unwrap();
        }
    }
    assert!(other.try_lock(Key::name("k"), LONG).await.unwrap().is_none());
}

#[derive(Debug)]
struct Uncopied;

impl Clone for Uncopied {
    fn clone(&self) -> Self {
        panic!("this value cannot be copied")
    }
}

#[tokio::test]
async fn a_value_that_panics_when_it_is_copied_is_not_created_by_each_waiter() {
    let creations = AtomicUsize::new(0);
    let dogpile = Dogpile::local(read_fn(|_| async { Ok(None::<Entry<Uncopied>>) }));
    let calls = (0..100).map(|_| async {
        let mut call = std::pin::pin!(dogpile.get_or_create("k", LONG, || async {
            creations.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, std::io::Error>(Uncopied)
        }));
        std::future::poll_fn(|cx| {
            let poll = std::panic::AssertUnwindSafe(|| call.as_mut().poll(cx).map(drop));
            std::panic::catch_unwind(poll).unwrap_or(std::task::Poll::Ready(()))
        })
        .await;
    });
    soon(join_all(calls)).await;
    assert_eq!(creations.load(Ordering::SeqCst), 2);
}
