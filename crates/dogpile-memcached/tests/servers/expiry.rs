//! How long servers keep what they are given.

use std::time::Duration;

use dogpile_conformance::poll_then_drop;
use dogpile_core::{Answer, Ask, Backend, ErrorKind, Held, Lease, LeaseBackend, Policy};
use dogpile_core::{Clock, Entry, Key, SetOptions, SystemClock};
use dogpile_memcached::Memcached;

use crate::support::Server;
use crate::{made, millis, open, region};

const DAY: u64 = 24 * 3_600;

/// The seconds that an item has left; `None` is for ever.
fn left(server: &Server, name: &str) -> Option<u64> {
    let line = server.ask(format!("mg {name} t"));
    let left = line.split(" t").nth(1).unwrap_or_else(|| panic!("{line}"));
    // Without the marks of a lease.
    left.split(' ').next().unwrap().parse().ok()
}

#[tokio::test]
async fn days_are_days_beyond_thirty_of_them() {
    let (server, memcached) = open().await;
    for days in [1, 29, 30, 31, 40, 365, 10 * 365] {
        let keep = SetOptions::new().with_keep_for(Some(Duration::from_secs(days * DAY)));
        let items = [(Key::name("k"), Entry::new(SystemClock.now(), "v".into()))];
        memcached.set_many(&items, &keep).await.unwrap();
        let left = left(&server, "k").unwrap();
        let wanted = days * DAY;
        assert!((wanted - 3..=wanted + 3).contains(&left), "{days} days are {left} s");

        // What a creator stores, too.
        memcached.delete_many(&[Key::name("c")]).await.unwrap();
        let ask = Ask::new(Key::name("c"), Policy::new().at(SystemClock.now()), millis(5_000));
        let Answer::Create { lease, .. } = memcached.get_or_lease(&ask).await.unwrap() else {
            panic!("nothing is there")
        };
        let entry = Entry::new(SystemClock.now(), "v".into());
        let held = memcached.fill(Key::name("c"), lease, entry, &keep).await.unwrap();
        assert_eq!(held, Held::Kept);
        let left = self::left(&server, "c").unwrap();
        assert!((wanted - 3..=wanted + 3).contains(&left), "{days} days are {left} s");
    }
    for beyond in [Duration::from_secs(200 * 365 * DAY), Duration::MAX] {
        let keep = SetOptions::new().with_keep_for(Some(beyond));
        let items = [(Key::name("k"), Entry::new(SystemClock.now(), "v".into()))];
        memcached.set_many(&items, &keep).await.unwrap();
        assert!(left(&server, "k").is_none_or(|left| left > 10 * 365 * DAY));
    }
}

/// Less than a second is not "for ever", which is what 0 says to a server.
#[tokio::test]
async fn the_shortest_time_is_a_second_and_not_for_ever() {
    let (server, memcached) = open().await;
    for keep in [Duration::ZERO, Duration::from_nanos(1), millis(1), millis(999), millis(1_000)] {
        let options = SetOptions::new().with_keep_for(Some(keep));
        let items = [(Key::name("k"), Entry::new(SystemClock.now(), "v".into()))];
        memcached.set_many(&items, &options).await.unwrap();
        if server.ask("mg k s") != "EN" {
            assert!(left(&server, "k").is_some_and(|left| left <= 3), "{keep:?}");
        }
    }
}

/// A region's values outlive their freshness on the server: there is something stale to serve.
#[tokio::test]
async fn what_a_region_calls_expired_is_still_there() {
    let (server, memcached) = open().await;
    let cache = region(&memcached).expires_after(millis(20));
    cache.set("k", &1_u32).await.unwrap();
    assert!(left(&server, "k").is_none_or(|left| left > 60), "longer than 20 ms by far");
    tokio::time::sleep(millis(30)).await;
    let entry = memcached.get(Key::name("k")).await.unwrap();
    assert!(entry.is_some(), "expired, and there");
    assert_eq!(cache.get_or_create("k", || made(2)).await.unwrap(), 2);
}

/// A lease on a value that is to be kept for a year does not shorten it, nor does a release.
#[tokio::test]
async fn leases_leave_long_lives_long() {
    let (server, memcached) = open().await;
    let year = SetOptions::new().with_keep_for(Some(Duration::from_secs(365 * DAY)));
    let stale = |memcached: &Memcached| {
        let memcached = memcached.clone();
        async move {
            let now = SystemClock.now();
            let policy = Policy::new().with_stale_before(now).at(now);
            let ask = Ask::new(Key::name("k"), policy, millis(1_000));
            memcached.get_or_lease(&ask).await.unwrap()
        }
    };
    let old = Entry::new(SystemClock.now().minus(millis(1_000)), "old".into());
    memcached.set_many(&[(Key::name("k"), old)], &year).await.unwrap();
    let Answer::Create { lease, stale: Some(entry) } = stale(&memcached).await else {
        panic!("it is stale, and nobody creates")
    };
    assert_eq!(entry.value, "old");
    let new = Entry::new(SystemClock.now(), "new".into());
    assert_eq!(memcached.fill(Key::name("k"), lease, new, &year).await.unwrap(), Held::Kept);
    assert!(left(&server, "k").unwrap() > 364 * DAY);
}

/// How long values are to be kept whose turns are taken and given up; the last is for ever.
const KEPT: [Option<u64>; 7] =
    [Some(10), Some(100), Some(3_500), Some(7_200), Some(10 * DAY), Some(40 * DAY), None];

/// Stores an old value, to be kept so long.
async fn put_old(memcached: &Memcached, name: &str, kept: Option<u64>) {
    let options = SetOptions::new().with_keep_for(kept.map(Duration::from_secs));
    let old = Entry::new(SystemClock.now().minus(millis(60_000)), "old".into());
    memcached.set_many(&[(Key::name(name), old)], &options).await.unwrap();
}

async fn stale_turn(memcached: &Memcached, name: &str) -> Lease {
    let now = SystemClock.now();
    let policy = Policy::new().with_stale_before(now.minus(millis(1_000))).at(now);
    let ask = Ask::new(Key::name(name), policy, millis(30_000));
    match memcached.get_or_lease(&ask).await.unwrap() {
        Answer::Create { lease, stale: Some(_) } => lease,
        other => panic!("it is stale, and nobody creates: {other:?}"),
    }
}

/// The time that an item has left is what it was to be kept for, less what has passed.
#[track_caller]
fn is_kept(server: &Server, name: &str, kept: Option<u64>, what: &str) {
    let left = left(server, name);
    match (left, kept) {
        (None, None) => {}
        (Some(left), Some(kept)) => {
            assert!(
                (kept.saturating_sub(3)..=kept + 1).contains(&left),
                "{what}: {left} of {kept}"
            );
        }
        _ => panic!("{what}: {left:?} of {kept:?}"),
    }
}

#[tokio::test]
async fn a_turn_that_is_given_up_leaves_a_value_its_time() {
    let (server, memcached) = open().await;
    for kept in KEPT {
        put_old(&memcached, "k", kept).await;
        let before = server.wire().get("k");
        for round in 0..2 {
            let lease = stale_turn(&memcached, "k").await;
            if round == 1 {
                let extended = memcached.extend(Key::name("k"), lease, millis(60_000)).await;
                assert_eq!(extended.unwrap(), Held::Kept);
            }
            assert_eq!(memcached.release(Key::name("k"), lease).await.unwrap(), Held::Kept);
            is_kept(&server, "k", kept, "released");
            assert_eq!(server.wire().get("k"), before);
            assert_eq!(memcached.release(Key::name("k"), lease).await.unwrap(), Held::Lost);
        }
    }
}

#[tokio::test]
async fn a_fill_that_is_refused_leaves_a_value_its_time() {
    let (server, memcached) = open().await;
    for kept in KEPT {
        put_old(&memcached, "k", kept).await;
        let lease = stale_turn(&memcached, "k").await;
        let large = Entry::new(SystemClock.now(), vec![b'x'; 2 << 20].into());
        let refused = memcached.fill(Key::name("k"), lease, large, &SetOptions::new()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
        is_kept(&server, "k", kept, "refused");
        assert!(!memcached.is_leased(Key::name("k")).await.unwrap());
    }
}

/// A value that was to be gone by now does not come back with its turn.
#[tokio::test]
async fn a_turn_that_outlasted_its_value_is_given_up_with_it() {
    let (server, memcached) = open().await;
    server.wire().set("other", "x");
    put_old(&memcached, "k", Some(1)).await;
    let lease = stale_turn(&memcached, "k").await;
    tokio::time::sleep(millis(2_200)).await;
    assert!(memcached.get(Key::name("k")).await.unwrap().is_some(), "as long as it is created");
    assert_eq!(memcached.release(Key::name("k"), lease).await.unwrap(), Held::Kept);
    assert_eq!(memcached.get(Key::name("k")).await.unwrap(), None);
}

/// What was marked stale stays so until somebody has created it, and for no longer than before.
#[tokio::test]
async fn a_mark_lengthens_no_life_and_outlives_a_creation_that_failed() {
    let (server, memcached) = open().await;
    for kept in KEPT {
        let options = SetOptions::new().with_keep_for(kept.map(Duration::from_secs));
        let fresh = Entry::new(SystemClock.now(), "fresh".into());
        memcached.set_many(&[(Key::name("k"), fresh)], &options).await.unwrap();
        memcached.mark_stale(&[Key::name("k"), Key::name("absent")]).await.unwrap();
        let marked = kept.map_or(3_600, |kept| kept.min(3_600));
        for _ in 0..2 {
            let ask = Ask::new(Key::name("k"), Policy::new().at(SystemClock.now()), millis(30_000));
            let answer = memcached.get_or_lease(&ask).await.unwrap();
            let Answer::Create { lease, stale: Some(_) } = answer else { panic!("{answer:?}") };
            assert_eq!(memcached.release(Key::name("k"), lease).await.unwrap(), Held::Kept);
            let line = server.ask("me k");
            let left: i64 =
                line.split("exp=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
            // Some versions count it from the other side.
            let left = left.unsigned_abs();
            assert!((marked.saturating_sub(3)..=marked + 1).contains(&left), "{left} of {marked}");
        }
    }
}

/// Who lost the turn and does not know it yet leaves the value of another alone, also if it gives up in
/// the middle of finding out.
#[tokio::test]
async fn a_heartbeat_without_a_turn_leaves_a_value_its_time() {
    let (server, memcached) = open().await;
    for (nth, kept) in KEPT.into_iter().enumerate() {
        for polls in [1, 2, 3, 4, 5, 100] {
            let name = format!("k{nth}:{polls}");
            put_old(&memcached, &name, None).await;
            let lease = stale_turn(&memcached, &name).await;
            put_old(&memcached, &name, kept).await;
            let extended = memcached.extend(Key::name(&name), lease, millis(30_000));
            let extended = poll_then_drop(extended, polls).await;
            assert!(extended.is_none_or(|extended| extended.unwrap() == Held::Lost));
            is_kept(&server, &name, kept, "another's");
        }
    }
}
