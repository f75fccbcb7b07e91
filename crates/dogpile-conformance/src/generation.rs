//! What every [`GenerationStore`] of `cookie-session` has to do, and what it has to do beyond that where
//! it is a `MonotonicStore`, in [`monotonic`](crate::monotonic).
//!
//! Each function is one property. It panics with a sentence that says which behaviour is broken.
//! [`generation_suite!`](crate::generation_suite) makes a test of each, and
//! [`monotonic_suite!`](crate::monotonic_suite) of those.

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

use std::collections::BTreeSet;
use std::time::Duration;

use cookie_session::generation::{Generation, GenerationStore};
use dogpile_core::{ErrorKind, Key, Timestamp};
use tokio::task::JoinSet;

use crate::suite::{Must, properties, stop};
use crate::{Subject, poll_then_drop};

properties! { __generation_properties,
    a_row_that_is_not_there_is_none
    answers_are_in_the_order_of_the_keys
    rows_are_told_apart
    start_begins_a_row
    start_leaves_a_row_as_it_is
    many_starts_answer_one_number
    raise_begins_a_row
    raise_adds_one
    raise_rises_to_at_least
    raise_never_falls_to_at_least
    many_raises_give_different_numbers
    numbers_are_exact
    a_full_row_refuses
    a_row_is_kept_until_its_time
    a_row_past_its_time_is_there_or_not
    raise_shortens_no_time
    handles_share_rows
    a_dropped_raise_leaves_order
}

/// Where the numbers of a store may end.
const SIGNED_END: u64 = i64::MAX as u64;
/// A moment in milliseconds, as generations begin at.
pub(crate) const MOMENT: u64 = 1_767_225_600_000;
const HOUR: Duration = Duration::from_secs(3600);

/// A key as sessions have them: a group for the scope, and sixteen bytes that may be any.
pub(crate) fn row_name(name: &str) -> [u8; 16] {
    let mut row = *b"\0\xff\r\n'%_\"\0\0\0\0\0\0\0\0";
    for (at, byte) in name.bytes().enumerate() {
        row[8 + at % 8] = row[8 + at % 8].rotate_left(3) ^ byte;
    }
    row
}

pub(crate) async fn read<S: GenerationStore>(store: &S, key: Key<'_>) -> Option<Generation> {
    let rows = store.read(&[key]).await.must("reading a row");
    assert!(rows.len() == 1, "one row was asked for, and {} were answered", rows.len());
    rows.into_iter().next().flatten()
}

async fn start<S: GenerationStore>(store: &S, key: Key<'_>, number: u64) -> u64 {
    store.start(key, number, Timestamp::MAX).await.must("starting a row")
}

async fn raise<S: GenerationStore>(store: &S, key: Key<'_>, at_least: u64) -> u64 {
    store.raise(key, at_least, Timestamp::MAX).await.must("raising a row")
}

#[track_caller]
pub(crate) fn is_begun(found: Option<Generation>, number: u64, what: &str) {
    let expected = Some(Generation::begun(number));
    assert!(found == expected, "{what} is {found:?}, and has to be {expected:?}");
}

/// Reading what was never started or raised answers none, and makes none.
pub async fn a_row_that_is_not_there_is_none<S: GenerationStore>(subject: &Subject<S>) {
    let (group, name) = (subject.name("session"), row_name("none"));
    for _ in 0..2 {
        let found = read(&**subject, Key::field(&group, &name)).await;
        assert!(found.is_none(), "a row that was never started is {found:?}");
    }
}

/// As many answers as keys, in their order; a key that is asked for twice is answered twice.
pub async fn answers_are_in_the_order_of_the_keys<S: GenerationStore>(subject: &Subject<S>) {
    let groups = ["floor", "user", "session"].map(|scope| subject.name(scope));
    let [floor, user, session] = groups.each_ref().map(|group| Key::field(group, "order"));
    for (key, number) in [(session, 30), (floor, 10)] {
        start(&**subject, key, number).await;
    }
    let rows = subject.read(&[floor, user, session, floor]).await.must("reading rows");
    let numbers: Vec<_> = rows.iter().map(|row| row.map(|row| row.number)).collect();
    let expected = [Some(10), None, Some(30), Some(10)];
    assert!(numbers == expected, "rows asked for as {expected:?} were answered as {numbers:?}");
    let none = subject.read(&[]).await.must("reading no rows");
    assert!(none.is_empty(), "no rows were asked for, and {} were answered", none.len());
}

/// Each key has its own row, whatever bytes it is of; groups and names are not run together.
pub async fn rows_are_told_apart<S: GenerationStore>(subject: &Subject<S>) {
    let group = |end: &str| subject.name(end);
    let (a, ab, capital) = (group("a"), group("ab"), group("A"));
    let keys = [
        Key::field(&ab, "c"),
        Key::field(&a, "bc"),
        Key::field(&a, "BC"),
        Key::field(&capital, "bc"),
        Key::field(&a, "bc "),
        Key::field(&a, "bc\0"),
        Key::field(&a, &[0xff, 0xfe]),
        Key::field(&a, &[0xff, 0xfd]),
        Key::field(&a, ""),
    ];
    for (number, key) in (10..).zip(keys) {
        start(&**subject, key, number).await;
    }
    for (number, key) in (10..).zip(keys) {
        is_begun(read(&**subject, key).await, number, &format!("the row of {key:?}"));
    }
}

/// Where there is no row, start begins one at its number.
pub async fn start_begins_a_row<S: GenerationStore>(subject: &Subject<S>) {
    let (group, name) = (subject.name("session"), row_name("start"));
    let key = Key::field(&group, &name);
    let number = start(&**subject, key, MOMENT).await;
    assert!(number == MOMENT, "a row that was started at {MOMENT} answered {number}");
    is_begun(read(&**subject, key).await, MOMENT, "a row that was started");
}

/// Where there is a row, start answers its number and changes nothing.
pub async fn start_leaves_a_row_as_it_is<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("user");
    let key = Key::field(&group, "start twice");
    start(&**subject, key, MOMENT).await;
    for later in [MOMENT + 5, MOMENT, 1] {
        let number = start(&**subject, key, later).await;
        assert!(
            number == MOMENT,
            "starting a row at {MOMENT} again, at {later}, answered {number}"
        );
        is_begun(read(&**subject, key).await, MOMENT, "a row that was started again");
    }
}

/// Of many starts at once, all answer the number of the one that began the row.
pub async fn many_starts_answer_one_number<S: GenerationStore + 'static>(subject: &Subject<S>) {
    for round in 0..5 {
        let group = subject.name(&format!("user {round}"));
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let (subject, group) = (subject.clone(), group.clone());
            tasks.spawn(async move {
                start(&*subject, Key::field(&group, "many"), MOMENT + number).await
            });
        }
        let numbers: BTreeSet<_> = tasks.join_all().await.into_iter().collect();
        assert!(numbers.len() == 1, "of starts at once, some answered other numbers: {numbers:?}");
    }
}

/// Where there is no row, raise begins one at `at_least`, or at one.
pub async fn raise_begins_a_row<S: GenerationStore>(subject: &Subject<S>) {
    for (at_least, expected) in [(0, 1), (MOMENT, MOMENT)] {
        let group = subject.name(&format!("raise {at_least}"));
        let key = Key::field(&group, "begin");
        let number = raise(&**subject, key, at_least).await;
        assert!(number == expected, "raising what is not there to {at_least} answered {number}");
        is_begun(read(&**subject, key).await, expected, "a row that was raised");
    }
}

/// Raise answers one more than the number before.
pub async fn raise_adds_one<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("user");
    let key = Key::field(&group, "one");
    start(&**subject, key, 7).await;
    for expected in 8..12 {
        let number = raise(&**subject, key, 0).await;
        assert!(number == expected, "raising from {} answered {number}", expected - 1);
        is_begun(read(&**subject, key).await, expected, "a row that was raised");
    }
}

/// Raise rises to `at_least` where that is more.
pub async fn raise_rises_to_at_least<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("user");
    let key = Key::field(&group, "at least");
    start(&**subject, key, 7).await;
    for at_least in [9, 1_000, MOMENT] {
        let number = raise(&**subject, key, at_least).await;
        assert!(number == at_least, "raising to at least {at_least} answered {number}");
    }
}

/// An `at_least` that is not above the number before adds one: it neither falls nor stays.
pub async fn raise_never_falls_to_at_least<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("user");
    let key = Key::field(&group, "not less");
    start(&**subject, key, MOMENT).await;
    for (at_least, expected) in [(5, MOMENT + 1), (MOMENT + 1, MOMENT + 2)] {
        let number = raise(&**subject, key, at_least).await;
        assert!(
            number == expected,
            "raising, which may not fall nor stay, to at least {at_least} answered {number}, not {expected}"
        );
    }
}

/// Of many raises at once each answers another number, and none is left out.
pub async fn many_raises_give_different_numbers<S: GenerationStore + 'static>(
    subject: &Subject<S>,
) {
    let group = subject.name("user");
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (subject, group) = (subject.clone(), group.clone());
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..10 {
                mine.push(raise(&*subject, Key::field(&group, "many"), 0).await);
                tokio::task::yield_now().await;
            }
            mine
        });
    }
    let numbers: BTreeSet<_> = tasks.join_all().await.into_iter().flatten().collect();
    let last = numbers.last().copied();
    assert!(
        numbers.len() == 80,
        "of 80 raises at once, {} answered a number of their own",
        numbers.len()
    );
    assert!(last == Some(80), "after 80 raises at once the row is at {last:?}");
}

/// Numbers beyond what a float holds are exact.
pub async fn numbers_are_exact<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("exact");
    for number in [(1 << 53) + 1, SIGNED_END - 2] {
        let name = format!("{number}");
        let key = Key::field(&group, &name);
        start(&**subject, key, number).await;
        let raised = raise(&**subject, key, 0).await;
        assert!(raised == number + 1, "raising from {number} answered {raised}");
        is_begun(read(&**subject, key).await, number + 1, "a row with a large number");
    }
}

/// A row at the end of its numbers is [`ErrorKind::Refused`], and stays there: it does not wrap.
pub async fn a_full_row_refuses<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("full");
    let key = Key::field(&group, "row");
    let end = match subject.raise(key, u64::MAX, Timestamp::MAX).await {
        Ok(end) => end,
        Err(error) if error.kind() == ErrorKind::Refused => {
            raise(&**subject, key, SIGNED_END).await
        }
        Err(error) => stop(format_args!("raising a row to its end failed: {error:?}")),
    };
    for at_least in [0, u64::MAX] {
        match subject.raise(key, at_least, Timestamp::MAX).await {
            Err(error) if error.kind() == ErrorKind::Refused => {}
            other => {
                stop(format_args!("raising a full row is ErrorKind::Refused, and was {other:?}"))
            }
        }
    }
    is_begun(read(&**subject, key).await, end, "a full row");
}

/// A row is there until the time that was said, and for ever where no end was said. Where time can be
/// moved, that is seen for all of its time, elsewhere for a moment of it.
pub async fn a_row_is_kept_until_its_time<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("kept");
    let [hour, ever, raised] = ["hour", "ever", "raised"].map(|name| Key::field(&group, name));
    let nearly = HOUR / 2 - Duration::from_millis(1);
    let step = if subject.passes_at_once() { nearly } else { Duration::from_millis(500) };
    let until = subject.now().plus(HOUR);
    subject.start(hour, MOMENT, until).await.must("starting a row");
    subject.start(ever, MOMENT, Timestamp::MAX).await.must("starting a row");
    subject.raise(raised, MOMENT, until).await.must("raising a row");
    for _ in 0..2 {
        subject.pass(step).await;
        for (key, what) in [(hour, "an hour"), (ever, "ever"), (raised, "an hour, raised")] {
            is_begun(
                read(&**subject, key).await,
                MOMENT,
                &format!("a row for {what}, after a moment,"),
            );
        }
    }
}

/// A row past its time may be there still or be gone, but start and read say the same of it.
pub async fn a_row_past_its_time_is_there_or_not<S: GenerationStore>(subject: &Subject<S>) {
    let (group, soon) = (subject.name("past"), subject.now().plus(Duration::from_millis(100)));
    // As many as a store may drop only in part. The last one is the last to be dropped.
    let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    for name in &names {
        let key = Key::field(&group, name);
        subject.start(key, MOMENT, soon).await.must("starting a row");
    }
    subject.pass(Duration::from_millis(1200)).await;
    for name in names.iter().rev() {
        let key = Key::field(&group, name);
        let number = start(&**subject, key, MOMENT + 9).await;
        let is_one = [MOMENT, MOMENT + 9].contains(&number);
        assert!(is_one, "a row past its time, started again, answered {number}");
        let what = "a row past its time that start answered";
        is_begun(read(&**subject, key).await, number, what);
    }
}

/// A row that is raised is kept for as long as was said before, if that is longer.
pub async fn raise_shortens_no_time<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("longer");
    let key = Key::field(&group, "row");
    let soon = subject.now().plus(Duration::from_millis(100));
    subject.start(key, MOMENT, Timestamp::MAX).await.must("starting a row");
    subject.raise(key, 0, soon).await.must("raising a row");
    subject.pass(Duration::from_millis(1200)).await;
    is_begun(read(&**subject, key).await, MOMENT + 1, "a row for ever, raised for a moment,");
}

/// Two handles of one store share its rows.
pub async fn handles_share_rows<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("handles");
    let key = Key::field(&group, "row");
    let numbers = [
        start(&**subject, key, 5).await,
        start(subject.other(), key, 9).await,
        raise(subject.other(), key, 0).await,
        raise(&**subject, key, 0).await,
    ];
    assert!(numbers == [5, 5, 6, 7], "two handles of one row answered {numbers:?}");
    is_begun(read(subject.other(), key).await, 7, "a row that another handle raised");
}

/// A raise that is dropped after any number of polls took place or did not, and the next goes on.
pub async fn a_dropped_raise_leaves_order<S: GenerationStore>(subject: &Subject<S>) {
    let group = subject.name("dropped");
    let key = Key::field(&group, "row");
    for polls in 0..5 {
        let before = raise(&**subject, key, 0).await;
        let _ = poll_then_drop(subject.raise(key, 0, Timestamp::MAX), polls).await;
        let after = raise(&**subject, key, 0).await;
        assert!(
            (before + 1..=before + 2).contains(&after),
            "around a raise that was dropped at poll {polls} a row went {before}, {after}"
        );
    }
}
