//! A store with which something is wrong.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it"
)]

use std::sync::{Arc, Mutex};

use cookie_session::generation::{
    Advance, Generation, GenerationStore, MemoryStore, MonotonicStore,
};
use dogpile_core::{Error, ErrorKind, Key, Result, Timestamp};

/// A store in memory that can be told to do wrong. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Shaky {
    rows: Arc<Mutex<MemoryStore>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    trouble: Trouble,
    forgotten: Option<&'static str>,
    rival: Option<(&'static str, &'static str)>,
    calls: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Trouble {
    #[default]
    None,
    /// Every operation fails.
    Down,
    /// No operation ends.
    Hangs,
    /// Every operation is carried out, and then fails.
    LosesAnswers,
    /// Nothing is read, while rows can be changed.
    ReadsNothing,
    /// Rows are raised, and are then as they were: power fails, or a backup is restored.
    LosesRaises,
}

impl Shaky {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn trouble(&self, trouble: Trouble) {
        self.state.lock().unwrap().trouble = trouble;
    }

    /// Rows of this scope are not found any more.
    pub fn forget(&self, scope: &'static str) {
        self.state.lock().unwrap().forgotten = Some(scope);
    }

    /// The next call of this name for a row of this scope comes second: another one has just raised it.
    pub fn rival(&self, call: &'static str, scope: &'static str) {
        self.state.lock().unwrap().rival = Some((call, scope));
    }

    /// Whether the rival came.
    pub fn rival_came(&self) -> bool {
        self.state.lock().unwrap().rival.is_none()
    }

    /// Everything is lost.
    pub fn wipe(&self) {
        *self.rows.lock().unwrap() = MemoryStore::new();
    }

    /// The operations since the last call.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    pub fn rows(&self) -> MemoryStore {
        self.rows.lock().unwrap().clone()
    }

    async fn let_rival_go_first(&self, call: &str, key: Key<'_>) -> Result<()> {
        let is_next = |rival: &mut (&str, &str)| rival.0 == call && is_of(key, rival.1);
        let rival = self.state.lock().unwrap().rival.take_if(is_next);
        match rival {
            Some(_) => self.rows().raise(key, 0, Timestamp::MAX).await.map(drop),
            None => Ok(()),
        }
    }

    async fn does<T>(
        &self,
        call: &'static str,
        operation: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let trouble = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(call);
            state.trouble
        };
        let down = || Error::new(ErrorKind::Unavailable, "the store is down");
        match trouble {
            Trouble::None | Trouble::LosesRaises => operation.await,
            Trouble::ReadsNothing if call != "read" => operation.await,
            Trouble::Down | Trouble::ReadsNothing => Err(down()),
            Trouble::Hangs => std::future::pending().await,
            Trouble::LosesAnswers => operation.await.and(Err(down())),
        }
    }
}

/// Groups are written as `(scope,audience,purpose)`.
fn is_of(key: Key<'_>, scope: &str) -> bool {
    key.group().unwrap().starts_with(format!("({scope},").as_bytes())
}

impl GenerationStore for Shaky {
    async fn read(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Generation>>> {
        let mut rows = self.does("read", self.rows().read(keys)).await?;
        let forgotten = self.state.lock().unwrap().forgotten;
        for (row, key) in rows.iter_mut().zip(keys) {
            row.take_if(|_| forgotten.is_some_and(|scope| is_of(*key, scope)));
        }
        Ok(rows)
    }

    async fn start(&self, key: Key<'_>, number: u64, keep_until: Timestamp) -> Result<u64> {
        self.does("start", self.rows().start(key, number, keep_until)).await
    }

    async fn raise(&self, key: Key<'_>, at_least: u64, keep_until: Timestamp) -> Result<u64> {
        self.let_rival_go_first("raise", key).await?;
        if self.state.lock().unwrap().trouble == Trouble::LosesRaises {
            let rows = self.rows().read(&[key]).await?;
            return Ok(rows[0].map_or(1, |row| row.number + 1).max(at_least));
        }
        self.does("raise", self.rows().raise(key, at_least, keep_until)).await
    }
}

impl MonotonicStore for Shaky {
    async fn advance(
        &self,
        key: Key<'_>,
        expected: u64,
        previous_until: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Advance> {
        self.let_rival_go_first("advance", key).await?;
        self.does("advance", self.rows().advance(key, expected, previous_until, keep_until)).await
    }

    async fn acknowledge(&self, key: Key<'_>, number: u64) -> Result<()> {
        self.does("acknowledge", self.rows().acknowledge(key, number)).await
    }
}
