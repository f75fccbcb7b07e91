//! A store that fails on demand does what it was told to, and nothing else.

use std::time::Duration;

use bytes::Bytes;
use dogpile_conformance::wrong::{WrongBackend, WrongLeaseBackend, WrongLock};
use dogpile_conformance::{Faulty, ManualClock, Subject};
use dogpile_core::{
    Answer, Ask, Backend, BackendExt, Entry, ErrorKind, Held, Key, LeaseBackend, Lock, Policy,
    SetOptions, Timestamp,
};
use tokio::time::Instant;

const KEY: &str = "key";

fn key() -> Key<'static> {
    Key::name(KEY)
}

fn entry() -> Entry<Bytes> {
    Entry::new(Timestamp::from_millis(1_000), Bytes::from_static(b"value"))
}

fn backend() -> Faulty<WrongBackend> {
    Faulty::new(WrongBackend::new(None, ManualClock::new()))
}

#[tokio::test]
async fn the_next_calls_fail_and_then_no_more() {
    let backend = backend();
    backend.fail_next(2, ErrorKind::TimedOut);
    assert_eq!(backend.get(key()).await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(backend.set(key(), entry()).await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(backend.get(key()).await.unwrap(), None, "the set that failed took place");
    assert_eq!((backend.calls("get"), backend.calls("set_many"), backend.all_calls()), (2, 1, 3));
}

#[tokio::test]
async fn a_store_that_is_down_comes_up_with_what_it_had() {
    let backend = backend();
    backend.set(key(), entry()).await.unwrap();
    backend.fail_all(true);
    for _ in 0..3 {
        assert_eq!(backend.get(key()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    backend.fail_all(false);
    assert_eq!(backend.get(key()).await.unwrap(), Some(entry()));
}

#[tokio::test]
async fn one_method_fails_and_the_others_work() {
    let backend = backend();
    backend.fail_method("delete_many", Some(ErrorKind::Refused));
    backend.set(key(), entry()).await.unwrap();
    assert_eq!(backend.delete(key()).await.unwrap_err().kind(), ErrorKind::Refused);
    backend.fail_method("delete_many", None);
    backend.delete(key()).await.unwrap();
    assert_eq!(backend.inner().get(key()).await.unwrap(), None);
}

#[tokio::test]
async fn writes_are_dropped_in_silence() {
    let backend = backend();
    backend.set(key(), entry()).await.unwrap();
    backend.drop_writes(true);
    backend.delete(key()).await.unwrap();
    backend.set(Key::name("other"), entry()).await.unwrap();
    backend.drop_writes(false);
    assert_eq!(backend.get(key()).await.unwrap(), Some(entry()));
    assert_eq!(backend.get(Key::name("other")).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn every_call_is_delayed() {
    let backend = backend();
    backend.delay(Duration::from_secs(3));
    let began = Instant::now();
    backend.get(key()).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    backend.delay(Duration::ZERO);
    backend.get(key()).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn locks_and_leases_fail_too() {
    let (clock, second) = (ManualClock::new(), Duration::from_secs(1));
    let lock = Faulty::new(WrongLock::new(None, clock.clone()));
    let lease = lock.try_lock(key(), second).await.unwrap().unwrap();
    lock.fail_next(1, ErrorKind::Unavailable);
    assert!(lock.unlock(key(), lease).await.is_err());
    assert_eq!(lock.unlock(key(), lease).await.unwrap(), Held::Kept);

    let backend = Faulty::new(WrongLeaseBackend::new(None, clock));
    let ask = Ask::new(key(), Policy::new().at(Timestamp::from_millis(1_000)), second);
    let Answer::Create { lease, .. } = backend.get_or_lease(&ask).await.unwrap() else {
        panic!("a missing key is to be created");
    };
    backend.drop_writes(true);
    let held = backend.fill(key(), lease, entry(), &SetOptions::new()).await.unwrap();
    assert_eq!((held, backend.get(key()).await.unwrap()), (Held::Kept, None));
}

mod without_faults {
    use super::*;

    dogpile_conformance::backend_suite!(async {
        let clock = ManualClock::new();
        Subject::new(Faulty::new(WrongBackend::new(None, clock.clone()))).with_clock(clock)
    });
}
