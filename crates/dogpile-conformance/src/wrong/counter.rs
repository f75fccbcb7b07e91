//! A counter in a map.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use dogpile_core::{Counter, Error, ErrorKind, Key, KeyBuf, Result};
use tokio::task::yield_now;

use super::{flaws, locked};

flaws! {
    /// Ways in which a counter can be wrong.
    CounterFlaw {
        /// Begins at one.
        BeginsAtOne => a_counter_begins_at_zero,
        /// Leaves five out.
        SkipsFive => bump_adds_one many_bumps_give_different_numbers a_dropped_bump_leaves_order,
        /// Rises to `at_least` only by more than two.
        IgnoresSmallRises => bump_rises_to_at_least,
        /// Stays where it is if that is `at_least`.
        StaysAtLeast => bump_never_falls_to_at_least,
        /// Counts from the third reading on.
        CountsReadings => reading_changes_nothing,
        /// Keeps numbers as floats.
        KeepsFloats => numbers_are_exact_to_the_end,
        /// Stays at its end and says nothing.
        StaysAtTheEnd => a_full_counter_refuses,
        /// Reads, and writes a moment later.
        ReadsThenWrites => many_bumps_give_different_numbers,
        /// Reads every other time what was there before.
        LagsUnderLoad => a_counter_never_falls,
        /// Writes group and field one after the other.
        JoinsGroupAndField => counters_are_told_apart,
        /// Each handle has its own counters.
        CountsPerHandle => handles_share_counters,
        /// Adds two and takes one back a moment later.
        AddsTwoFirst => a_dropped_bump_leaves_order,
    }
}

/// A counter in a map, with a flaw or without. Clones are handles of the same counters.
#[derive(Debug)]
pub struct WrongCounter {
    flaw: Option<CounterFlaw>,
    shared: Arc<Shared>,
    handle: u64,
}

#[derive(Debug, Default)]
struct Shared {
    counted: Mutex<HashMap<KeyBuf, Counted>>,
    handles: AtomicU64,
}

#[derive(Debug, Default)]
struct Counted {
    number: u64,
    readings: u64,
    bumps: u64,
}

impl WrongCounter {
    /// A counter with this flaw, or a sound one.
    #[must_use]
    pub fn new(flaw: Option<CounterFlaw>) -> Self {
        Self { flaw, shared: Arc::default(), handle: 0 }
    }

    fn has(&self, flaw: CounterFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn slot(&self, key: Key<'_>) -> KeyBuf {
        match (self.flaw, key.group()) {
            (Some(CounterFlaw::JoinsGroupAndField), Some(group)) => {
                KeyBuf::from(Key::name(&[group, key.as_bytes()].concat()))
            }
            (Some(CounterFlaw::CountsPerHandle), None) => {
                KeyBuf::from(Key::field(&self.handle.to_le_bytes(), key.as_bytes()))
            }
            _ => KeyBuf::from(key),
        }
    }

    fn next(&self, before: u64, at_least: u64) -> Result<u64> {
        let more = match self.flaw {
            Some(CounterFlaw::StaysAtTheEnd) => before.saturating_add(1),
            Some(CounterFlaw::SkipsFive) if before == 4 => 6,
            _ => before
                .checked_add(1)
                .ok_or_else(|| Error::new(ErrorKind::Refused, "the counter is at its end"))?,
        };
        Ok(match self.flaw {
            Some(CounterFlaw::IgnoresSmallRises) if at_least <= before.saturating_add(2) => more,
            Some(CounterFlaw::StaysAtLeast) if at_least == before && before > 0 => before,
            _ => more.max(at_least),
        })
    }
}

impl Clone for WrongCounter {
    fn clone(&self) -> Self {
        let handle = self.shared.handles.fetch_add(1, Ordering::SeqCst) + 1;
        Self { flaw: self.flaw, shared: Arc::clone(&self.shared), handle }
    }
}

impl Counter for WrongCounter {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        let mut counted = locked(&self.shared.counted);
        let Some(counted) = counted.get_mut(&self.slot(key)) else {
            return Ok(u64::from(self.has(CounterFlaw::BeginsAtOne)));
        };
        counted.readings += 1;
        Ok(match self.flaw {
            Some(CounterFlaw::CountsReadings) if counted.readings > 2 => counted.number + 1,
            Some(CounterFlaw::LagsUnderLoad) if counted.bumps > 20 && counted.readings % 2 == 0 => {
                counted.number / 2
            }
            _ => counted.number,
        })
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        let slot = self.slot(key);
        let before = locked(&self.shared.counted).get(&slot).map_or(0, |counted| counted.number);
        if self.has(CounterFlaw::ReadsThenWrites) {
            yield_now().await;
            let next = self.next(before, at_least)?;
            let mut counted = locked(&self.shared.counted);
            let counted = counted.entry(slot).or_default();
            counted.number = counted.number.max(next);
            return Ok(next);
        }
        let next = {
            let mut counted = locked(&self.shared.counted);
            let counted = counted.entry(slot.clone()).or_default();
            counted.number = self.next(counted.number, at_least)?;
            counted.bumps += 1;
            if self.has(CounterFlaw::KeepsFloats) {
                counted.number = float(counted.number);
            }
            counted.number
        };
        // Not in a spawned task, where others would see it, and no test drops it.
        if self.has(CounterFlaw::AddsTwoFirst) && tokio::task::try_id().is_none() && next < u64::MAX
        {
            let add = |to| {
                if let Some(counted) = locked(&self.shared.counted).get_mut(&slot) {
                    counted.number = to;
                }
            };
            add(next + 1);
            yield_now().await;
            add(next);
        }
        Ok(next)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "that is the flaw")]
fn float(number: u64) -> u64 {
    number as f64 as u64
}
