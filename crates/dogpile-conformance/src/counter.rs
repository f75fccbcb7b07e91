//! What every [`Counter`] has to do.
//!
//! Each function is one property. It panics with a sentence that says which behaviour is broken.
//! [`counter_suite!`](crate::counter_suite) makes a test of each.

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

use std::collections::BTreeSet;

use dogpile_core::{Counter, ErrorKind, Key};
use tokio::task::JoinSet;

use crate::suite::{Must, properties, stop};
use crate::{Subject, poll_then_drop};

properties! { __counter_properties,
    a_counter_begins_at_zero
    bump_adds_one
    bump_rises_to_at_least
    bump_never_falls_to_at_least
    reading_changes_nothing
    numbers_are_exact_to_the_end
    a_full_counter_refuses
    many_bumps_give_different_numbers
    a_counter_never_falls
    counters_are_told_apart
    handles_share_counters
    a_dropped_bump_leaves_order
}

/// Where the numbers of a store may end.
const SIGNED_END: u64 = i64::MAX as u64;

async fn read<C: Counter>(counter: &C, name: &str) -> u64 {
    counter.read(Key::name(name)).await.must("reading a counter")
}

async fn bump<C: Counter>(counter: &C, name: &str, at_least: u64) -> u64 {
    counter.bump(Key::name(name), at_least).await.must("bumping a counter")
}

/// A counter that was never bumped is zero.
pub async fn a_counter_begins_at_zero<C: Counter>(subject: &Subject<C>) {
    let number = read(&**subject, &subject.name("zero")).await;
    assert!(number == 0, "a counter that was never bumped is {number}, not 0");
}

/// A bump answers one more than the number before.
pub async fn bump_adds_one<C: Counter>(subject: &Subject<C>) {
    let name = subject.name("one");
    for expected in 1..=5 {
        let number = bump(&**subject, &name, 0).await;
        assert!(number == expected, "bump {expected} of a counter answered {number}");
    }
}

/// A bump rises to `at_least` where that is more than one above the number before.
pub async fn bump_rises_to_at_least<C: Counter>(subject: &Subject<C>) {
    let name = subject.name("at least");
    for (at_least, expected) in
        [(1_000, 1_000), (1_002, 1_002), (1_700_000_000_000, 1_700_000_000_000)]
    {
        let number = bump(&**subject, &name, at_least).await;
        assert!(number == expected, "a bump to at least {at_least} answered {number}");
    }
}

/// An `at_least` that is not above the number before adds one.
pub async fn bump_never_falls_to_at_least<C: Counter>(subject: &Subject<C>) {
    let name = subject.name("not less");
    bump(&**subject, &name, 1_000).await;
    for (at_least, expected) in [(5, 1_001), (1_001, 1_002), (1_003, 1_003), (1_003, 1_004)] {
        let number = bump(&**subject, &name, at_least).await;
        let broken = "a bump that may not fall, nor stay";
        assert!(
            number == expected,
            "{broken}, to at least {at_least}, answered {number}, not {expected}"
        );
    }
}

/// Reading answers what the last bump did, each time.
pub async fn reading_changes_nothing<C: Counter>(subject: &Subject<C>) {
    let name = subject.name("read");
    let bumped = bump(&**subject, &name, 41).await;
    for _ in 0..3 {
        let number = read(&**subject, &name).await;
        assert!(number == bumped, "a counter that was bumped to {bumped} is read as {number}");
    }
}

/// Numbers beyond what a float or a signed integer holds are exact. Those beyond a signed integer may
/// be [`ErrorKind::Refused`], and then change nothing.
pub async fn numbers_are_exact_to_the_end<C: Counter>(subject: &Subject<C>) {
    for (at, number) in
        [(1 << 53) + 1, SIGNED_END - 1, SIGNED_END + 1, u64::MAX - 3].into_iter().enumerate()
    {
        let name = subject.name(&format!("exact {at}"));
        let mut expected = 0;
        for (at_least, next) in [(number, number), (0, number + 1)] {
            match subject.bump(Key::name(&name), at_least).await {
                Ok(bumped) => {
                    assert!(bumped == next, "a counter due at {next} went to {bumped}");
                    expected = next;
                }
                Err(error) if error.kind() == ErrorKind::Refused && next > SIGNED_END => break,
                Err(error) => stop(format_args!("bumping a counter to {next} failed: {error:?}")),
            }
        }
        let read = read(&**subject, &name).await;
        assert!(read == expected, "a counter at {expected} is read as {read}");
    }
}

/// A counter at its end is [`ErrorKind::Refused`], and stays there: it does not wrap.
pub async fn a_full_counter_refuses<C: Counter>(subject: &Subject<C>) {
    let name = subject.name("full");
    let end = match subject.bump(Key::name(&name), u64::MAX).await {
        Ok(end) => end,
        Err(error) if error.kind() == ErrorKind::Refused => {
            bump(&**subject, &name, SIGNED_END).await
        }
        Err(error) => stop(format_args!("bumping a counter to its end failed: {error:?}")),
    };
    assert!([u64::MAX, SIGNED_END].contains(&end), "a bump to the end answered {end}");
    for at_least in [0, u64::MAX] {
        match subject.bump(Key::name(&name), at_least).await {
            Err(error) if error.kind() == ErrorKind::Refused => {}
            other => stop(format_args!(
                "bumping a full counter is ErrorKind::Refused, and was {other:?}"
            )),
        }
    }
    let number = read(&**subject, &name).await;
    assert!(number == end, "a full counter went from {end} to {number}");
}

/// Of many bumps at once each answers another number, and none is left out.
pub async fn many_bumps_give_different_numbers<C: Counter + 'static>(subject: &Subject<C>) {
    let name = subject.name("many");
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (subject, name) = (subject.clone(), name.clone());
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..25 {
                mine.push(bump(&*subject, &name, 0).await);
                tokio::task::yield_now().await;
            }
            mine
        });
    }
    let numbers: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let different: BTreeSet<_> = numbers.iter().copied().collect();
    assert!(different.len() == numbers.len(), "two of many bumps at once answered the same number");
    let last = different.last().copied();
    assert!(last == Some(400), "after 400 bumps at once the counter is at {last:?}");
}

/// No reader is told less than it was told before.
pub async fn a_counter_never_falls<C: Counter + 'static>(subject: &Subject<C>) {
    let name = subject.name("falls");
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let (subject, name) = (subject.clone(), name.clone());
        tasks.spawn(async move {
            let mut before = 0;
            for round in 0..50 {
                let number = match task % 2 {
                    0 => bump(&*subject, &name, round * 3).await,
                    _ => read(&*subject, &name).await,
                };
                assert!(number >= before, "a counter fell from {before} to {number}");
                before = number;
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
}

/// Each key has its own counter; a field of a group is told apart from a plain name.
pub async fn counters_are_told_apart<C: Counter>(subject: &Subject<C>) {
    let group = |end: &str| subject.name(end);
    let (a, ab, abc, blank) = (group("a"), group("ab"), group("abc"), group("a b\r\n\0c"));
    let keys = [
        Key::field(&ab, "c"),
        Key::field(&a, "bc"),
        Key::field(&abc, ""),
        Key::name(&abc),
        Key::name(&blank),
    ];
    for (at, key) in (10..).step_by(10).zip(keys) {
        subject.bump(key, at).await.must("bumping a counter");
    }
    for (at, key) in (10..).step_by(10).zip(keys) {
        let number = subject.read(key).await.must("reading a counter");
        assert!(number == at, "the counters of {key:?} and of another key are one");
    }
}

/// Two handles of one store share its counters.
pub async fn handles_share_counters<C: Counter>(subject: &Subject<C>) {
    let name = subject.name("handles");
    let numbers = [
        bump(&**subject, &name, 0).await,
        bump(subject.other(), &name, 0).await,
        read(&**subject, &name).await,
        bump(&**subject, &name, 0).await,
        read(subject.other(), &name).await,
    ];
    assert!(numbers == [1, 2, 2, 3, 3], "two handles of one counter counted {numbers:?}");
}

/// A bump that is dropped after any number of polls took place or did not, and the next goes on.
pub async fn a_dropped_bump_leaves_order<C: Counter>(subject: &Subject<C>) {
    let name = subject.name("dropped");
    for polls in 0..5 {
        let before = bump(&**subject, &name, 0).await;
        let _ = poll_then_drop(subject.bump(Key::name(&name), 0), polls).await;
        let after = bump(&**subject, &name, 0).await;
        let right = (before + 1..=before + 2).contains(&after);
        assert!(
            right,
            "around a bump that was dropped at poll {polls} a counter went {before}, {after}"
        );
    }
}
