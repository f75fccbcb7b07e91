//! How long servers keep what they are given.

use std::time::Duration;

use dogpile_core::{Answer, Ask, Backend, Held, LeaseBackend, Policy};
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
