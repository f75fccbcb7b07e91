//! Many keys at once are single-flight too.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile_core::{
    BackendExt, Error, ErrorKind, Key, LeaseBackend, Policy, ReadThrough, Request, ServedBy,
};
use dogpile_lock::{Dogpile, LocalLock, Paired};
use support::{Map, clock, expired, made, old, request};

fn names(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("k{n:02}")).collect()
}

fn keys(names: &[String]) -> Vec<Key<'_>> {
    names.iter().map(Key::name).collect()
}

#[tokio::test]
async fn order_duplicates_holes_and_one_call() {
    let (map, clock) = (Map::default(), clock());
    map.set(Key::name("k01"), old(1)).await.unwrap();
    let dogpile = Dogpile::local(map.clone());
    let names = names([3, 1, 2, 3, 1]);
    let calls = AtomicUsize::new(0);
    let request = request("", &clock);
    let served = dogpile
        .read_through_many(&keys(&names), &request, |wanted| {
            calls.fetch_add(1, Ordering::SeqCst);
            let made = wanted.iter().map(|at| made(names[*at][1..].parse().unwrap())).collect();
            async move { Ok(made) }
        })
        .await
        .unwrap();
    let values: Vec<_> = served.iter().map(|served| served.entry.value).collect();
    assert_eq!(values, [3, 1, 2, 3, 1]);
    assert_eq!(served[1].by, ServedBy::Hit);
    assert_eq!(served[0].by, ServedBy::Created);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(
        dogpile
            .read_through_many(&[], &request, |_| async { panic!("nothing is missing") })
            .await
            .unwrap()
            .is_empty()
    );
}

/// Rule 6: overlapping sets, taken in different orders, create each key once and never wait for each
/// other in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_sets_create_each_key_once() {
    overlapping(Dogpile::local(Map::default())).await;
    overlapping(Dogpile::with_lock(Map::default(), LocalLock::new())).await;
    overlapping(Dogpile::leased(Paired::new(Map::default(), LocalLock::new()))).await;
}

async fn overlapping<L: LeaseBackend<Value = u64> + 'static>(dogpile: Dogpile<L>) {
    let creations: Arc<Mutex<HashMap<u64, usize>>> = Arc::default();
    let tasks: Vec<_> = (0..40)
        .map(|task| {
            let (dogpile, creations) = (dogpile.clone(), Arc::clone(&creations));
            tokio::spawn(async move {
                let mut numbers: Vec<u64> = (0..10).map(|n| (task + n) % 30).collect();
                if task % 2 == 0 {
                    numbers.reverse();
                }
                let (names, clock) = (names(numbers.iter().copied()), clock());
                let create = |wanted: Vec<usize>| {
                    let wanted: Vec<u64> = wanted.into_iter().map(|at| numbers[at]).collect();
                    let creations = Arc::clone(&creations);
                    async move {
                        wanted
                            .iter()
                            .for_each(|n| *creations.lock().unwrap().entry(*n).or_default() += 1);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Ok(wanted.into_iter().map(made).collect())
                    }
                };
                let served = dogpile
                    .read_through_many(&keys(&names), &request("", &clock), create)
                    .await
                    .unwrap();
                let values: Vec<_> = served.into_iter().map(|served| served.entry.value).collect();
                assert_eq!(values, numbers);
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(10), task)
            .await
            .expect("nobody waits in a circle")
            .unwrap();
    }
    let creations = creations.lock().unwrap();
    assert_eq!(creations.len(), 30);
    assert!(creations.values().all(|count| *count == 1), "{creations:?}");
}

#[tokio::test]
async fn stale_values_are_served_while_somebody_creates() {
    let map = Map::default();
    for name in names(0..4) {
        map.set(Key::name(&name), old(1)).await.unwrap();
    }
    let (dogpile, clock) = (Dogpile::local(map), clock());
    let (go, gate) = tokio::sync::oneshot::channel::<()>();
    let one = expired("k02", &clock);
    let creator = dogpile.read_through(&one, || async {
        gate.await.unwrap();
        Ok(made(2))
    });
    let many = async {
        let (names, request) = (names(0..4), expired("", &clock));
        let create =
            |wanted: Vec<usize>| async move { Ok(wanted.into_iter().map(|_| made(3)).collect()) };
        let served = dogpile.read_through_many(&keys(&names), &request, create).await.unwrap();
        go.send(()).unwrap();
        served.into_iter().map(|served| (served.entry.value, served.by)).collect::<Vec<_>>()
    };
    let (_, served) = tokio::join!(creator, many);
    let created = (3, ServedBy::Created);
    assert_eq!(served, [created, created, (1, ServedBy::Stale), created]);
}

#[tokio::test]
async fn a_leader_that_gives_up_leaves_its_keys_to_the_others() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let request = request("", &clock);
    let (first, second) = (names([1, 2]), names([2, 3]));
    let (first_keys, second_keys) = (keys(&first), keys(&second));
    let leader = dogpile.read_through_many(&first_keys, &request, |_| std::future::pending());
    let calls = Mutex::new(Vec::new());
    let follower = dogpile.read_through_many(&second_keys, &request, |wanted| {
        calls.lock().unwrap().push(wanted.clone());
        async move { Ok(wanted.into_iter().map(|at| made(at as u64)).collect()) }
    });
    let mut follower = Box::pin(follower);
    tokio::select! {
        biased;
        _ = leader => unreachable!("it never ends"),
        _ = &mut follower => unreachable!("it waits for the leader's key"),
        () = tokio::time::sleep(Duration::from_millis(20)) => {}
    }
    let values: Vec<_> =
        follower.await.unwrap().into_iter().map(|served| served.entry.value).collect();
    assert_eq!(values, [0, 1]);
    assert_eq!(*calls.lock().unwrap(), [vec![1], vec![0]]);
}

#[tokio::test]
async fn a_miscounted_creation_is_an_error() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let (names, request) = (names(0..3), request("", &clock));
    for count in [0, 2, 4] {
        let create = |_| async move { Ok((0..count).map(made).collect()) };
        let error = dogpile.read_through_many(&keys(&names), &request, create).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Creation);
        assert!(
            error.to_string().contains(&format!("asked for 3 values and made {count}")),
            "{error}"
        );
    }
    let failing = |_| async { Err(Error::from_creator("down")) };
    let error = dogpile.read_through_many(&keys(&names), &request, failing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Creation);
}

#[tokio::test]
async fn a_creator_of_many_that_asks_for_one_of_them_is_told_so() {
    let (dogpile, clock) = (Dogpile::local(Map::default()), clock());
    let (names, any) = (names(0..3), Request::new(Key::name(""), Policy::new(), &clock));
    let create = |wanted: Vec<usize>| {
        let (dogpile, one) = (dogpile.clone(), request("k01", &clock));
        async move {
            let error = dogpile.read_through(&one, || async { Ok(made(9)) }).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Reentrant);
            Ok(wanted.into_iter().map(|at| made(at as u64)).collect())
        }
    };
    assert_eq!(dogpile.read_through_many(&keys(&names), &any, create).await.unwrap().len(), 3);
}
