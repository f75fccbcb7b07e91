//! Every suite passes on a sound implementation, and each of its properties fails on a wrong one: on
//! each flaw fail exactly the properties that the flaw names.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};

use dogpile_conformance::{ManualClock, Subject};

/// The properties of a contract, as `(name, run it on this subject)`.
macro_rules! all {
    ([$module:ident, $subject:ty] $($name:ident)*) => {
        [$((
            stringify!($name),
            (|subject: $subject| dogpile_conformance::run(async move {
                dogpile_conformance::$module::$name(&subject).await
            })) as fn($subject),
        )),*]
    };
}

/// A property and how to run it.
type Property<S> = (&'static str, fn(S));

/// Runs every property on the sound implementation and on each flaw, and compares what failed with
/// what the flaw says.
fn see<F, S>(
    flaws: &[F],
    breaks: impl Fn(F) -> &'static [&'static str] + Sync,
    properties: &[Property<S>],
    make: impl Fn(Option<F>) -> S + Sync,
) where
    F: Copy + std::fmt::Debug + Send + Sync,
{
    quiet();
    let cases: Vec<_> = std::iter::once(None)
        .chain(flaws.iter().copied().map(Some))
        .flat_map(|flaw| properties.iter().map(move |property| (flaw, property)))
        .collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        // Most of the time is slept through.
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((flaw, (name, property))) =
                    cases.get(next.fetch_add(1, Ordering::SeqCst))
                {
                    let subject = make(*flaw);
                    let failed = catch_unwind(AssertUnwindSafe(|| property(subject))).is_err();
                    if failed != flaw.is_some_and(|flaw| breaks(flaw).contains(name)) {
                        let what = if failed { "broke" } else { "did not break" };
                        wrong.lock().unwrap().push(format!("{flaw:?} {what} {name}"));
                    }
                }
            });
        }
    });
    let mut made_for = BTreeMap::new();
    flaws.iter().for_each(|flaw| *made_for.entry(breaks(*flaw)[0]).or_insert(0) += 1);
    let unproven: Vec<_> = properties
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !made_for.contains_key(name))
        .collect();
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unproven.is_empty(), "no flaw is made for {unproven:?}");
}

/// Properties fail here by the thousand; their messages are for other tests.
fn quiet() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let here = info.location().is_some_and(|place| place.file().contains("tests"));
            if here {
                usual(info);
            }
        }));
    });
}

#[test]
fn backend() {
    use dogpile_conformance::wrong::{BackendFlaw, WrongBackend};
    let properties =
        dogpile_conformance::__backend_properties!(all, [backend, Subject<WrongBackend>]);
    see(BackendFlaw::ALL, BackendFlaw::breaks, &properties, |flaw| {
        let clock = ManualClock::new();
        let backend = WrongBackend::new(flaw, clock.clone());
        Subject::new(backend.clone()).with_other(backend).with_clock(clock)
    });
}

#[test]
fn lock() {
    use dogpile_conformance::wrong::{LockFlaw, WrongLock};
    let properties = dogpile_conformance::__lock_properties!(all, [lock, Subject<WrongLock>]);
    see(LockFlaw::ALL, LockFlaw::breaks, &properties, |flaw| {
        let clock = ManualClock::new();
        let lock = WrongLock::new(flaw, clock.clone());
        Subject::new(lock.clone()).with_other(lock).with_clock(clock)
    });
}

#[test]
fn lease() {
    use dogpile_conformance::wrong::{LeaseFlaw, WrongLeaseBackend};
    let properties =
        dogpile_conformance::__lease_properties!(all, [lease, Subject<WrongLeaseBackend>]);
    see(LeaseFlaw::ALL, LeaseFlaw::breaks, &properties, |flaw| {
        let clock = ManualClock::new();
        let backend = WrongLeaseBackend::new(flaw, clock.clone());
        Subject::new(backend.clone()).with_other(backend).with_clock(clock)
    });
}

#[test]
fn counter() {
    use dogpile_conformance::wrong::{CounterFlaw, WrongCounter};
    let properties =
        dogpile_conformance::__counter_properties!(all, [counter, Subject<WrongCounter>]);
    see(CounterFlaw::ALL, CounterFlaw::breaks, &properties, |flaw| {
        let counter = WrongCounter::new(flaw);
        Subject::new(counter.clone()).with_other(counter)
    });
}

#[test]
fn codec() {
    use dogpile_conformance::codec::Coded;
    use dogpile_conformance::wrong::{CodecFlaw, WrongCodec};
    let properties =
        dogpile_conformance::__codec_properties!(all, [codec, Subject<Coded<WrongCodec, String>>]);
    see(CodecFlaw::ALL, CodecFlaw::breaks, &properties, |flaw| {
        let values = ["", "a", "two blanks  ", "é\n\0", &"long ".repeat(60)].map(str::to_owned);
        Subject::new(Coded::new(WrongCodec::new(flaw), values))
    });
}

#[test]
fn locator() {
    use dogpile_conformance::wrong::{LocatorFlaw, WrongLocator};
    let properties =
        dogpile_conformance::__locator_properties!(all, [locator, Subject<WrongLocator>]);
    see(LocatorFlaw::ALL, LocatorFlaw::breaks, &properties, |flaw| {
        Subject::new(WrongLocator::new(flaw, 5, 1)).with_other(WrongLocator::new(flaw, 5, 2))
    });
    for (_, property) in properties {
        property(Subject::new(WrongLocator::new(None, 0, 1)));
    }
}

#[test]
fn read_through() {
    use dogpile_conformance::wrong::{ReadThroughFlaw, WrongReadThrough};
    let properties = dogpile_conformance::__read_through_properties!(all, [read_through, Subject<WrongReadThrough>]);
    see(ReadThroughFlaw::ALL, ReadThroughFlaw::breaks, &properties, |flaw| {
        Subject::new(WrongReadThrough::new(flaw))
    });
}

#[cfg(feature = "sessions")]
#[test]
fn generation() {
    use dogpile_conformance::wrong::{GenerationFlaw, WrongGenerations};
    let properties =
        dogpile_conformance::__generation_properties!(all, [generation, Subject<WrongGenerations>]);
    see(GenerationFlaw::ALL, GenerationFlaw::breaks, &properties, |flaw| {
        let clock = ManualClock::new();
        let store = WrongGenerations::new(flaw, clock.clone());
        Subject::new(store.clone()).with_other(store).with_clock(clock)
    });
}

#[cfg(feature = "sessions")]
#[test]
fn monotonic() {
    use dogpile_conformance::wrong::{MonotonicFlaw, WrongGenerations};
    let properties =
        dogpile_conformance::__monotonic_properties!(all, [monotonic, Subject<WrongGenerations>]);
    see(MonotonicFlaw::ALL, MonotonicFlaw::breaks, &properties, |flaw| {
        let clock = ManualClock::new();
        let store = WrongGenerations::monotonic(flaw, clock.clone());
        Subject::new(store.clone()).with_other(store).with_clock(clock)
    });
}
