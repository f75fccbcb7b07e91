//! What every [`MonotonicStore`] has to do beyond a [`GenerationStore`](cookie_session::generation::GenerationStore).

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

use std::time::Duration;

use cookie_session::generation::{Advance, Generation, MonotonicStore};
use dogpile_core::{Key, Timestamp};
use tokio::task::JoinSet;

use crate::generation::{MOMENT, is_begun, read, row_name};
use crate::suite::{Must, properties, stop};
use crate::{Subject, poll_then_drop};

properties! { __monotonic_properties,
    advance_goes_to_the_next
    advance_from_another_number_changes_nothing
    advance_begins_no_row
    an_advance_is_not_acknowledged
    of_many_advances_one_is_done
    acknowledge_marks_the_present
    acknowledge_of_another_number_changes_nothing
    start_leaves_an_advanced_row_as_it_is
    raise_ends_the_number_before
    advance_shortens_no_time
    a_dropped_advance_leaves_order
}

/// Until when the number before is read.
const UNTIL: Timestamp = Timestamp::from_millis(MOMENT + 30_000);

async fn begun<S: MonotonicStore>(subject: &Subject<S>, key: Key<'_>) {
    subject.start(key, MOMENT, Timestamp::MAX).await.must("starting a row");
}

async fn advance<S: MonotonicStore>(store: &S, key: Key<'_>, expected: u64) -> Advance {
    store.advance(key, expected, UNTIL, Timestamp::MAX).await.must("advancing a row")
}

#[track_caller]
fn is_done(advance: Advance, expected: u64) {
    assert!(
        advance == Advance::Done,
        "advancing a row from {expected}, where it is, was {advance:?}"
    );
}

/// An advance from the present number goes to the next.
pub async fn advance_goes_to_the_next<S: MonotonicStore>(subject: &Subject<S>) {
    let (group, name) = (subject.name("session"), row_name("next"));
    let key = Key::field(&group, &name);
    begun(subject, key).await;
    for expected in MOMENT..MOMENT + 4 {
        is_done(advance(&**subject, key, expected).await, expected);
        let number = read(&**subject, key).await.map(|row| row.number);
        assert!(number == Some(expected + 1), "advanced from {expected}, a row is at {number:?}");
    }
}

/// An advance from another number is a conflict that answers what there is, and changes nothing.
pub async fn advance_from_another_number_changes_nothing<S: MonotonicStore>(subject: &Subject<S>) {
    let group = subject.name("session");
    let key = Key::field(&group, "other");
    begun(subject, key).await;
    is_done(advance(&**subject, key, MOMENT).await, MOMENT);
    let present = read(&**subject, key).await;
    for expected in [0, MOMENT, MOMENT + 2, u64::MAX] {
        let answer = subject.advance(key, expected, Timestamp::MAX, Timestamp::MAX).await;
        match answer.must("advancing a row from another number") {
            Advance::Conflict(found) if found == present => {}
            other => stop(format_args!(
                "advancing from {expected} what is {present:?} answered {other:?}"
            )),
        }
        let after = read(&**subject, key).await;
        assert!(after == present, "a conflict made {after:?} of {present:?}");
    }
}

/// An advance of what is not there is a conflict with nothing, and begins nothing.
pub async fn advance_begins_no_row<S: MonotonicStore>(subject: &Subject<S>) {
    let group = subject.name("session");
    let key = Key::field(&group, "none");
    for expected in [0, MOMENT] {
        let answer = advance(&**subject, key, expected).await;
        assert!(
            answer == Advance::Conflict(None),
            "advancing what is not there answered {answer:?}"
        );
        let found = read(&**subject, key).await;
        assert!(found.is_none(), "advancing what is not there made {found:?}");
    }
}

/// After an advance nobody has come with the number, and the one before is read until what was said.
pub async fn an_advance_is_not_acknowledged<S: MonotonicStore>(subject: &Subject<S>) {
    let group = subject.name("session");
    let key = Key::field(&group, "unacknowledged");
    begun(subject, key).await;
    for expected in [MOMENT, MOMENT + 1] {
        is_done(advance(&**subject, key, expected).await, expected);
        let found = read(&**subject, key).await;
        let right = Generation { number: expected + 1, previous_until: UNTIL, acknowledged: false };
        assert!(found == Some(right), "an advanced row is {found:?}, and has to be {right:?}");
        subject.acknowledge(key, expected + 1).await.must("acknowledging");
    }
}

/// Of many advances at once from one number, one is done.
pub async fn of_many_advances_one_is_done<S: MonotonicStore + 'static>(subject: &Subject<S>) {
    let group = subject.name("session");
    begun(subject, Key::field(&group, "many")).await;
    for expected in MOMENT..MOMENT + 10 {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (subject, group) = (subject.clone(), group.clone());
            tasks.spawn(
                async move { advance(&*subject, Key::field(&group, "many"), expected).await },
            );
        }
        let done =
            tasks.join_all().await.into_iter().filter(|answer| *answer == Advance::Done).count();
        assert!(done == 1, "of 8 advances at once from one number {done} were done");
    }
}

/// The present number is acknowledged, and nothing else of the row changes.
pub async fn acknowledge_marks_the_present<S: MonotonicStore>(subject: &Subject<S>) {
    let group = subject.name("session");
    let key = Key::field(&group, "acknowledged");
    begun(subject, key).await;
    is_done(advance(&**subject, key, MOMENT).await, MOMENT);
    for _ in 0..2 {
        subject.acknowledge(key, MOMENT + 1).await.must("acknowledging");
        let found = read(&**subject, key).await;
        let right = Generation { number: MOMENT + 1, previous_until: UNTIL, acknowledged: true };
        assert!(found == Some(right), "an acknowledged row is {found:?}, and has to be {right:?}");
    }
}

/// To acknowledge another number, or what is not there, is no error and changes nothing.
pub async fn acknowledge_of_another_number_changes_nothing<S: MonotonicStore>(
    subject: &Subject<S>,
) {
    let group = subject.name("session");
    let [key, none] =
        ["other acknowledged", "none acknowledged"].map(|name| Key::field(&group, name));
    begun(subject, key).await;
    is_done(advance(&**subject, key, MOMENT).await, MOMENT);
    let before = read(&**subject, key).await;
    for number in [0, MOMENT, MOMENT + 2] {
        subject.acknowledge(key, number).await.must("acknowledging another number");
        let after = read(&**subject, key).await;
        assert!(after == before, "acknowledging {number} made {after:?} of {before:?}");
    }
    subject.acknowledge(none, MOMENT).await.must("acknowledging what is not there");
    let found = read(&**subject, none).await;
    assert!(found.is_none(), "acknowledging what is not there made {found:?}");
}

/// Start changes nothing of a row that was advanced.
pub async fn start_leaves_an_advanced_row_as_it_is<S: MonotonicStore>(subject: &Subject<S>) {
    let group = subject.name("session");
    let key = Key::field(&group, "started again");
    begun(subject, key).await;
    is_done(advance(&**subject, key, MOMENT).await, MOMENT);
    let before = read(&**subject, key).await;
    begun(subject, key).await;
    let after = read(&**subject, key).await;
    assert!(after == before, "starting a row again made {after:?} of {before:?}");
}

/// After a raise the number before is not read any more, though it was not acknowledged.
pub async fn raise_ends_the_number_before<S: MonotonicStore>(subject: &Subject<S>) {
    let group = subject.name("session");
    let key = Key::field(&group, "raised");
    begun(subject, key).await;
    is_done(advance(&**subject, key, MOMENT).await, MOMENT);
    subject.raise(key, 0, Timestamp::MAX).await.must("raising a row");
    is_begun(read(&**subject, key).await, MOMENT + 2, "a row that was advanced and raised");
}

/// A row that is advanced is kept for as long as was said before, if that is longer.
pub async fn advance_shortens_no_time<S: MonotonicStore>(subject: &Subject<S>) {
    let group = subject.name("session");
    let key = Key::field(&group, "longer");
    begun(subject, key).await;
    let soon = subject.now().plus(Duration::from_millis(100));
    let done = subject.advance(key, MOMENT, UNTIL, soon).await.must("advancing a row");
    is_done(done, MOMENT);
    subject.pass(Duration::from_millis(1200)).await;
    let number = read(&**subject, key).await.map(|row| row.number);
    assert!(number == Some(MOMENT + 1), "a row for ever, advanced for a moment, is at {number:?}");
}

/// An advance that is dropped after any number of polls took place or did not, and the next goes on.
pub async fn a_dropped_advance_leaves_order<S: MonotonicStore>(subject: &Subject<S>) {
    let group = subject.name("session");
    let key = Key::field(&group, "dropped");
    begun(subject, key).await;
    let mut number = MOMENT;
    for polls in 0..5 {
        let _ = poll_then_drop(subject.advance(key, number, UNTIL, Timestamp::MAX), polls).await;
        let after = read(&**subject, key).await.map_or(0, |row| row.number);
        assert!(
            (number..=number + 1).contains(&after),
            "around an advance that was dropped at poll {polls} a row went {number}, {after}"
        );
        is_done(advance(&**subject, key, after).await, after);
        number = after + 1;
    }
}
