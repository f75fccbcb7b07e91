//! The counter in memory.

use std::collections::HashSet;

use dogpile_cache::backend::MemoryCounter;
use dogpile_conformance::{Subject, counter_suite};
use dogpile_core::{Counter, ErrorKind, Key};

mod conformance {
    use super::*;

    counter_suite!(async {
        let counter = MemoryCounter::new();
        Subject::new(counter.clone()).with_other(counter)
    });
}

#[tokio::test]
async fn it_counts_from_zero_by_key() {
    let counter = MemoryCounter::new();
    let keys = [Key::name("ga"), Key::field("g", "a"), Key::field("", "ga"), Key::field("ga", "")];
    for (n, key) in (1..).zip(keys) {
        assert_eq!(counter.read(key).await.unwrap(), 0);
        for number in 1..=n {
            assert_eq!(counter.bump(key, 0).await.unwrap(), number);
        }
    }
    for (n, key) in (1..).zip(keys) {
        assert_eq!(counter.clone().read(key).await.unwrap(), n);
    }
}

#[tokio::test]
async fn it_jumps_ahead_and_never_back() {
    let (counter, key) = (MemoryCounter::new(), Key::name("a"));
    assert_eq!(counter.bump(key, 1_000).await.unwrap(), 1_000);
    assert_eq!(counter.bump(key, 10).await.unwrap(), 1_001);
    assert_eq!(counter.bump(key, u64::MAX).await.unwrap(), u64::MAX);
    let error = counter.bump(key, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(counter.read(key).await.unwrap(), u64::MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_bumps_answer_distinct_numbers() {
    let counter = MemoryCounter::new();
    let tasks = (0..8).map(|_| {
        let counter = counter.clone();
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for _ in 0..500 {
                numbers.push(counter.bump(Key::name("a"), 0).await.unwrap());
            }
            assert!(numbers.is_sorted());
            numbers
        })
    });
    let mut seen = HashSet::new();
    for task in tasks.collect::<Vec<_>>() {
        seen.extend(task.await.unwrap());
    }
    assert_eq!(seen.len(), 4_000);
    assert_eq!(counter.read(Key::name("a")).await.unwrap(), 4_000);
}
