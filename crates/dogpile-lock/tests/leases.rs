//! Leases end, are kept alive by a heartbeat, and fence late holders.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogpile_core::{Backend, Entry, ErrorKind, Held, Key, Lock, ReadThrough, ServedBy};
use dogpile_lock::{Dogpile, FileLock, LocalLock};
use support::{Map, clock, eventually, made, request};

const SHORT: Duration = Duration::from_millis(150);

/// Rule 2: a creation four leases long stays one creation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_keeps_a_long_creation() {
    let folder = tempfile::tempdir().unwrap();
    long_creation(LocalLock::new(), LocalLock::clone).await;
    let path = folder.path().to_path_buf();
    long_creation(FileLock::open(&path).unwrap(), move |_| FileLock::open(&path).unwrap()).await;
}

async fn long_creation<K: Lock + 'static>(lock: K, other: impl Fn(&K) -> K) {
    // Long enough that a busy machine does not keep the heartbeat from it.
    let lease = SHORT * 4;
    let (map, creations) = (Map::default(), Arc::new(AtomicUsize::new(0)));
    let elsewhere = Dogpile::with_lock(map.clone(), other(&lock));
    let here = Dogpile::with_lock(map, lock);
    let call = |dogpile: Dogpile<_>| {
        let creations = Arc::clone(&creations);
        tokio::spawn(async move {
            let clock = clock();
            let request = request("k", &clock).with_lease_for(lease);
            let create = || async {
                creations.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(lease * 2).await;
                Ok(made(1))
            };
            dogpile.read_through(&request, create).await.unwrap().by
        })
    };
    let creator = call(here);
    eventually("the creator is at it", || creations.load(Ordering::SeqCst) == 1).await;
    assert_eq!(call(elsewhere).await.unwrap(), ServedBy::Waited);
    assert_eq!(creator.await.unwrap(), ServedBy::Created);
    assert_eq!(creations.load(Ordering::SeqCst), 1);
}

/// Rules 2 and 3: a holder that hangs loses its turn, is told so, and its value is not stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_holder_is_fenced_and_its_value_is_not_hidden() {
    let (map, lock, lost) = (Map::default(), LocalLock::new(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&lost);
    let hanging = Dogpile::with_lock(map.clone(), lock.clone()).with_on_lost_lease(move |key| {
        assert_eq!(key, Key::name("k"));
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let (began, creating) = std::sync::mpsc::channel();
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let late = std::thread::spawn(move || {
        // It blocks its thread, so that nothing beats for it.
        let clock = clock();
        let request = request("k", &clock).with_lease_for(SHORT);
        hanging.blocking().read_through(&request, move || {
            began.send(()).unwrap();
            gate.recv().unwrap();
            Ok(made(1))
        })
    });
    creating.recv().unwrap();
    let (clock, start) = (clock(), Instant::now());
    let next = Dogpile::with_lock(map.clone(), lock);
    let request = request("k", &clock);
    let served = next.read_through(&request, || async { Ok(made(2)) }).await.unwrap();
    assert_eq!((served.entry.value, served.by), (2, ServedBy::Created));
    assert!(start.elapsed() < SHORT * 4, "the turn was free at the end of the lease");
    go.send(()).unwrap();
    let late = late.join().unwrap().unwrap();
    assert_eq!((late.entry.value, late.by), (1, ServedBy::Created));
    assert_eq!(map.get(Key::name("k")).await.unwrap().unwrap().value, 2);
    assert_eq!(lost.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn memory_does_not_grow_with_the_keys_ever_seen() {
    let lock = LocalLock::new();
    for n in 0..10_000_u32 {
        let key = n.to_be_bytes();
        let lease = lock.try_lock(Key::name(&key), SHORT).await.unwrap().unwrap();
        assert_eq!(lock.unlock(Key::name(&key), lease).await.unwrap(), Held::Kept);
    }
    assert!(lock.is_empty());
    // Holders that never come back are forgotten when their leases have ended.
    for n in 0..10_000_u32 {
        let _ = lock.try_lock(Key::name(&n.to_be_bytes()), Duration::from_millis(1)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    for n in 10_000..20_000_u32 {
        let _ = lock.try_lock(Key::name(&n.to_be_bytes()), Duration::from_millis(1)).await.unwrap();
    }
    assert!(lock.len() < 15_000, "{} keys take room", lock.len());
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_refused_with_its_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = FileLock::open(file.path().join("locks")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains(&file.path().display().to_string()), "{error}");
}

#[tokio::test]
async fn a_damaged_table_of_holds_is_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let lock = FileLock::open(folder.path()).unwrap();
    let lease = lock.try_lock(Key::name("k"), SHORT).await.unwrap().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
        if file.path().extension().is_some_and(|ext| ext == "holds") {
            std::fs::write(file.path(), b"DPHOLDS1 and then nonsense").unwrap();
        }
    }
    assert_eq!(lock.extend(Key::name("k"), lease, SHORT).await.unwrap(), Held::Lost);
    assert!(lock.try_lock(Key::name("k"), SHORT).await.unwrap().is_some());
}

#[tokio::test]
async fn an_expired_value_of_this_process_is_refilled_after_its_lease_was_lost() {
    let (map, clock) = (Map::default(), clock());
    let dogpile = Dogpile::with_lock(map.clone(), LocalLock::new());
    let request = request("k", &clock).with_lease_for(Duration::from_millis(1));
    let served = dogpile.read_through(&request, || async {
        std::thread::sleep(Duration::from_millis(20));
        Ok(made(1))
    });
    assert_eq!(served.await.unwrap().entry.value, 1);
    assert_eq!(map.get(Key::name("k")).await.unwrap(), None::<Entry<u64>>);
    assert_eq!(
        dogpile
            .read_through(&request.with_lease_for(SHORT), || async { Ok(made(2)) })
            .await
            .unwrap()
            .entry
            .value,
        2
    );
    assert_eq!(map.get(Key::name("k")).await.unwrap().unwrap().value, 2);
}
