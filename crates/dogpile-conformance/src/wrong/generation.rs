//! Generations in a map.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cookie_session::generation::{Advance, Generation, GenerationStore, MonotonicStore};
use dogpile_core::{Clock, Error, ErrorKind, Key, KeyBuf, Result, Timestamp};
use tokio::task::yield_now;

use super::{flaws, locked};
use crate::ManualClock;

flaws! {
    /// Ways in which a store of generations can be wrong.
    GenerationFlaw {
        /// Answers a row at zero for one that is not there.
        BeginsByReading => a_row_that_is_not_there_is_none answers_are_in_the_order_of_the_keys,
        /// Leaves out of the answers what is not there.
        AnswersWhatThereIs => answers_are_in_the_order_of_the_keys a_row_that_is_not_there_is_none,
        /// Compares names without their case.
        IgnoresCase => rows_are_told_apart,
        /// Begins rows a number later.
        StartsLater => start_begins_a_row answers_are_in_the_order_of_the_keys rows_are_told_apart
            start_leaves_a_row_as_it_is raise_adds_one raise_never_falls_to_at_least numbers_are_exact a_row_is_kept_until_its_time
            a_row_past_its_time_is_there_or_not raise_shortens_no_time handles_share_rows,
        /// Begins anew what there is.
        StartsAnew => start_leaves_a_row_as_it_is many_starts_answer_one_number handles_share_rows,
        /// Looks whether there is a row, and starts it a moment later.
        LooksThenStarts => many_starts_answer_one_number,
        /// Begins at `at_least`, be it zero.
        RaisesToZero => raise_begins_a_row many_raises_give_different_numbers,
        /// Adds two to a number below a hundred.
        AddsTwo => raise_adds_one many_raises_give_different_numbers
            handles_share_rows a_dropped_raise_leaves_order,
        /// Does not look at `at_least` where there is a row.
        IgnoresAtLeast => raise_rises_to_at_least,
        /// Stays where it is if that is `at_least`.
        StaysAtLeast => raise_never_falls_to_at_least,
        /// Looks, and raises a moment later.
        LooksThenRaises => many_raises_give_different_numbers,
        /// Keeps numbers as floats.
        KeepsFloats => numbers_are_exact,
        /// Stays at its end and says nothing.
        StaysAtTheEnd => a_full_row_refuses,
        /// Keeps rows for three quarters of their time.
        ForgetsSoon => a_row_is_kept_until_its_time,
        /// Finds a row past its time when it is to start it, and not when it is to read it.
        StartsThePast => a_row_past_its_time_is_there_or_not,
        /// Keeps a row until what was said last.
        ShortensRaised => raise_shortens_no_time,
        /// Each handle has its own rows.
        KeepsPerHandle => handles_share_rows,
        /// Adds two and takes one back a moment later.
        AddsTwoFirst => a_dropped_raise_leaves_order,
    }
}

flaws! {
    /// Ways in which a store that compares and sets can be wrong.
    MonotonicFlaw {
        /// Says that it advanced, and did not.
        StaysWhereItIs => advance_goes_to_the_next advance_from_another_number_changes_nothing
            an_advance_is_not_acknowledged of_many_advances_one_is_done acknowledge_marks_the_present
            raise_ends_the_number_before advance_shortens_no_time a_dropped_advance_leaves_order,
        /// Takes a number that is not above the present for it.
        ComparesLoosely => advance_from_another_number_changes_nothing of_many_advances_one_is_done,
        /// Begins the row that it is to advance.
        BeginsRows => advance_begins_no_row,
        /// Takes a number for acknowledged that nobody came with.
        AcknowledgesItself => an_advance_is_not_acknowledged,
        /// Compares, and sets a moment later.
        ComparesThenSets => of_many_advances_one_is_done,
        /// Acknowledges nothing.
        AcknowledgesNothing => acknowledge_marks_the_present,
        /// Acknowledges the number before, too.
        AcknowledgesAny => acknowledge_of_another_number_changes_nothing,
        /// Takes a start of what there is for its acknowledgement.
        StartAcknowledges => start_leaves_an_advanced_row_as_it_is,
        /// Leaves the number before readable.
        RaisesSoftly => raise_ends_the_number_before,
        /// Keeps a row until what was said last.
        ShortensAdvanced => advance_shortens_no_time,
        /// Adds two and takes one back a moment later.
        AdvancesTwoFirst => a_dropped_advance_leaves_order,
    }
}

/// Generations in a map, with a flaw or without. Clones are handles of the same rows.
#[derive(Debug)]
pub struct WrongGenerations {
    flaw: Option<GenerationFlaw>,
    monotonic: Option<MonotonicFlaw>,
    rows: Arc<Mutex<HashMap<(u64, KeyBuf), Row>>>,
    handles: Arc<AtomicU64>,
    handle: u64,
    clock: ManualClock,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    generation: Generation,
    keep_until: Timestamp,
}

impl WrongGenerations {
    /// A store with this flaw, or a sound one.
    #[must_use]
    pub fn new(flaw: Option<GenerationFlaw>, clock: ManualClock) -> Self {
        let (rows, handles) = (Arc::default(), Arc::default());
        Self { flaw, monotonic: None, rows, handles, handle: 0, clock }
    }

    /// A store with this flaw in what it does beyond others, or a sound one.
    #[must_use]
    pub fn monotonic(flaw: Option<MonotonicFlaw>, clock: ManualClock) -> Self {
        Self { monotonic: flaw, ..Self::new(None, clock) }
    }

    fn has(&self, flaw: GenerationFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn slot(&self, key: Key<'_>) -> (u64, KeyBuf) {
        let lower = key.as_bytes().to_ascii_lowercase();
        let handle = if self.has(GenerationFlaw::KeepsPerHandle) { self.handle } else { 0 };
        let name = if self.has(GenerationFlaw::IgnoresCase) { &lower } else { key.as_bytes() };
        (handle, Key::field(key.group().unwrap_or_default(), name).into())
    }

    /// Changes the row of a key, which may not be there, in one step.
    fn change<T>(&self, key: Key<'_>, change: impl FnOnce(&mut Option<Row>) -> T) -> T {
        let now = self.clock.now();
        let (mut rows, slot) = (locked(&self.rows), self.slot(key));
        let keeps_all = self.has(GenerationFlaw::StartsThePast);
        let mut row = rows.remove(&slot).filter(|row| keeps_all || now <= row.keep_until);
        let answer = change(&mut row);
        if let Some(row) = &mut row
            && self.has(GenerationFlaw::KeepsFloats)
        {
            row.generation.number = float(row.generation.number);
        }
        row.into_iter().for_each(|row| _ = rows.insert(slot.clone(), row));
        answer
    }

    fn row(&self, key: Key<'_>) -> Option<Row> {
        self.change(key, |row| *row)
    }

    fn begun(&self, number: u64, keep_until: Timestamp) -> Row {
        let is_short = self.has(GenerationFlaw::ForgetsSoon) && keep_until != Timestamp::MAX;
        let now = self.clock.now();
        let soon = now.plus(keep_until.since(now) * 3 / 4);
        let keep_until = if is_short { soon } else { keep_until };
        Row { generation: Generation::begun(number), keep_until }
    }

    fn next(&self, before: Option<u64>, at_least: u64) -> Result<u64> {
        let full = || Error::new(ErrorKind::Refused, "the row is at its end");
        Ok(match (before, self.flaw) {
            (None, Some(GenerationFlaw::RaisesToZero)) => at_least,
            (None, _) => at_least.max(1),
            (Some(before), Some(GenerationFlaw::AddsTwo)) if before < 100 => {
                (before + 2).max(at_least)
            }
            (Some(before), Some(GenerationFlaw::IgnoresAtLeast)) => {
                before.checked_add(1).ok_or_else(full)?
            }
            (Some(before), Some(GenerationFlaw::StaysAtLeast))
                if before == at_least && before < SIGNED =>
            {
                before
            }
            (Some(before), Some(GenerationFlaw::StaysAtTheEnd)) => {
                before.saturating_add(1).max(at_least)
            }
            (Some(before), _) => before.checked_add(1).ok_or_else(full)?.max(at_least),
        })
    }
}

/// Above it, to stay is to be full.
const SIGNED: u64 = i64::MAX as u64;

impl Clone for WrongGenerations {
    fn clone(&self) -> Self {
        Self {
            flaw: self.flaw,
            monotonic: self.monotonic,
            rows: Arc::clone(&self.rows),
            handles: Arc::clone(&self.handles),
            handle: self.handles.fetch_add(1, Ordering::SeqCst) + 1,
            clock: self.clock.clone(),
        }
    }
}

impl GenerationStore for WrongGenerations {
    async fn read(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Generation>>> {
        let now = self.clock.now();
        let present = |key: &Key<'_>| self.row(*key).filter(|row| now <= row.keep_until);
        let mut rows: Vec<_> =
            keys.iter().map(|key| present(key).map(|row| row.generation)).collect();
        match self.flaw {
            Some(GenerationFlaw::BeginsByReading) => {
                rows.iter_mut().for_each(|row| *row = row.or(Some(Generation::begun(0))));
            }
            Some(GenerationFlaw::AnswersWhatThereIs) => rows.retain(Option::is_some),
            _ => {}
        }
        Ok(rows)
    }

    async fn start(&self, key: Key<'_>, number: u64, keep_until: Timestamp) -> Result<u64> {
        let number = if self.has(GenerationFlaw::StartsLater) { number + 1 } else { number };
        let begun = self.begun(number, keep_until);
        if self.has(GenerationFlaw::LooksThenStarts) {
            let looked = self.row(key);
            yield_now().await;
            return Ok(
                self.change(key, |row| row.insert(looked.unwrap_or(begun)).generation.number)
            );
        }
        Ok(self.change(key, |row| {
            if self.has(GenerationFlaw::StartsAnew) {
                *row = None;
            }
            let row = row.get_or_insert(begun);
            row.generation.acknowledged |= self.monotonic == Some(MonotonicFlaw::StartAcknowledges);
            row.generation.number
        }))
    }

    async fn raise(&self, key: Key<'_>, at_least: u64, keep_until: Timestamp) -> Result<u64> {
        if self.has(GenerationFlaw::LooksThenRaises) {
            let next = self.next(self.row(key).map(|row| row.generation.number), at_least)?;
            yield_now().await;
            self.change(key, |row| {
                let until = row.map_or(keep_until, |row| row.keep_until.max(keep_until));
                *row = Some(self.begun(next, until));
            });
            return Ok(next);
        }
        let next = self.change(key, |row| {
            let next = self.next(row.map(|row| row.generation.number), at_least)?;
            let until = match row {
                Some(row) if !self.has(GenerationFlaw::ShortensRaised) => {
                    row.keep_until.max(keep_until)
                }
                _ => keep_until,
            };
            let before = row.map(|row| row.generation);
            let raised = row.insert(self.begun(next, until));
            if let Some(before) = before
                && self.monotonic == Some(MonotonicFlaw::RaisesSoftly)
            {
                raised.generation = Generation { number: next, ..before };
            }
            Ok(next)
        })?;
        if self.has(GenerationFlaw::AddsTwoFirst) {
            self.two_first(key, next).await;
        }
        Ok(next)
    }
}

impl WrongGenerations {
    /// One more than the number, and the number again a moment later. Not in a spawned task, where
    /// others would see it, and no test drops it.
    async fn two_first(&self, key: Key<'_>, number: u64) {
        if tokio::task::try_id().is_none() && number < SIGNED {
            let put = |number| {
                self.change(key, |row| {
                    row.iter_mut().for_each(|row| row.generation.number = number)
                })
            };
            put(number + 1);
            yield_now().await;
            put(number);
        }
    }
}

impl MonotonicStore for WrongGenerations {
    async fn advance(
        &self,
        key: Key<'_>,
        expected: u64,
        previous_until: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Advance> {
        let flaw = self.monotonic;
        let looked = self.row(key);
        if flaw == Some(MonotonicFlaw::ComparesThenSets) {
            yield_now().await;
        }
        let answer = self.change(key, |row| {
            if flaw == Some(MonotonicFlaw::BeginsRows) && row.is_none() {
                *row = Some(self.begun(expected, keep_until));
            }
            let Some(present) = row else { return Advance::Conflict(None) };
            let compared = match flaw {
                Some(MonotonicFlaw::ComparesThenSets) => {
                    looked.map_or(0, |looked| looked.generation.number)
                }
                _ => present.generation.number,
            };
            let is_expected = match flaw {
                Some(MonotonicFlaw::ComparesLoosely) => expected <= compared,
                _ => expected == compared,
            };
            if !is_expected {
                return Advance::Conflict(Some(present.generation));
            }
            if flaw == Some(MonotonicFlaw::StaysWhereItIs) {
                return Advance::Done;
            }
            let acknowledged = flaw == Some(MonotonicFlaw::AcknowledgesItself);
            present.generation = Generation { number: compared + 1, previous_until, acknowledged };
            present.keep_until = match flaw {
                Some(MonotonicFlaw::ShortensAdvanced) => keep_until,
                _ => present.keep_until.max(keep_until),
            };
            Advance::Done
        });
        if flaw == Some(MonotonicFlaw::AdvancesTwoFirst) && answer == Advance::Done {
            self.two_first(key, expected + 1).await;
        }
        Ok(answer)
    }

    async fn acknowledge(&self, key: Key<'_>, number: u64) -> Result<()> {
        let flaw = self.monotonic;
        self.change(key, |row| {
            let Some(row) = row else { return };
            let is_present = row.generation.number == number
                || (flaw == Some(MonotonicFlaw::AcknowledgesAny)
                    && row.generation.number == number + 1);
            row.generation.acknowledged |=
                is_present && flaw != Some(MonotonicFlaw::AcknowledgesNothing);
        });
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "that is the flaw")]
fn float(number: u64) -> u64 {
    number as f64 as u64
}
