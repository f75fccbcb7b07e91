//! Creations that others wait for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{Entry, Error, ErrorKind, KeyBuf, Made, Result, Served, ServedBy};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::locked;
use super::{ReadThroughFlaw, State, WrongReadThrough};

tokio::task_local! {
    /// The keys that the present task creates.
    pub(super) static CREATING: Vec<KeyBuf>;
}

/// One creation and those who wait for it.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) end: watch::Sender<Option<End>>,
    pub(super) began: Instant,
    pub(super) lease_for: Duration,
    pub(super) of_many: bool,
    pub(super) counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) callers: usize,
    pub(super) waiters: usize,
    pub(super) overruled: Option<Overruled>,
}

#[derive(Clone, Debug)]
pub(super) enum End {
    Made(Entry<Bytes>, bool),
    Failed(Error),
    GaveUp,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Overruled {
    Set,
    Deleted,
}

/// The turn to create, until it is finished or dropped.
#[derive(Debug)]
pub(super) struct Mine {
    pub(super) cache: WrongReadThrough,
    pub(super) slot: KeyBuf,
    pub(super) flight: Arc<Flight>,
    /// What is served to the creator in place of what it makes.
    pub(super) instead: Option<Entry<Bytes>>,
    pub(super) done: bool,
}

impl Mine {
    /// The keys that are being created inside this creation.
    pub(super) fn chain(&self) -> Vec<KeyBuf> {
        let mut chain = CREATING.try_with(Clone::clone).unwrap_or_default();
        chain.push(self.slot.clone());
        chain
    }

    pub(super) fn finish(mut self, made: Result<Made<Bytes>>) -> Result<Served<Bytes>> {
        self.done = true;
        let cache = self.cache.clone();
        let mut state = locked(&cache.state);
        let first = state.turns == 1
            && state.flights.len() == 1
            && state.kept.is_empty()
            && !self.flight.of_many;
        self.leave(&mut state);
        let (waiters, overruled) = {
            let counts = locked(&self.flight.counts);
            (counts.waiters, counts.overruled)
        };
        let Made { entry, store, .. } = match made {
            Ok(made) => made,
            Err(error) => {
                match cache.flaw {
                    Some(ReadThroughFlaw::RemembersErrors) if !self.flight.of_many => {
                        state.errors.insert(self.slot.clone(), error.clone());
                    }
                    Some(ReadThroughFlaw::RemovesTheStale) => _ = state.kept.remove(&self.slot),
                    _ => {}
                }
                self.flight.end.send_replace(Some(End::Failed(error.clone())));
                return Err(error);
            }
        };
        let right = match cache.flaw {
            Some(ReadThroughFlaw::StoresOverSet) => overruled != Some(Overruled::Deleted),
            Some(ReadThroughFlaw::StoresOverDelete) => overruled != Some(Overruled::Set),
            _ => overruled.is_none(),
        };
        let stores = store.is_some() || cache.has(ReadThroughFlaw::StoresUnstored) && waiters == 0;
        if right && stores {
            let mut stored = entry.clone();
            if cache.has(ReadThroughFlaw::StoresWithoutVersion) {
                stored.version = 0;
            }
            state.kept.insert(self.slot.clone(), stored);
        }
        let alone =
            first && waiters == 0 && state.kept.len() == 1 && CREATING.try_with(|_| ()).is_err();
        let denies = cache.has(ReadThroughFlaw::DeniesTheFirst) && alone && overruled.is_none();
        drop(state);
        self.flight.end.send_replace(Some(End::Made(entry.clone(), store.is_some())));
        Ok(match self.instead.take() {
            Some(entry) => Served { entry, by: ServedBy::Stale },
            None if denies => Served { entry, by: ServedBy::Waited },
            None => Served { entry, by: ServedBy::Created },
        })
    }

    fn leave(&self, state: &mut State) {
        if state.flights.get(&self.slot).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            state.flights.remove(&self.slot);
        }
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let (panics, of_many) = (std::thread::panicking(), self.flight.of_many);
        let waiters = locked(&self.flight.counts).waiters;
        let keeps = match self.cache.flaw {
            Some(ReadThroughFlaw::KeepsTheTurnOfPanics) => panics,
            Some(ReadThroughFlaw::KeepsTheTurn) => !panics && !of_many && waiters == 0,
            Some(ReadThroughFlaw::KeepsTheTurnsOfMany) => !panics && of_many,
            _ => false,
        };
        if keeps {
            return;
        }
        self.leave(&mut locked(&self.cache.state));
        let fails = self.cache.has(ReadThroughFlaw::FailsWithTheCreator) && !panics;
        let error = || Error::new(ErrorKind::Unavailable, "the creator gave up");
        self.flight.end.send_replace(Some(if fails { End::Failed(error()) } else { End::GaveUp }));
    }
}

/// A waiter that spoils the flight when it gives up.
#[derive(Debug)]
pub(super) struct Spoiler(pub(super) Option<Arc<Flight>>);

impl Drop for Spoiler {
    fn drop(&mut self) {
        if let Some(flight) = &self.0 {
            let error = Error::new(ErrorKind::Unavailable, "somebody gave up");
            flight.end.send_replace(Some(End::Failed(error)));
        }
    }
}
