//! The backend that docs/own-backend.md builds, and its tests, which the page shows too.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod page;
mod sqlite;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use dogpile_cache::codec::MsgPack;
use dogpile_cache::{Error, Region};
use dogpile_lock::Dogpile;
use sqlite::Sqlite;

mod first_contract {
    use super::sqlite::Sqlite;
    use dogpile_conformance::Subject;

    dogpile_conformance::backend_suite!(async {
        let folder = tempfile::tempdir().unwrap();
        let open = || Sqlite::open(folder.path().join("cache.db")).unwrap();
        Subject::new(open()).with_other(open()).with_guard(folder)
    });
}

mod second_contract {
    use super::sqlite::Sqlite;
    use dogpile_conformance::Subject;

    dogpile_conformance::lease_suite!(async {
        let folder = tempfile::tempdir().unwrap();
        let open = || Sqlite::open(folder.path().join("cache.db")).unwrap();
        Subject::new(open()).with_other(open()).with_guard(folder)
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_create_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache.db");
    let open = || Region::new(Dogpile::leased(Sqlite::open(&file).unwrap()), MsgPack);
    let (one, other) = (open(), open());

    let created = Arc::new(AtomicU32::new(0));
    let callers: Vec<_> = (0..50)
        .map(|at| {
            let region = if at % 2 == 0 { one.clone() } else { other.clone() };
            let created = Arc::clone(&created);
            tokio::spawn(async move {
                let create = || async {
                    created.fetch_add(1, Relaxed);
                    Ok::<_, Error>("made once".to_owned())
                };
                region.get_or_create("key", create).await
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), "made once");
    }
    assert_eq!(created.load(Relaxed), 1);
}

/// The lease of a process that was killed: it is held, and nobody will give it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_creator_is_replaced_when_its_lease_ends() {
    use dogpile_core::{Answer, Ask, Clock, Key, LeaseBackend, Policy, SystemClock};
    use std::time::{Duration, Instant};

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache.db");
    let killed = Sqlite::open(&file).unwrap();
    let key = Key::name("key");
    let freshness = Policy::new().at(SystemClock.now());
    let lease_for = Duration::from_millis(300);
    let granted = killed.get_or_lease(&Ask::new(key, freshness, lease_for)).await.unwrap();
    assert!(matches!(granted, Answer::Create { .. }));
    std::mem::forget(killed);

    let began = Instant::now();
    let region = Region::new(Dogpile::leased(Sqlite::open(&file).unwrap()), MsgPack);
    let made: String = region
        .get_or_create("key", || async { Ok::<_, Error>("by another".to_owned()) })
        .await
        .unwrap();
    assert_eq!(made, "by another");
    assert!(began.elapsed() > Duration::from_millis(200), "{:?}", began.elapsed());
}

/// A damaged file is an error that says so, and no panic.
#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache.db");
    std::fs::write(&file, "this is a letter to a friend, and no database at all").unwrap();
    let error = Sqlite::open(&file).unwrap_err();
    assert_eq!(error.kind(), dogpile_core::ErrorKind::Unavailable);
    assert!(std::error::Error::source(&error).is_some());
}

/// Any number of handles of one process may be used at once.
#[test]
fn it_can_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Sqlite>();
    shared::<Arc<Mutex<Region<Dogpile<Sqlite>, MsgPack>>>>();
}
