//! Many backends as one: who keeps what, all at the same time, and what a shard that is down does.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::backend::MemoryBytes;
use dogpile_cache::layer::Sharded;
use dogpile_conformance::{Faulty, Subject};
use dogpile_core::{
    Answer, Ask, Backend, Entry, ErrorKind, Held, Key, KeyBuf, Lease, LeaseBackend, Locator,
    Policy, Result, SetOptions, Timestamp,
};
use dogpile_lock::{LocalLock, Paired};
use tokio::sync::Barrier;
use tokio::time::timeout;

/// By the sum of the bytes.
#[derive(Clone, Debug)]
struct BySum(usize);

impl Locator for BySum {
    fn node_count(&self) -> usize {
        self.0
    }

    fn locate(&self, key: &[u8]) -> Option<usize> {
        key.iter().map(|byte| usize::from(*byte)).sum::<usize>().checked_rem(self.0)
    }

    fn replicas(&self, key: &[u8], nodes: &mut [usize]) -> usize {
        let first = self.locate(key).unwrap_or_default();
        let all = (0..self.0).map(|next| (first + next) % self.0);
        nodes.iter_mut().zip(all).map(|(to, node)| *to = node).count()
    }
}

fn store() -> MemoryBytes {
    MemoryBytes::new(16 << 20)
}

fn leasing() -> Paired<MemoryBytes, LocalLock> {
    Paired::new(store(), LocalLock::new())
}

fn sharded<B>(make: fn() -> B) -> Sharded<BySum, B> {
    Sharded::new(BySum(3), (0..3).map(|_| make()).collect()).unwrap()
}

fn subject<B>(backend: B) -> Subject<B> {
    Subject::new(backend).with_advance(|_| {})
}

mod backend {
    use super::*;
    dogpile_conformance::backend_suite!(async { subject(sharded(store)) });
}

mod backend_of_one {
    use super::*;
    dogpile_conformance::backend_suite!(async {
        subject(Sharded::new(BySum(1), vec![store()]).unwrap())
    });
}

mod backend_of_leases {
    use super::*;
    dogpile_conformance::backend_suite!(async { subject(sharded(leasing)) });
}

mod leases {
    use super::*;
    dogpile_conformance::lease_suite!(async { Subject::new(sharded(leasing)) });
}

/// One key for each of three shards, and a second for the first.
const KEYS: [&str; 4] = ["a", "b", "c", "d"];

fn keys() -> Vec<Key<'static>> {
    KEYS.iter().map(|key| Key::name(*key)).collect()
}

fn items() -> Vec<(Key<'static>, Entry<Bytes>)> {
    keys().into_iter().map(|key| (key, Entry::new(Timestamp::MIN, "value".into()))).collect()
}

fn faulty() -> Sharded<BySum, Faulty<Paired<MemoryBytes, LocalLock>>> {
    sharded(|| Faulty::new(leasing()))
}

fn asks() -> Vec<Ask<'static>> {
    let freshness = Policy::default().at(Timestamp::from_millis(5));
    keys().into_iter().map(|key| Ask::new(key, freshness, Duration::from_secs(60))).collect()
}

#[test]
fn there_are_as_many_shards_as_nodes() {
    for shards in [0, 1, 3] {
        let wrong = Sharded::new(BySum(2), (0..shards).map(|_| store()).collect());
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn without_shards_nothing_can_be_kept() {
    let none = Sharded::new(BySum(0), Vec::<MemoryBytes>::new()).unwrap();
    let error = none.get(Key::name("key")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(none.get_many(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_is_kept_where_the_locator_says_and_many_are_one_call_each() {
    let sharded = faulty();
    sharded.set_many(&items(), &SetOptions::new()).await.unwrap();
    assert!(sharded.get_many(&keys()).await.unwrap().iter().all(Option::is_some));
    for key in keys() {
        let owner = sharded.shard_of(key).unwrap();
        for (number, shard) in sharded.shards().iter().enumerate() {
            let there = shard.inner().get(key).await.unwrap().is_some();
            assert_eq!(there, number == owner, "{key} on shard {number}");
        }
    }
    for shard in sharded.shards() {
        assert_eq!((shard.calls("set_many"), shard.calls("get_many")), (1, 1));
    }
    sharded.get_many(&[Key::name("a")]).await.unwrap();
    let calls: usize = sharded.shards().iter().map(|shard| shard.calls("get_many")).sum();
    assert_eq!(calls, 4);
}

#[tokio::test]
async fn a_group_is_spread_and_dropped_as_one() {
    let sharded = sharded(store);
    let fields: Vec<KeyBuf> =
        (0..30).map(|field| KeyBuf::from(Key::field("group", &format!("{field}")))).collect();
    let items: Vec<_> = fields
        .iter()
        .map(|key| (key.as_key(), Entry::new(Timestamp::MIN, Bytes::from("value"))))
        .collect();
    sharded.set_many(&items, &SetOptions::new()).await.unwrap();
    let keys: Vec<_> = fields.iter().map(KeyBuf::as_key).collect();
    for shard in sharded.shards() {
        let kept = shard.get_many(&keys).await.unwrap();
        assert!((1..30).contains(&kept.iter().flatten().count()));
    }
    sharded.delete_group(b"group").await.unwrap();
    assert!(sharded.get_many(&keys).await.unwrap().iter().all(Option::is_none));
}

#[tokio::test]
async fn a_shard_that_is_down_affects_only_its_own_keys() {
    let sharded = faulty();
    sharded.set_many(&items(), &SetOptions::new()).await.unwrap();
    let down = sharded.shard_of(Key::name("b")).unwrap();
    sharded.shards()[down].fail_all(true);

    for key in keys() {
        assert_eq!(sharded.get(key).await.is_err(), key == Key::name("b"));
    }
    let answers = sharded.get_many(&keys()).await.unwrap();
    let there: Vec<bool> = answers.iter().map(Option::is_some).collect();
    assert_eq!(there, [true, false, true, true]);
    let error = sharded.get_many(&[Key::name("b")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);

    let error = sharded.delete_many(&keys()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    sharded.shards()[down].fail_all(false);
    let left = sharded.get_many(&keys()).await.unwrap();
    assert_eq!(left.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, false]);

    sharded.shards()[down].fail_all(true);
    assert!(sharded.set_many(&items(), &SetOptions::new()).await.is_err());
    let written = sharded.get_many(&keys()).await.unwrap();
    assert_eq!(written.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, true]);
}

#[tokio::test]
async fn leases_of_a_shard_that_is_down_are_busy_and_the_others_are_granted() {
    let sharded = faulty();
    sharded.shards()[sharded.shard_of(Key::name("b")).unwrap()].fail_all(true);
    let answers = sharded.get_or_lease_many(&asks()).await.unwrap();
    let mut fills: Vec<(Key<'_>, Lease, Entry<Bytes>)> = Vec::new();
    for ((key, entry), answer) in items().into_iter().zip(&answers) {
        match answer {
            Answer::Create { lease, .. } => fills.push((key, *lease, entry)),
            Answer::Busy { stale: None } => assert_eq!(key, Key::name("b")),
            other => panic!("{key}: {other:?}"),
        }
    }
    assert_eq!(fills.len(), 3);
    let held = sharded.fill_many(&fills, &SetOptions::new()).await.unwrap();
    assert_eq!(held, [Held::Kept; 3]);
    assert!(sharded.get_or_lease_many(&asks()[1..2]).await.is_err());
}

#[tokio::test]
async fn what_is_worse_than_down_is_an_error_and_leaves_no_lease() {
    let sharded = faulty();
    let broken = &sharded.shards()[sharded.shard_of(Key::name("b")).unwrap()];
    broken.fail_method("get_or_lease_many", Some(ErrorKind::Refused));
    let error = sharded.get_or_lease_many(&asks()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    for key in keys() {
        assert!(!sharded.is_leased(key).await.unwrap(), "{key} is leased to nobody");
    }
}

/// Reads many only together with the other shards.
#[derive(Debug)]
struct Together(Arc<Barrier>, MemoryBytes);

impl Backend for Together {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        self.1.get(key).await
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        self.0.wait().await;
        self.1.get_many(keys).await
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        self.0.wait().await;
        self.1.set_many(items, options).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.0.wait().await;
        self.1.delete_many(keys).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.0.wait().await;
        self.1.delete_group(group).await
    }
}

#[tokio::test]
async fn the_shards_are_asked_at_the_same_time() {
    let barrier = Arc::new(Barrier::new(3));
    let shards = (0..3).map(|_| Together(barrier.clone(), store())).collect();
    let sharded = Arc::new(Sharded::new(BySum(3), shards).unwrap());
    // On another task, so that the futures are shown to be `Send`.
    let all = tokio::spawn(async move {
        sharded.set_many(&items(), &SetOptions::new()).await.unwrap();
        assert!(sharded.get_many(&keys()).await.unwrap().iter().all(Option::is_some));
        sharded.delete_many(&keys()).await.unwrap();
        sharded.delete_group(b"group").await.unwrap();
    });
    timeout(Duration::from_secs(20), all).await.unwrap().unwrap();
}
