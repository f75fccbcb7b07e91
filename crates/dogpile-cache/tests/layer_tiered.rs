//! Two tiers: what is asked where, and what either may do wrong.

#![cfg(feature = "msgpack")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::backend::MemoryBytes;
use dogpile_cache::codec::MsgPack;
use dogpile_cache::layer::Tiered;
use dogpile_cache::{Error, Region};
use dogpile_conformance::{Faulty, ManualClock, poll_then_drop};
use dogpile_core::{
    Answer, Ask, Backend, BackendExt, Clock, Entry, ErrorKind, Held, Key, LeaseBackend, Policy,
    Result, SetOptions, Timestamp,
};
use dogpile_lock::{Dogpile, LocalLock, Paired};
use tokio::sync::Semaphore;

type Store = Faulty<MemoryBytes>;
type Leasing = Faulty<Paired<MemoryBytes, LocalLock>>;

const NEAR_FOR: Duration = Duration::from_secs(10);

struct Tiers<F> {
    clock: ManualClock,
    near: Store,
    far: F,
    tiers: Tiered<Store, F>,
}

fn store() -> MemoryBytes {
    MemoryBytes::new(1 << 20)
}

fn tiers<F: Clone>(far: F) -> Tiers<F> {
    let (clock, near) = (ManualClock::new(), Faulty::new(store()));
    let tiers =
        Tiered::new(near.clone(), far.clone(), NEAR_FOR).with_clock(Arc::new(clock.clone()));
    Tiers { clock, near, far, tiers }
}

fn plain() -> Tiers<Store> {
    tiers(Faulty::new(store()))
}

fn leasing() -> Tiers<Leasing> {
    tiers(Faulty::new(Paired::new(store(), LocalLock::new())))
}

impl<F> Tiers<F> {
    fn entry(&self, value: &'static str) -> Entry<Bytes> {
        Entry::new(self.clock.now(), Bytes::from_static(value.as_bytes()))
            .with_version(3)
            .with_expires(self.clock.now().plus(Duration::from_secs(3600)))
    }

    fn ask<'k>(&self, key: Key<'k>, fresh_for: Duration) -> Ask<'k> {
        let policy = Policy::new().with_fresh_for(Some(fresh_for));
        Ask::new(key, policy.at(self.clock.now()), Duration::from_secs(5))
    }
}

#[test]
fn the_far_tier_is_asked_once_in_near_for() {
    dogpile_conformance::run(async {
        let t = plain();
        let (key, entry) = (Key::field("g", "k"), t.entry("value"));
        t.far.set(key, entry.clone()).await.unwrap();
        for _ in 0..3 {
            assert_eq!(t.tiers.get(key).await.unwrap(), Some(entry.clone()));
        }
        t.clock.advance(NEAR_FOR - Duration::from_millis(1));
        assert_eq!(t.tiers.get(key).await.unwrap(), Some(entry.clone()));
        assert_eq!(t.far.calls("get"), 1);
        t.clock.advance(Duration::from_millis(1));
        assert_eq!(t.tiers.get(key).await.unwrap(), Some(entry));
        assert_eq!(t.far.calls("get"), 2);
    });
}

#[test]
fn what_another_process_does_shows_after_near_for() {
    dogpile_conformance::run(async {
        let t = plain();
        let key = Key::name("k");
        t.tiers.set(key, t.entry("old")).await.unwrap();
        t.far.set(key, t.entry("new")).await.unwrap();
        assert_eq!(t.tiers.get(key).await.unwrap().unwrap().value, "old");
        t.clock.advance(NEAR_FOR);
        assert_eq!(t.tiers.get(key).await.unwrap().unwrap().value, "new");
        t.far.delete(key).await.unwrap();
        t.clock.advance(NEAR_FOR);
        assert_eq!(t.tiers.get(key).await.unwrap(), None);
    });
}

#[test]
fn many_keys_ask_the_far_tier_only_for_what_is_not_near() {
    dogpile_conformance::run(async {
        let t = plain();
        let keys = ["a", "b", "c"].map(Key::name);
        for key in keys {
            t.far.set(key, t.entry("value")).await.unwrap();
        }
        let whole = vec![Some(t.entry("value")); 3];
        assert!(t.tiers.get(keys[1]).await.unwrap().is_some());
        assert_eq!(t.tiers.get_many(&keys).await.unwrap(), whole);
        assert_eq!(t.far.calls("get_many"), 1);
        assert_eq!(t.tiers.get_many(&keys).await.unwrap(), whole);
        assert_eq!(t.far.calls("get_many"), 1);

        t.tiers.delete(keys[0]).await.unwrap();
        let found = t.tiers.get_many(&[keys[2], keys[0], keys[2]]).await.unwrap();
        assert_eq!(found, [Some(t.entry("value")), None, Some(t.entry("value"))]);
    });
}

#[test]
fn what_was_written_is_near_at_once() {
    dogpile_conformance::run(async {
        let t = plain();
        let key = Key::name("k");
        t.tiers.set(key, t.entry("old")).await.unwrap();
        t.tiers.set(key, t.entry("new")).await.unwrap();
        assert_eq!(t.tiers.get(key).await.unwrap(), Some(t.entry("new")));
        assert_eq!(t.far.calls("get"), 0);
    });
}

#[test]
fn a_near_tier_that_is_down_hides_nothing() {
    dogpile_conformance::run(async {
        let t = plain();
        let key = Key::name("k");
        t.near.fail_all(true);
        t.tiers.set(key, t.entry("value")).await.unwrap();
        assert_eq!(t.tiers.get(key).await.unwrap(), Some(t.entry("value")));
        assert_eq!(t.tiers.get_many(&[key]).await.unwrap(), [Some(t.entry("value"))]);
        t.tiers.delete(key).await.unwrap();
        assert_eq!(t.tiers.get(key).await.unwrap(), None);
        t.tiers.delete_group(b"g").await.unwrap();
    });
}

#[test]
fn a_near_tier_that_missed_a_write_does_not_bring_the_old_value_back() {
    dogpile_conformance::run(async {
        let t = plain();
        let (changed, deleted, field) = (Key::name("a"), Key::name("b"), Key::field("g", "c"));
        for key in [changed, deleted, field] {
            t.tiers.set(key, t.entry("old")).await.unwrap();
        }
        t.near.fail_all(true);
        t.tiers.set(changed, t.entry("new")).await.unwrap();
        t.tiers.delete(deleted).await.unwrap();
        t.tiers.delete_group(b"g").await.unwrap();
        t.near.fail_all(false);
        assert_eq!(t.tiers.get(changed).await.unwrap().unwrap().value, "new");
        assert_eq!(t.tiers.get(deleted).await.unwrap(), None);
        assert_eq!(t.tiers.get(field).await.unwrap(), None);
    });
}

#[test]
fn a_far_tier_that_is_down_is_an_error_unless_the_answer_is_near() {
    dogpile_conformance::run(async {
        let t = plain();
        let (near, absent) = (Key::name("near"), Key::name("absent"));
        t.tiers.set(near, t.entry("value")).await.unwrap();
        t.far.fail_all(true);
        assert_eq!(t.tiers.get(near).await.unwrap(), Some(t.entry("value")));
        let error = t.tiers.get(absent).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(t.tiers.get_many(&[near, absent]).await.is_err());

        // Nobody knows whether it was written.
        assert!(t.tiers.set(near, t.entry("new")).await.is_err());
        t.far.fail_all(false);
        assert_eq!(t.tiers.get(near).await.unwrap().unwrap().value, "value");
        assert_eq!(t.far.calls("get"), 2);
    });
}

#[test]
fn a_write_that_is_dropped_half_way_forgets_the_near_value() {
    dogpile_conformance::run(async {
        let t = plain();
        let key = Key::name("k");
        t.tiers.set(key, t.entry("old")).await.unwrap();
        t.far.delay(Duration::from_millis(1));
        let new = [(key, t.entry("new"))];
        let options = SetOptions::new();
        poll_then_drop(t.tiers.set_many(&new, &options), 1).await;
        t.far.delay(Duration::ZERO);
        // As if the far tier had got it before the caller gave up.
        t.far.set(key, t.entry("new")).await.unwrap();
        assert_eq!(t.tiers.get(key).await.unwrap().unwrap().value, "new");
    });
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_immortal() {
    dogpile_conformance::run(async {
        let t = plain();
        let key = Key::name("k");
        t.tiers.set(key, t.entry("old").with_expires(Timestamp::MAX)).await.unwrap();
        t.clock.set(t.clock.now().minus(Duration::from_secs(3600)));
        t.far.set(key, t.entry("new")).await.unwrap();
        assert_eq!(t.tiers.get(key).await.unwrap().unwrap().value, "new");
    });
}

#[test]
fn what_the_near_tier_held_before_is_not_used() {
    dogpile_conformance::run(async {
        let (near, far) = (store(), store());
        let key = Key::name("k");
        let entry =
            |value: &'static str| Entry::new(Timestamp::MIN, Bytes::from_static(value.as_bytes()));
        let first = Tiered::new(near.clone(), far.clone(), NEAR_FOR);
        first.set(key, entry("old")).await.unwrap();
        far.set(key, entry("new")).await.unwrap();
        let second = Tiered::new(near.clone(), far.clone(), NEAR_FOR);
        assert_eq!(second.get(key).await.unwrap().unwrap().value, "new");
        for foreign in [&b""[..], b"short", &[0; 16], &[0xff; 40]] {
            near.set(key, Entry::new(Timestamp::MIN, Bytes::copy_from_slice(foreign)))
                .await
                .unwrap();
            assert_eq!(second.get(key).await.unwrap().unwrap().value, "new");
        }
    });
}

#[test]
fn plain_reads_ask_the_far_tier_for_what_the_policy_calls_stale() {
    dogpile_conformance::run(async {
        let t = plain();
        let policy = Policy::new().with_fresh_for(Some(Duration::from_secs(1)));
        let tiers = t.tiers.with_policy(policy);
        let key = Key::name("k");
        tiers.set(key, entry_at(&t.clock, "old")).await.unwrap();
        t.clock.advance(Duration::from_secs(2));
        t.far.set(key, entry_at(&t.clock, "new")).await.unwrap();
        assert_eq!(tiers.get(key).await.unwrap().unwrap().value, "new");
    });
}

fn entry_at(clock: &ManualClock, value: &'static str) -> Entry<Bytes> {
    Entry::new(clock.now(), Bytes::from_static(value.as_bytes()))
}

#[test]
fn leases_are_the_far_tiers_and_fresh_answers_the_near_ones() {
    dogpile_conformance::run(async {
        let t = leasing();
        let key = Key::name("k");
        let minute = Duration::from_secs(60);
        let lease = match t.tiers.get_or_lease(&t.ask(key, minute)).await.unwrap() {
            Answer::Create { lease, stale: None } => lease,
            other => panic!("{other:?}"),
        };
        let filled = t.tiers.fill(key, lease, t.entry("value"), &SetOptions::new()).await.unwrap();
        assert_eq!(filled, Held::Kept);
        let asked = t.far.calls("get_or_lease");
        let answer = t.tiers.get_or_lease(&t.ask(key, minute)).await.unwrap();
        assert_eq!(answer, Answer::Fresh(t.entry("value")));
        assert_eq!(t.far.calls("get_or_lease"), asked);

        // Near but stale: the far tier has to say who creates.
        t.clock.advance(Duration::from_secs(5));
        let answer = t.tiers.get_or_lease(&t.ask(key, Duration::from_secs(1))).await.unwrap();
        assert!(matches!(answer, Answer::Create { stale: Some(_), .. }), "{answer:?}");
    });
}

#[test]
fn a_lost_fill_is_not_near() {
    dogpile_conformance::run(async {
        let t = leasing();
        let key = Key::name("k");
        let minute = Duration::from_secs(60);
        let Answer::Create { lease, .. } = t.tiers.get_or_lease(&t.ask(key, minute)).await.unwrap()
        else {
            panic!("nobody else is creating");
        };
        t.tiers.delete(key).await.unwrap();
        let filled = t.tiers.fill(key, lease, t.entry("late"), &SetOptions::new()).await.unwrap();
        assert_eq!(filled, Held::Lost);
        assert_eq!(t.tiers.get(key).await.unwrap(), None);
        let many = t.tiers.fill_many(&[(key, lease, t.entry("late"))], &SetOptions::new()).await;
        assert_eq!(many.unwrap(), [Held::Lost]);
        assert_eq!(t.tiers.get(key).await.unwrap(), None);
    });
}

#[test]
fn many_leases_ask_the_far_tier_only_for_what_is_not_near() {
    dogpile_conformance::run(async {
        let t = leasing();
        let keys = ["a", "b", "c"].map(Key::name);
        t.tiers.set(keys[1], t.entry("near")).await.unwrap();
        t.far.set(keys[2], t.entry("far")).await.unwrap();
        let asks = keys.map(|key| t.ask(key, Duration::from_secs(60)));
        let answers = t.tiers.get_or_lease_many(&asks).await.unwrap();
        assert!(matches!(answers[0], Answer::Create { .. }));
        assert_eq!(answers[1..], [Answer::Fresh(t.entry("near")), Answer::Fresh(t.entry("far"))]);
        t.far.fail_all(true);
        let answers = t.tiers.get_or_lease_many(&asks[1..]).await.unwrap();
        assert_eq!(answers, [Answer::Fresh(t.entry("near")), Answer::Fresh(t.entry("far"))]);
    });
}

/// A store whose answer to the first write comes late: the write itself is done.
#[derive(Debug)]
struct Late {
    store: MemoryBytes,
    answers: Semaphore,
}

impl Backend for Late {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        self.store.get(key).await
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        self.store.get_many(keys).await
    }

    async fn set_many(&self, items: &[(Key<'_>, Entry<Bytes>)], o: &SetOptions) -> Result<()> {
        self.store.set_many(items, o).await?;
        if items[0].1.value == "first" {
            self.answers.acquire().await.unwrap().forget();
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.store.delete_many(keys).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.store.delete_group(group).await
    }
}

#[test]
fn of_two_writes_at_once_the_far_tiers_last_is_near() {
    dogpile_conformance::run(async {
        let far = Arc::new(Late { store: store(), answers: Semaphore::new(0) });
        let tiers = Tiered::new(store(), Arc::clone(&far), NEAR_FOR);
        let key = Key::name("k");
        let entry = |value: &'static [u8]| Entry::new(Timestamp::MIN, Bytes::from_static(value));
        let mut first = Box::pin(tiers.set(key, entry(b"first")));
        assert!(poll_then_drop(&mut first, 1).await.is_none());
        tiers.set(key, entry(b"second")).await.unwrap();
        assert_eq!(tiers.get(key).await.unwrap().unwrap().value, "second");
        far.answers.add_permits(1);
        first.await.unwrap();
        assert_eq!(tiers.get(key).await.unwrap().unwrap().value, "second");
    });
}

/// Two processes, each with a near tier of its own, and what they share.
#[test]
fn processes_behind_tiers_create_once_between_them() {
    dogpile_conformance::run(async {
        let clock = ManualClock::new();
        let shared = Paired::new(store(), LocalLock::new());
        let process = || {
            let tiers = Tiered::new(store(), shared.clone(), NEAR_FOR);
            let tiers = tiers.with_clock(Arc::new(clock.clone()));
            Region::new(Dogpile::leased(tiers), MsgPack)
                .expires_after(Duration::from_secs(2))
                .with_clock(Arc::new(clock.clone()))
        };
        let (a, b) = (process(), process());
        let created = AtomicU32::new(0);
        let create = || async { Ok::<_, Error>(created.fetch_add(1, Ordering::Relaxed)) };
        for round in 0..3 {
            assert_eq!(a.get_or_create("k", create).await.unwrap(), round);
            assert_eq!(b.get_or_create("k", create).await.unwrap(), round);
            clock.advance(Duration::from_secs(3));
        }
    });
}

/// Readers and writers of a few keys at once: after every writer came back, what is near is what is
/// far.
#[test]
fn tiers_agree_after_any_race() {
    dogpile_conformance::run(async {
        for round in 0..50_u64 {
            let far = store();
            let tiers = Arc::new(Tiered::new(store(), far.clone(), Duration::from_secs(600)));
            let keys = ["a", "b"].map(Key::name);
            let mut tasks = tokio::task::JoinSet::new();
            for writer in 0..4_u64 {
                let tiers = Arc::clone(&tiers);
                tasks.spawn(async move {
                    for n in 0..20_u64 {
                        let key = keys[usize::from((n + writer + round).is_multiple_of(2))];
                        let value = Bytes::from(format!("{writer} {n}"));
                        match n % 7 {
                            6 => tiers.delete(key).await.unwrap(),
                            _ => tiers.set(key, Entry::new(Timestamp::MIN, value)).await.unwrap(),
                        }
                        tiers.get(key).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended.unwrap();
            }
            for key in keys {
                assert_eq!(tiers.get(key).await.unwrap(), far.get(key).await.unwrap());
            }
        }
    });
}
