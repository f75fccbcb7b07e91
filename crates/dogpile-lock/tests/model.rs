//! Every interleaving of the in-process lock, by a model checker.
//!
//! The sources are the library's own: they name their mutex through `crate::primitive`, and here
//! that is the checker's.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]
#![allow(dead_code, unreachable_pub, reason = "the sources are used in part")]

use std::time::Duration;

use dogpile_core::{Entry, Held, Key, Lock, Timestamp};
use loom::future::block_on;
use loom::model;
use loom::thread;

#[path = "../src/flight.rs"]
mod flight;
#[path = "../src/local.rs"]
mod local;
#[path = "../src/name.rs"]
mod name;

mod primitive {
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

mod reentrant {
    #[derive(Default)]
    pub(crate) struct Turn(());
}

/// Time stands still: what waits is woken by somebody, or is found to hang.
mod timer {
    pub(crate) fn sleep(_: std::time::Duration) -> std::future::Pending<()> {
        std::future::pending()
    }
}

use flight::{Flight, Flights, Landing, Place, Sight};
use local::LocalLock;
use primitive::Arc;

fn key() -> Key<'static> {
    Key::name("k")
}

const LONG: Duration = Duration::from_secs(3600);

fn entry(value: u32) -> Entry<u32> {
    Entry::new(Timestamp::from_millis(0), value)
}

/// Leads or follows until there is a value, as the driver does; answers whether it created it.
fn get_or_create(flights: &Arc<Flights<u32>>, value: u32) -> (u32, bool) {
    loop {
        match Flights::join(flights, key(), 0) {
            Place::Leader(mut seat) => {
                seat.land(Landing::Entry(entry(value)));
                return (value, true);
            }
            Place::Follower(flight) => match block_on(Flight::follow(&flight, false)) {
                Sight::Landed(Landing::Entry(entry)) => return (entry.value, false),
                Sight::Landed(Landing::Abandoned { .. }) => {}
                other => panic!("{other:?}"),
            },
        }
    }
}

#[test]
fn whoever_follows_is_woken_with_the_value() {
    model(|| {
        let flights = Arc::new(Flights::new(1));
        let other = Arc::clone(&flights);
        let thread = thread::spawn(move || get_or_create(&other, 1));
        let (mine, created_mine) = get_or_create(&flights, 2);
        let (theirs, created_theirs) = thread.join().unwrap();
        assert!(created_mine || created_theirs);
        assert_eq!(mine, if created_mine { 2 } else { 1 });
        assert_eq!(theirs, if created_theirs { 1 } else { 2 });
        assert!(!flights.contains(key()));
    });
}

#[test]
fn a_leader_that_is_dropped_leaves_the_flight_to_its_followers() {
    model(|| {
        let flights = Arc::new(Flights::new(1));
        let other = Arc::clone(&flights);
        let Place::Leader(seat) = Flights::join(&flights, key(), 0) else {
            panic!("nobody else is there")
        };
        let thread = thread::spawn(move || get_or_create(&other, 1));
        drop(seat);
        assert_eq!(thread.join().unwrap(), (1, true));
        assert!(!flights.contains(key()));
    });
}

#[test]
fn a_stale_value_reaches_who_may_have_it() {
    model(|| {
        let flights = Arc::new(Flights::new(1));
        let Place::Leader(mut seat) = Flights::join(&flights, key(), 0) else {
            panic!("nobody else is there")
        };
        let Place::Follower(flight) = Flights::join(&flights, key(), 0) else {
            panic!("there is a leader")
        };
        let follower = thread::spawn(move || match block_on(Flight::follow(&flight, true)) {
            Sight::Stale(entry) | Sight::Landed(Landing::Entry(entry)) => entry.value,
            other @ Sight::Landed(_) => panic!("{other:?}"),
        });
        seat.show_stale(entry(1));
        seat.land(Landing::Entry(entry(2)));
        assert!([1, 2].contains(&follower.join().unwrap()));
    });
}

#[test]
fn a_follower_may_leave_at_any_moment() {
    model(|| {
        let flights = Arc::new(Flights::new(1));
        let Place::Leader(mut seat) = Flights::join(&flights, key(), 0) else {
            panic!("nobody else is there")
        };
        let Place::Follower(flight) = Flights::join(&flights, key(), 0) else {
            panic!("there is a leader")
        };
        let leaver = thread::spawn(move || {
            let mut follow = Box::pin(Flight::follow(&flight, false));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = follow.as_mut().poll(&mut cx);
        });
        seat.land(Landing::Entry(entry(1)));
        leaver.join().unwrap();
        assert!(!flights.contains(key()));
    });
}

/// A write is announced before it is done and until after; the creator looks before it stores and
/// again after. In no order does the created value outlive the write, whenever its creation began.
#[test]
fn a_delete_wins_over_a_creation_in_every_order() {
    model(|| {
        let flights = Arc::new(Flights::<u32>::new(1));
        let store = Arc::new(loom::sync::Mutex::new(Some(0)));
        let creator = {
            let (flights, store) = (Arc::clone(&flights), Arc::clone(&store));
            thread::spawn(move || {
                let Place::Leader(mut seat) = Flights::join(&flights, key(), 0) else {
                    panic!("nobody else is there")
                };
                let seen = *store.lock().unwrap();
                if !seat.is_voided() {
                    *store.lock().unwrap() = Some(1);
                    if seat.is_voided() {
                        *store.lock().unwrap() = None;
                    }
                }
                seat.land(Landing::Entry(entry(1)));
                seen
            })
        };
        let write = flights.write([key()].into_iter());
        *store.lock().unwrap() = None;
        drop(write);
        let saw_the_old_value = creator.join().unwrap().is_some();
        if saw_the_old_value {
            assert_eq!(
                *store.lock().unwrap(),
                None,
                "what was made of the old value outlived the delete"
            );
        }
        assert!(!flights.contains(key()));
    });
}

#[test]
fn the_local_lock_excludes_and_wakes() {
    model(|| {
        let lock = LocalLock::with_shards(1);
        let inside = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let enter = |lock: LocalLock, inside: Arc<loom::sync::atomic::AtomicUsize>| loop {
            if let Some(lease) = block_on(lock.try_lock(key(), LONG)).unwrap() {
                let others = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                assert_eq!(others, 0, "two are inside");
                inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                assert_eq!(block_on(lock.unlock(key(), lease)).unwrap(), Held::Kept);
                return;
            }
            block_on(lock.wait(key(), LONG));
        };
        let thread = {
            let (lock, inside) = (lock.clone(), Arc::clone(&inside));
            thread::spawn(move || enter(lock, inside))
        };
        enter(lock.clone(), inside);
        thread.join().unwrap();
        assert!(lock.is_empty());
    });
}

#[test]
fn a_lock_that_is_taken_away_wakes_its_waiters_and_is_lost_to_its_holder() {
    model(|| {
        let lock = LocalLock::with_shards(1);
        let lease = block_on(lock.try_lock(key(), LONG)).unwrap().unwrap();
        let waiter = {
            let lock = lock.clone();
            thread::spawn(move || block_on(lock.wait(key(), LONG)))
        };
        block_on(lock.revoke(&[key()])).unwrap();
        assert_eq!(block_on(lock.unlock(key(), lease)).unwrap(), Held::Lost);
        waiter.join().unwrap();
    });
}
