//! A lease backend in a map.

mod contracts;
mod flaw;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Age, Ask, Clock, Entry, Error, ErrorKind, Freshness, Held, Key, KeyBuf, Lease, Result,
    Timestamp,
};
use tokio::sync::Notify;

pub use self::flaw::LeaseFlaw;
use super::locked;
use crate::ManualClock;

/// The largest value it keeps.
const LIMIT: usize = 1 << 20;

/// A lease backend in a map, with a flaw or without. Clones are handles of one store.
#[derive(Debug)]
pub struct WrongLeaseBackend {
    flaw: Option<LeaseFlaw>,
    clock: ManualClock,
    shared: Arc<Shared>,
    handle: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    freed: Notify,
    handles: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    kept: HashMap<KeyBuf, Entry<Bytes>>,
    held: HashMap<(KeyBuf, u64), Hold>,
    granted: u128,
    /// How leases ended that did not run out.
    ended: HashMap<Lease, Ended>,
    refused: HashMap<(KeyBuf, Option<tokio::task::Id>), usize>,
    waits: usize,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    lease: Lease,
    ends: Timestamp,
    /// It can do nothing any more, and still keeps others out.
    void: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Filled,
    Released,
    Set,
    Deleted,
}

impl WrongLeaseBackend {
    /// A lease backend with this flaw, or a sound one, whose leases end by this clock.
    #[must_use]
    pub fn new(flaw: Option<LeaseFlaw>, clock: ManualClock) -> Self {
        Self { flaw, clock, shared: Arc::default(), handle: 0 }
    }

    fn has(&self, flaw: LeaseFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn slot(&self, key: Key<'_>) -> (KeyBuf, u64) {
        (KeyBuf::from(key), if self.has(LeaseFlaw::LeasesPerHandle) { self.handle } else { 0 })
    }

    fn wake(&self) {
        match self.has(LeaseFlaw::WakesOne) {
            true => self.shared.freed.notify_one(),
            false => self.shared.freed.notify_waiters(),
        }
    }

    fn ends(&self, lease_for: Duration) -> Timestamp {
        let now = self.clock.now();
        match self.flaw {
            Some(LeaseFlaw::RoundsLeasesUp) => {
                now.plus(Duration::from_secs(lease_for.as_secs() + 1))
            }
            Some(LeaseFlaw::EndsEarly) => now.plus(lease_for / 2),
            _ => now.plus(lease_for),
        }
    }

    fn holder(&self, state: &State, slot: &(KeyBuf, u64)) -> Option<Hold> {
        state.held.get(slot).copied().filter(|hold| hold.ends > self.clock.now())
    }

    fn age(&self, freshness: &Freshness, entry: &Entry<Bytes>) -> Age {
        let mut seen = entry.clone();
        match self.flaw {
            Some(LeaseFlaw::ServesDead) => seen.created = seen.created.max(freshness.dead_before()),
            Some(LeaseFlaw::ServesOtherVersions) => {
                seen.version = freshness.policy().version().unwrap_or(seen.version);
            }
            Some(LeaseFlaw::IgnoresExpires) => seen.expires = Timestamp::MAX,
            Some(LeaseFlaw::TrustsTheFuture) => seen.created = seen.created.min(freshness.now()),
            _ => {}
        }
        freshness.age(&seen)
    }

    /// What is there for this reader, as `Ok` if it is fresh and as `Err` if it may be stale.
    fn look(&self, ask: &Ask<'_>) -> Result<Entry<Bytes>, Option<Entry<Bytes>>> {
        let found = locked(&self.shared.state).kept.get(&KeyBuf::from(ask.key)).cloned();
        match found {
            Some(entry) => match self.age(&ask.freshness, &entry) {
                Age::Fresh => Ok(entry),
                Age::Stale => Err(Some(entry)),
                Age::Dead => Err(None),
            },
            None => Err(None),
        }
    }

    fn is_free(&self, ask: &Ask<'_>) -> bool {
        let state = &mut *locked(&self.shared.state);
        let slot = self.slot(ask.key);
        let busy = self.holder(state, &slot).is_some();
        let refused = state.refused.entry((slot.0, tokio::task::try_id())).or_default();
        *refused += usize::from(busy);
        match self.flaw {
            Some(LeaseFlaw::GivesAtTheThirdAsking) if *refused == 3 => true,
            Some(LeaseFlaw::HoldsSixtyFour) => !busy && state.held.len() < 64,
            _ => !busy,
        }
    }

    fn grant(&self, ask: &Ask<'_>, ends: Timestamp) -> Lease {
        let mut state = locked(&self.shared.state);
        state.granted += 1;
        let wraps = self.has(LeaseFlaw::WrapsTokens);
        let lease = Lease::new(if wraps { state.granted % 32 } else { state.granted });
        state.held.insert(self.slot(ask.key), Hold { lease, ends, void: false });
        lease
    }

    /// Whether this lease is the present holder's, and good for this.
    fn holds(&self, state: &State, key: Key<'_>, lease: Lease) -> bool {
        state.held.get(&self.slot(key)).is_some_and(|hold| hold.lease == lease && !hold.void)
    }

    fn end(&self, state: &mut State, key: Key<'_>, how: Ended) {
        let slot = self.slot(key);
        let Some(hold) = state.held.get_mut(&slot) else { return };
        state.ended.insert(hold.lease, how);
        let stays = match self.flaw {
            Some(LeaseFlaw::HoldsAfterFill) => how == Ended::Filled,
            Some(LeaseFlaw::BusyAfterSet) => how == Ended::Set,
            Some(LeaseFlaw::BusyAfterDelete) => how == Ended::Deleted,
            _ => false,
        };
        match stays {
            true => hold.void = true,
            false => _ = state.held.remove(&slot),
        }
    }

    fn fill_one(
        &self,
        key: Key<'_>,
        lease: Lease,
        mut entry: Entry<Bytes>,
        alone: bool,
    ) -> Result<Held> {
        let mut state = locked(&self.shared.state);
        let ended = state.ended.get(&lease).copied();
        let granted = lease.token() <= state.granted;
        let held = self.holds(&state, key, lease);
        let right = held
            || alone
                && match self.flaw {
                    Some(LeaseFlaw::FillsForFormerHolders) => granted && ended.is_none(),
                    Some(LeaseFlaw::FillsForStrangers) => !granted,
                    Some(LeaseFlaw::FillsTwice) => ended == Some(Ended::Filled),
                    Some(LeaseFlaw::FillsOverSet) => ended == Some(Ended::Set),
                    Some(LeaseFlaw::FillsOverDelete) => ended == Some(Ended::Deleted),
                    _ => false,
                };
        if !right {
            return Ok(Held::Lost);
        }
        if entry.value.len() > LIMIT {
            if !self.has(LeaseFlaw::HoldsWhatIsTooLarge) {
                self.end(&mut state, key, Ended::Released);
            }
            return Err(too_large(entry.value.len()));
        }
        let late = self.holder(&state, &self.slot(key)).is_none();
        if self.has(LeaseFlaw::FillsWithoutVersion) {
            entry.version = 0;
        }
        state.kept.insert(KeyBuf::from(key), entry);
        self.end(&mut state, key, if alone { Ended::Filled } else { Ended::Released });
        match self.has(LeaseFlaw::DeniesLateFills) && late {
            true => Ok(Held::Lost),
            false => Ok(Held::Kept),
        }
    }
}

fn too_large(size: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("{size} bytes, and at most {LIMIT} are kept"))
}

impl Clone for WrongLeaseBackend {
    fn clone(&self) -> Self {
        Self {
            flaw: self.flaw,
            clock: self.clock.clone(),
            shared: Arc::clone(&self.shared),
            handle: self.shared.handles.fetch_add(1, Ordering::SeqCst) + 1,
        }
    }
}
