//! The backends in memory: what they keep, and what they let go of.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use dogpile_cache::backend::{Memory, MemoryBytes};
use dogpile_conformance::{Subject, backend_suite};
use dogpile_core::{Backend, BackendExt, Entry, ErrorKind, Key, Timestamp};

mod conformance {
    use super::*;

    mod memory {
        use super::*;
        backend_suite!(async {
            let memory = Memory::<Bytes>::new(10_000);
            Subject::new(memory.clone()).with_other(memory)
        });
    }

    mod memory_bytes {
        use super::*;
        backend_suite!(async {
            let memory = MemoryBytes::new(64 << 20);
            Subject::new(memory.clone()).with_other(memory)
        });
    }
}

/// The answer of a backend that never waits: without a runtime, and at the first poll.
fn at_once<F: Future>(answer: F) -> F::Output {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a backend in memory has nothing to wait for"),
    }
}

fn entry<V>(value: V) -> Entry<V> {
    Entry::new(Timestamp::from_millis(1), value)
}

fn fill<B: Backend>(backend: &B, names: impl IntoIterator<Item = String>, value: &B::Value) {
    for name in names {
        at_once(backend.set(Key::name(&name), entry(value.clone()))).unwrap();
    }
}

fn has<B: Backend>(backend: &B, name: &str) -> bool {
    at_once(backend.get(Key::name(name))).unwrap().is_some()
}

#[test]
fn every_method_is_ready_at_the_first_poll() {
    let memory = Memory::new(10);
    let key = Key::field("g", "a");
    at_once(memory.set(key, entry(7))).unwrap();
    assert_eq!(at_once(memory.get(key)).unwrap(), Some(entry(7)));
    assert_eq!(at_once(memory.get_many(&[key, Key::name("a")])).unwrap(), [Some(entry(7)), None]);
    at_once(memory.delete(key)).unwrap();
    at_once(memory.delete_group(b"g")).unwrap();
    assert!(memory.is_empty());
}

#[test]
fn a_peek_copies_nothing() {
    #[derive(Debug)]
    struct Precious(u64);
    impl Clone for Precious {
        fn clone(&self) -> Self {
            assert_eq!(self.0, 0, "only the one that is stored may be copied, on its way in");
            Self(15)
        }
    }
    let memory = Memory::new(10);
    for key in [Key::name("ga"), Key::field("g", "a")] {
        assert_eq!(memory.peek(key, |_| panic!("there is nothing to look at")), None::<()>);
        at_once(memory.set(key, entry(Precious(0)))).unwrap();
        assert_eq!(memory.peek(key, |entry| entry.value.0), Some(15));
    }
    assert!(memory.peek(Key::field("ga", ""), |_| ()).is_none());
}

#[test]
fn entries_are_bounded_by_number() {
    for bound in [0, 1, 10, 1_000] {
        let memory = Memory::new(bound);
        fill(&memory, (0..5_000).map(|n| n.to_string()), &());
        let room = usize::try_from(memory.capacity()).unwrap();
        assert!((bound.max(1)..=bound + 64).contains(&room), "{bound}: {memory:?}");
        assert_eq!(memory.len(), room, "{memory:?}");
        assert_eq!(memory.weight(), memory.capacity());
    }
}

#[test]
fn what_was_just_written_is_there() {
    let memory = Memory::new(100);
    let weighted = Memory::weighted(100_000, |_, value: &u64| *value);
    for n in 0..10_000_u64 {
        let name = n.to_string();
        fill(&memory, [name.clone()], &n);
        fill(&weighted, [name.clone()], &(n % 10_000));
        assert!(has(&memory, &name) && has(&weighted, &name), "{n}");
    }
}

#[test]
fn what_is_read_often_outlives_a_scan() {
    let memory = Memory::new(1_000);
    let hot = || (0..100).map(|n| format!("hot {n}"));
    fill(&memory, hot(), &());
    for round in 0..50 {
        assert!(hot().all(|name| has(&memory, &name)), "in round {round}");
        fill(&memory, (0..1_000).map(|n| format!("cold {round} {n}")), &());
    }
}

#[test]
fn entries_are_bounded_by_weight() {
    let memory = Memory::weighted(100_000, |key, value: &Arc<str>| {
        assert_eq!(key.as_bytes().first(), Some(&b'n'));
        value.len() as u64
    });
    for n in 0..3_000 {
        let value: Arc<str> = "x".repeat(n % 1_000).into();
        fill(&memory, [format!("n{n}")], &value);
        assert!(memory.weight() <= memory.capacity() && memory.capacity() <= 100_007);
    }
    assert!(memory.weight() > 80_000, "{memory:?}");
}

#[test]
fn an_entry_heavier_than_a_tenth_is_refused_and_the_old_one_stays() {
    for capacity in [10_u64, 1_000, 8_192, 1_000_000] {
        let memory = Memory::weighted(capacity, |_, value: &u64| *value);
        let (key, limit) = (Key::name("a"), capacity / 10);
        at_once(memory.set(key, entry(limit))).unwrap();
        let error = at_once(memory.set(key, entry(limit + 1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let said = error.to_string();
        assert!(
            said.contains(&(limit + 1).to_string()) && said.contains(&limit.to_string()),
            "{said}"
        );
        assert_eq!(at_once(memory.get(key)).unwrap().unwrap().value, limit);
    }
}

#[test]
fn an_entry_without_weight_counts_as_one() {
    let memory = Memory::weighted(100, |_, _: &()| 0);
    fill(&memory, (0..1_000).map(|n| n.to_string()), &());
    assert_eq!((memory.len(), memory.weight()), (100, 100));
}

#[test]
fn a_weight_that_changes_later_upsets_nothing() {
    let tick = AtomicU64::new(0);
    let memory =
        Memory::weighted(1_000, move |_, _: &()| tick.fetch_add(7, Ordering::Relaxed) % 90);
    fill(&memory, (0..2_000).map(|n| (n % 300).to_string()), &());
    assert!(memory.weight() <= 1_000, "{memory:?}");
    for n in 0..300 {
        at_once(memory.delete(Key::name(&n.to_string()))).unwrap();
    }
    assert_eq!((memory.len(), memory.weight()), (0, 0));
}

#[test]
fn bytes_are_counted_with_keys_and_overhead() {
    let memory = MemoryBytes::new(100_000);
    let value = Bytes::from(vec![7; 1_000]);
    at_once(memory.set(Key::field("group", "name"), entry(value.clone()))).unwrap();
    assert_eq!(memory.bytes(), 9 + 1_000 + MemoryBytes::OVERHEAD);
    fill(&memory, (0..500).map(|n| n.to_string()), &value);
    assert!(memory.bytes() <= memory.capacity());
    assert!((70..=83).contains(&memory.len()), "{memory:?}");
}

#[test]
fn bytes_do_not_keep_the_buffer_they_were_cut_from() {
    let memory = MemoryBytes::new(100_000);
    let buffer = Bytes::from(vec![7; 50_000]);
    let slice = buffer.slice(10..20);
    at_once(memory.set(Key::name("a"), entry(slice))).unwrap();
    assert!(buffer.is_unique());
}

#[test]
fn a_group_goes_and_everything_else_stays() {
    let memory = Memory::new(1_000);
    let fields = (0..50).map(|n| n.to_string()).collect::<Vec<_>>();
    for field in &fields {
        for key in [Key::field("ab", field), Key::field("a", field), Key::name(field)] {
            at_once(memory.set(key, entry(()))).unwrap();
        }
    }
    at_once(memory.delete_group(b"a")).unwrap();
    assert_eq!(memory.len(), 100);
    assert!(
        fields.iter().all(|field| at_once(memory.get(Key::field("a", field))).unwrap().is_none())
    );
}

/// The same draws put to the library underneath: the way we use it must not cost hits.
#[test]
fn zipf_hits_are_those_of_the_library() {
    const KEYS: u32 = 100_000;
    const ROOM: usize = 10_000;
    let mut sum = 0.0;
    let table: Vec<f64> = (1..=KEYS)
        .map(|rank| {
            sum += f64::from(rank).powf(-0.99);
            sum
        })
        .collect();
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let point = f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX) * sum;
        table.partition_point(|&until| until < point)
    };
    let (ours, theirs) = (Memory::new(ROOM), quick_cache::sync::Cache::new(ROOM));
    let (mut our_hits, mut their_hits, draws) = (0_u32, 0_u32, 300_000_u32);
    for _ in 0..draws {
        let name = draw().to_string();
        match has(&ours, &name) {
            true => our_hits += 1,
            false => fill(&ours, [name.clone()], &()),
        }
        match theirs.get(&name) {
            Some(()) => their_hits += 1,
            None => theirs.insert(name, ()),
        }
    }
    let difference = f64::from(our_hits.abs_diff(their_hits)) / f64::from(draws);
    assert!(difference < 0.01, "{our_hits} hits, and the library has {their_hits}");
    assert!(our_hits > draws / 2);
}
