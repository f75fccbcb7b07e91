//! What every layer that maps keys and values does, whichever it is.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::Region;
use dogpile_cache::backend::MemoryBytes;
use dogpile_cache::codec::Typed;
use dogpile_cache::layer::{LayerExt, Layered, MapKey, Prefix, Transform};
use dogpile_conformance::Faulty;
use dogpile_core::{
    Answer, Ask, Backend, BackendExt, Clock, Entry, Error, ErrorKind, Held, Key, KeyBuf,
    LeaseBackend, Lock, Policy, Result, SetOptions, SystemClock,
};
use dogpile_lock::{Dogpile, LocalLock, Paired};

/// Puts a mark behind each value, refuses to store `unspeakable`, and cannot map the key `bad`.
#[derive(Clone, Debug)]
struct Marked;

impl MapKey for Marked {
    fn key(&self, key: Key<'_>) -> Result<Option<KeyBuf>> {
        match key.as_bytes() {
            b"bad" => Err(Error::new(ErrorKind::Refused, "a bad key")),
            name => {
                Ok(Some(Key::name(&[key.group().unwrap_or_default(), b"/", name].concat()).into()))
            }
        }
    }
}

impl Transform<Bytes> for Marked {
    type Value = String;

    fn encode(&self, key: Key<'_>, value: &String) -> Result<Bytes> {
        match value.as_str() {
            "unspeakable" => Err(Error::new(ErrorKind::Encode, "it cannot be said")),
            value => Ok(format!("{value}!{key}").into()),
        }
    }

    fn decode(&self, key: Key<'_>, value: Bytes) -> Result<String> {
        let marked = std::str::from_utf8(&value).ok();
        let value = marked.and_then(|marked| marked.strip_suffix(&format!("!{key}")));
        value.map(str::to_owned).ok_or_else(|| Error::new(ErrorKind::Corrupt, "it is not marked"))
    }
}

type Leasing = Faulty<Paired<MemoryBytes, LocalLock>>;

fn store() -> MemoryBytes {
    MemoryBytes::new(1 << 20)
}

fn leasing() -> Layered<Leasing, Marked> {
    Faulty::new(Paired::new(store(), LocalLock::new())).layer(Marked)
}

fn entry<V>(value: impl Into<V>) -> Entry<V> {
    Entry::new(SystemClock.now(), value.into()).with_version(4)
}

fn ask(key: Key<'_>) -> Ask<'_> {
    let policy = Policy::new().with_fresh_for(Some(Duration::from_secs(60)));
    Ask::new(key, policy.at(SystemClock.now()), Duration::from_secs(60))
}

#[test]
fn prefixes_keep_namespaces_apart() {
    dogpile_conformance::run(async {
        let shared = store();
        let a = shared.clone().layer(Prefix::new("a:"));
        let b = shared.clone().layer(Prefix::new("b:"));
        for key in [Key::name("k"), Key::field("g", "k")] {
            a.set(key, entry("of a")).await.unwrap();
            assert_eq!(b.get(key).await.unwrap(), None);
            b.set(key, entry("of b")).await.unwrap();
            assert_eq!(a.get(key).await.unwrap().unwrap().value, "of a");
        }
        assert!(shared.get(Key::name("a:k")).await.unwrap().is_some());
        assert!(shared.get(Key::field("a:g", "k")).await.unwrap().is_some());

        a.delete_group(b"g").await.unwrap();
        assert_eq!(a.get(Key::field("g", "k")).await.unwrap(), None);
        assert!(b.get(Key::field("g", "k")).await.unwrap().is_some());
        a.delete(Key::name("k")).await.unwrap();
        assert!(b.get(Key::name("k")).await.unwrap().is_some());
    });
}

#[test]
fn layers_stand_in_the_order_they_are_put() {
    dogpile_conformance::run(async {
        let shared = store();
        let layered = shared.clone().layer(Prefix::new("inner:")).layer(Prefix::new("outer:"));
        layered.set(Key::name("k"), entry("value")).await.unwrap();
        assert!(shared.get(Key::name("inner:outer:k")).await.unwrap().is_some());
    });
}

#[test]
fn a_prefixed_lock_locks_apart() {
    dogpile_conformance::run(async {
        let shared = LocalLock::new();
        let a = Layered::new(shared.clone(), Prefix::new("a:"));
        let b = Layered::new(shared.clone(), Prefix::new("b:"));
        let second = Duration::from_secs(1);
        assert!(a.try_lock(Key::name("k"), second).await.unwrap().is_some());
        assert!(a.try_lock(Key::name("k"), second).await.unwrap().is_none());
        assert!(b.try_lock(Key::name("k"), second).await.unwrap().is_some());
        assert!(shared.is_locked(Key::name("a:k")).await.unwrap());
    });
}

#[test]
fn the_type_of_values_may_change() {
    dogpile_conformance::run(async {
        let layered = store().layer(Marked);
        layered.set(Key::name("k"), entry("value")).await.unwrap();
        let below = layered.inner().get(Key::name("/k")).await.unwrap().unwrap();
        assert_eq!((&below.value[..], below.version), (&b"value!k"[..], 4));
        assert_eq!(layered.get(Key::name("k")).await.unwrap().unwrap().value, "value");
    });
}

#[test]
fn a_key_that_cannot_be_mapped_is_refused_before_anything_is_done() {
    dogpile_conformance::run(async {
        let layered = leasing();
        let (good, bad) = (Key::name("good"), Key::name("bad"));
        let items = [(good, entry("value")), (bad, entry("value"))];
        let refused = [
            layered.get(bad).await.map(drop),
            layered.get_many(&[good, bad]).await.map(drop),
            layered.set_many(&items, &SetOptions::new()).await,
            layered.delete_many(&[good, bad]).await,
            layered.get_or_lease(&ask(bad)).await.map(drop),
            layered.get_or_lease_many(&[ask(good), ask(bad)]).await.map(drop),
            layered.is_leased(bad).await.map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
        }
        assert_eq!(layered.inner().all_calls(), 0);
        LeaseBackend::abandon(&layered, bad, dogpile_core::Lease::new(1));
        LeaseBackend::wait(&layered, bad, Duration::from_secs(60)).await;
    });
}

#[test]
fn groups_that_the_layer_dissolves_cannot_be_deleted() {
    dogpile_conformance::run(async {
        let error = leasing().delete_group(b"g").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    });
}

#[test]
fn whoever_asks_for_a_damaged_entry_may_create_the_next() {
    dogpile_conformance::run(async {
        let layered = leasing();
        let (key, below) = (Key::name("k"), Key::name("/k"));
        layered.inner().set(below, entry("not marked")).await.unwrap();
        assert_eq!(layered.get(key).await.unwrap_err().kind(), ErrorKind::Corrupt);
        let answer = layered.get_or_lease(&ask(key)).await.unwrap();
        let Answer::Create { lease, stale: None } = answer else { panic!("{answer:?}") };
        let busy = layered.get_or_lease(&ask(key)).await.unwrap();
        assert_eq!(busy, Answer::Busy { stale: None });
        let filled = layered.fill(key, lease, entry("good"), &SetOptions::new()).await.unwrap();
        assert_eq!(filled, Held::Kept);
        assert!(matches!(layered.get_or_lease(&ask(key)).await.unwrap(), Answer::Fresh(_)));
    });
}

#[test]
fn of_many_the_damaged_are_to_be_created_and_the_good_are_fresh() {
    dogpile_conformance::run(async {
        let layered = leasing();
        layered.inner().set(Key::name("/damaged"), entry("not marked")).await.unwrap();
        layered.set(Key::name("good"), entry("value")).await.unwrap();
        let asks = [ask(Key::name("damaged")), ask(Key::name("good")), ask(Key::name("missing"))];
        let answers = layered.get_or_lease_many(&asks).await.unwrap();
        assert!(matches!(&answers[0], Answer::Create { stale: None, .. }), "{answers:?}");
        assert!(matches!(&answers[1], Answer::Fresh(entry) if entry.value == "value"));
        assert!(matches!(&answers[2], Answer::Create { stale: None, .. }));
    });
}

#[test]
fn a_stale_entry_that_is_damaged_is_not_served() {
    dogpile_conformance::run(async {
        let layered = leasing();
        let mut old = entry("not marked");
        old.created = old.created.minus(Duration::from_secs(600));
        layered.inner().set(Key::name("/k"), old).await.unwrap();
        let answer = layered.get_or_lease(&ask(Key::name("k"))).await.unwrap();
        assert!(matches!(answer, Answer::Create { stale: None, .. }), "{answer:?}");
    });
}

#[test]
fn a_value_that_cannot_be_encoded_ends_the_lease() {
    dogpile_conformance::run(async {
        let layered = leasing();
        let keys = ["a", "b", "c"].map(Key::name);
        let mut leases = Vec::new();
        for answer in layered.get_or_lease_many(&keys.map(ask)).await.unwrap() {
            let Answer::Create { lease, .. } = answer else { panic!("{answer:?}") };
            leases.push(lease);
        }
        let options = SetOptions::new();
        let error = layered.fill(keys[0], leases[0], entry("unspeakable"), &options).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Encode);
        let fills =
            [(keys[1], leases[1], entry("value")), (keys[2], leases[2], entry("unspeakable"))];
        let error = layered.fill_many(&fills, &options).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Encode);
        for key in keys {
            assert!(!layered.is_leased(key).await.unwrap(), "{key}");
        }
    });
}

#[test]
fn the_key_seals_the_value() {
    dogpile_conformance::run(async {
        let layered = store().layer(Marked);
        layered.set(Key::name("a"), entry("value")).await.unwrap();
        let moved = layered.inner().get(Key::name("/a")).await.unwrap().unwrap();
        layered.inner().set(Key::name("/b"), moved).await.unwrap();
        assert_eq!(layered.get(Key::name("b")).await.unwrap_err().kind(), ErrorKind::Corrupt);
    });
}

#[test]
fn a_region_creates_anew_what_was_damaged() {
    dogpile_conformance::run(async {
        let damaged = entry::<Bytes>("not marked");
        let below = store();
        below.set(Key::name("/k"), damaged.clone()).await.unwrap();
        let local = Region::new(Dogpile::local(below.layer(Marked)), Typed);
        let create = || async { Ok::<_, Error>("new".to_owned()) };
        assert_eq!(local.get_or_create("k", create).await.unwrap(), "new");
        assert_eq!(local.get("k").await.unwrap(), Some("new".to_owned()));

        let leased = Region::new(Dogpile::leased(leasing()), Typed);
        leased.store().backend().inner().set(Key::name("/k"), damaged).await.unwrap();
        assert_eq!(leased.get_or_create("k", create).await.unwrap(), "new");
        assert_eq!(leased.get("k").await.unwrap(), Some("new".to_owned()));
    });
}
