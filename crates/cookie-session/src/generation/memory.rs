//! Generations in this process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use dogpile_core::{Clock, Error, ErrorKind, Key, Result, SystemClock, Timestamp};

use super::store::{Advance, Generation, GenerationStore, MonotonicStore};

/// Generations in this process: for one server that may log everybody out when it restarts, and for
/// tests. Clones are the same store.
///
/// Rows past their time are dropped now and then when others are added.
///
/// ```
/// use cookie_session::generation::{GenerationStore, MemoryStore};
/// use dogpile_core::{Key, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// let store = MemoryStore::new();
/// let ada = Key::field("user", "Ada");
/// assert_eq!(store.start(ada, 1, Timestamp::MAX).await?, 1);
/// assert_eq!(store.raise(ada, 1, Timestamp::MAX).await?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    rows: Arc<RwLock<Rows>>,
    clock: Arc<dyn Clock>,
}

/// By group and then by name, so that a borrowed key finds its row without being copied.
#[derive(Default)]
struct Rows {
    names: ByName,
    groups: HashMap<Box<[u8]>, ByName>,
    count: usize,
    sweep_at: usize,
}

type ByName = HashMap<Box<[u8]>, Row>;

struct Row {
    generation: Generation,
    keep_until: Timestamp,
}

/// So many rows are not worth a sweep.
const FEW: usize = 1024;

impl MemoryStore {
    /// An empty store: no session that was begun before is valid.
    #[must_use]
    pub fn new() -> Self {
        Self { rows: Arc::default(), clock: Arc::new(SystemClock) }
    }

    /// The clock by which rows are past their time.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many rows are kept, with those that are past their time and not dropped yet.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).count
    }

    /// Changes the row of a key, where there is one that is not past its time.
    fn change<T>(
        &self,
        key: Key<'_>,
        change: impl FnOnce(Option<&mut Row>) -> (T, Option<Row>),
    ) -> T {
        let now = self.clock.now();
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let (answer, new) = change(rows.row_mut(key).filter(|row| now <= row.keep_until));
        if let Some(new) = new {
            rows.insert(key, new, now);
        }
        answer
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    /// How many rows there are, and not whose.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("rows", &self.row_count()).finish_non_exhaustive()
    }
}

impl GenerationStore for MemoryStore {
    async fn read(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Generation>>> {
        let now = self.clock.now();
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let read = |key: &Key<'_>| rows.row(*key).filter(|row| now <= row.keep_until);
        Ok(keys.iter().map(|key| read(key).map(|row| row.generation)).collect())
    }

    async fn start(&self, key: Key<'_>, number: u64, keep_until: Timestamp) -> Result<u64> {
        Ok(self.change(key, |row| match row {
            Some(row) => (row.generation.number, None),
            None => (number, Some(Row { generation: Generation::begun(number), keep_until })),
        }))
    }

    async fn raise(&self, key: Key<'_>, at_least: u64, keep_until: Timestamp) -> Result<u64> {
        self.change(key, |row| match row {
            Some(row) => {
                let full = || {
                    Error::new(
                        ErrorKind::Refused,
                        format!("the generation of {key} cannot grow any further"),
                    )
                };
                let next = row.generation.number.checked_add(1).ok_or_else(full);
                let next = next.map(|next| next.max(at_least));
                if let Ok(number) = next {
                    row.generation = Generation::begun(number);
                    row.keep_until = row.keep_until.max(keep_until);
                }
                (next, None)
            }
            None => {
                let number = at_least.max(1);
                (Ok(number), Some(Row { generation: Generation::begun(number), keep_until }))
            }
        })
    }
}

impl MonotonicStore for MemoryStore {
    async fn advance(
        &self,
        key: Key<'_>,
        expected: u64,
        previous_until: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Advance> {
        Ok(self.change(key, |row| {
            let Some(row) = row else { return (Advance::Conflict(None), None) };
            let next = expected.checked_add(1).filter(|_| row.generation.number == expected);
            let Some(number) = next else { return (Advance::Conflict(Some(row.generation)), None) };
            row.generation = Generation { number, previous_until, acknowledged: false };
            row.keep_until = row.keep_until.max(keep_until);
            (Advance::Done, None)
        }))
    }

    async fn acknowledge(&self, key: Key<'_>, number: u64) -> Result<()> {
        self.change(key, |row| {
            if let Some(row) = row.filter(|row| row.generation.number == number) {
                row.generation.acknowledged = true;
            }
            ((), None)
        });
        Ok(())
    }
}

impl Rows {
    fn row(&self, key: Key<'_>) -> Option<&Row> {
        match key.group() {
            None => self.names.get(key.as_bytes()),
            Some(group) => self.groups.get(group)?.get(key.as_bytes()),
        }
    }

    fn row_mut(&mut self, key: Key<'_>) -> Option<&mut Row> {
        match key.group() {
            None => self.names.get_mut(key.as_bytes()),
            Some(group) => self.groups.get_mut(group)?.get_mut(key.as_bytes()),
        }
    }

    fn insert(&mut self, key: Key<'_>, row: Row, now: Timestamp) {
        if self.count >= self.sweep_at.max(FEW) {
            self.sweep(now);
        }
        let names = match key.group() {
            None => &mut self.names,
            Some(group) => self.groups.entry(group.into()).or_default(),
        };
        if names.insert(key.as_bytes().into(), row).is_none() {
            self.count += 1;
        }
    }

    /// Drops the rows past their time. The next sweep is when there are twice as many as are left.
    fn sweep(&mut self, now: Timestamp) {
        let mut left = 0;
        for names in std::iter::once(&mut self.names).chain(self.groups.values_mut()) {
            names.retain(|_, row| now <= row.keep_until);
            left += names.len();
        }
        self.groups.retain(|_, names| !names.is_empty());
        self.count = left;
        self.sweep_at = left.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dogpile_conformance::ManualClock;
    use std::time::Duration;

    #[test]
    fn rows_past_their_time_are_dropped() {
        dogpile_conformance::run(async {
            let clock = ManualClock::new();
            let store = MemoryStore::new().with_clock(clock.clone());
            let soon = clock.now().plus(Duration::from_secs(60));
            store.start(Key::field("user", "Ada"), 1, Timestamp::MAX).await.unwrap();
            for round in 0..10_u32 {
                for number in 0..1000_u32 {
                    let name = [round.to_be_bytes(), number.to_be_bytes()].concat();
                    let until = soon.plus(Duration::from_secs(60) * round);
                    store.start(Key::field("session", &name), 1, until).await.unwrap();
                }
                clock.advance(Duration::from_secs(60));
            }
            assert!(store.row_count() < 4_000, "{} rows are kept", store.row_count());
            assert_eq!(
                store.read(&[Key::field("user", "Ada")]).await.unwrap(),
                [Some(Generation::begun(1))]
            );
        });
    }
}
