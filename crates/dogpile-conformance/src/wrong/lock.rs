//! A lock in a map.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile_core::{Clock, Error, ErrorKind, Held, Key, KeyBuf, Lease, Lock, Result, Timestamp};
use tokio::sync::Notify;
use tokio::task::yield_now;

use super::{flaws, locked};
use crate::ManualClock;

flaws! {
    /// Ways in which a lock can be wrong.
    LockFlaw {
        /// Gives a held lock to a task that asks three times.
        GivesAtTheThirdAsking => a_held_lock_is_refused,
        /// Looks whether the lock is free, and takes it a moment later.
        LooksThenTakes => one_of_many_gets_the_lock,
        /// Refuses a lock that was given back, once.
        GivesLate => unlock_frees tokens_are_never_used_again handles_exclude_each_other
            cancelled_waits_leak_nothing,
        /// Lets leases last half their time.
        EndsEarly => a_lease_lasts_its_time,
        /// Lets leases last whole seconds.
        RoundsLeasesUp => an_ended_lease_frees extend_counts_from_now any_lease_time_is_accepted
            is_locked_tells_the_holder a_dropped_try_lock_leaves_order a_foreign_lease_cannot_extend
            a_lost_lease_cannot_unlock a_lost_lease_cannot_extend a_lost_lease_cannot_abandon,
        /// Lengthens no lease.
        LengthensNothing => extend_lengthens_the_lease,
        /// Adds an extension to what was left.
        AddsExtensions => extend_counts_from_now,
        /// Has 64 tokens.
        WrapsTokens => tokens_are_never_used_again,
        /// Fails on a lease of many years.
        Overflows => any_lease_time_is_accepted,
        /// Tells of a holder until the next takes the lock.
        RemembersHolders => is_locked_tells_the_holder,
        /// Each handle has its own locks.
        LocksPerHandle => handles_exclude_each_other,
        /// Takes the lock for ever, and sets the end a moment later.
        EndsLater => a_dropped_try_lock_leaves_order,
        /// Unlocks with a token that was never granted.
        UnlocksForStrangers => a_foreign_lease_cannot_unlock,
        /// Extends with a token that was never granted.
        ExtendsForStrangers => a_foreign_lease_cannot_extend,
        /// Unlocks with a token that was granted once.
        UnlocksForFormerHolders => a_lost_lease_cannot_unlock,
        /// Extends with a token that was granted once.
        ExtendsForFormerHolders => a_lost_lease_cannot_extend,
        /// Lets a revoked holder extend, if nobody took the lock since.
        RevivesRevoked => revoke_takes_the_lock_away revoke_group_takes_its_locks_away,
        /// Revokes everything if asked to revoke several.
        RevokesAll => revoke_takes_these_only,
        /// Answers an error if there is nothing to revoke.
        MissesRevoked => revoking_nothing_is_no_error,
        /// Revokes one lock of a group.
        RevokesOneOfAGroup => revoke_group_takes_its_locks_away,
        /// Revokes the groups whose name starts with the group's.
        RevokesByPrefix => revoke_group_spares_the_rest,
        /// Keeps an abandoned lock for ever.
        KeepsAbandoned => abandon_frees,
        /// Lets anybody abandon a lock.
        AbandonsForAll => a_lost_lease_cannot_abandon,
        /// Waits for a free lock.
        WaitsForNothing => waiting_for_a_free_lock_is_no_wait,
        /// Wakes nobody by an unlock while one waits.
        ForgetsTheOnlyWaiter => unlock_ends_a_wait,
        /// Wakes nobody by an abandon.
        AbandonsInSilence => abandon_ends_a_wait,
        /// Wakes nobody by a revoke.
        RevokesInSilence => revoke_ends_a_wait,
        /// Waits longer than allowed.
        WaitsForEver => a_wait_has_an_end,
        /// Wakes one of those who wait.
        WakesOne => many_waiters_are_all_woken,
        /// Has room for 5,000 waits.
        LeaksWaits => cancelled_waits_leak_nothing,
        /// Has room for 64 holders.
        HoldsSixtyFour => keys_are_independent,
        /// Writes group and field one after the other.
        JoinsGroupAndField => groups_and_names_are_different_locks revoke_group_takes_its_locks_away,
        /// Takes upper case for lower case.
        FoldsCase => odd_names_are_different_locks,
    }
}

/// A lock in a map, with a flaw or without. Clones are handles of the same locks.
#[derive(Debug)]
pub struct WrongLock {
    flaw: Option<LockFlaw>,
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
    held: HashMap<KeyBuf, Hold>,
    granted: u128,
    revoked: HashSet<Lease>,
    refused: HashMap<(KeyBuf, Option<tokio::task::Id>), usize>,
    given_back: HashSet<KeyBuf>,
    waits: usize,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    lease: Lease,
    ends: Timestamp,
}

impl WrongLock {
    /// A lock with this flaw, or a sound one, whose leases end by this clock.
    #[must_use]
    pub fn new(flaw: Option<LockFlaw>, clock: ManualClock) -> Self {
        Self { flaw, clock, shared: Arc::default(), handle: 0 }
    }

    fn has(&self, flaw: LockFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn slot(&self, key: Key<'_>) -> KeyBuf {
        let name = key.as_bytes();
        match (self.flaw, key.group()) {
            (Some(LockFlaw::FoldsCase), None) => {
                KeyBuf::from(Key::name(&name.to_ascii_lowercase()))
            }
            (Some(LockFlaw::JoinsGroupAndField), Some(group)) => {
                KeyBuf::from(Key::field("", &[group, name].concat()))
            }
            (Some(LockFlaw::LocksPerHandle), None) => {
                KeyBuf::from(Key::field(&self.handle.to_le_bytes(), name))
            }
            _ => KeyBuf::from(key),
        }
    }

    fn ends(&self, lease_for: Duration) -> Timestamp {
        let now = self.clock.now();
        match self.flaw {
            Some(LockFlaw::RoundsLeasesUp) => {
                now.plus(Duration::from_secs(lease_for.as_secs().saturating_add(1)))
            }
            Some(LockFlaw::EndsEarly) => now.plus(lease_for / 2),
            _ => now.plus(lease_for),
        }
    }

    fn holder(&self, state: &State, slot: &KeyBuf) -> Option<Hold> {
        state.held.get(slot).copied().filter(|hold| hold.ends > self.clock.now())
    }

    fn wake(&self) {
        match self.has(LockFlaw::WakesOne) {
            true => self.shared.freed.notify_one(),
            false => self.shared.freed.notify_waiters(),
        }
    }

    /// Ends the holds that are to go; whether there were any.
    fn remove(&self, mut goes: impl FnMut(Key<'_>) -> bool) -> bool {
        let mut state = locked(&self.shared.state);
        let gone: Vec<_> = state.held.keys().filter(|slot| goes(slot.as_key())).cloned().collect();
        for slot in &gone {
            if let Some(hold) = state.held.remove(slot) {
                state.revoked.insert(hold.lease);
            }
        }
        drop(state);
        if !self.has(LockFlaw::RevokesInSilence) {
            self.wake();
        }
        !gone.is_empty()
    }
}

impl Clone for WrongLock {
    fn clone(&self) -> Self {
        Self {
            flaw: self.flaw,
            clock: self.clock.clone(),
            shared: Arc::clone(&self.shared),
            handle: self.shared.handles.fetch_add(1, Ordering::SeqCst) + 1,
        }
    }
}

impl Lock for WrongLock {
    async fn try_lock(&self, key: Key<'_>, lease_for: Duration) -> Result<Option<Lease>> {
        const YEARS: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
        if self.has(LockFlaw::Overflows) && lease_for > YEARS {
            return Err(Error::new(ErrorKind::Unavailable, "the end is out of range"));
        }
        let slot = self.slot(key);
        let mut busy = self.holder(&locked(&self.shared.state), &slot).is_some();
        if self.has(LockFlaw::LooksThenTakes) {
            yield_now().await;
        } else {
            let state = &mut *locked(&self.shared.state);
            busy = self.holder(state, &slot).is_some();
            let asking = (slot.clone(), tokio::task::try_id());
            let refused = state.refused.entry(asking).or_default();
            *refused += usize::from(busy);
            busy = match self.flaw {
                Some(LockFlaw::GivesAtTheThirdAsking) => busy && *refused < 3,
                Some(LockFlaw::GivesLate) => state.given_back.remove(&slot) || busy,
                Some(LockFlaw::HoldsSixtyFour) => busy || state.held.len() >= 64,
                _ => busy,
            };
            if !busy {
                // Taken before anything can come between, as it has to be.
                state
                    .held
                    .insert(slot.clone(), Hold { lease: Lease::new(0), ends: Timestamp::MAX });
            }
        }
        if busy {
            return Ok(None);
        }
        if self.has(LockFlaw::EndsLater) {
            yield_now().await;
        }
        let mut state = locked(&self.shared.state);
        state.granted += 1;
        let token =
            if self.has(LockFlaw::WrapsTokens) { state.granted % 64 } else { state.granted };
        let hold = Hold { lease: Lease::new(token), ends: self.ends(lease_for) };
        state.held.insert(slot, hold);
        Ok(Some(hold.lease))
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        let (slot, ends) = (self.slot(key), self.ends(lease_for));
        let mut state = locked(&self.shared.state);
        let (granted, revoked) = (state.granted, state.revoked.contains(&lease));
        let Some(hold) = state.held.get_mut(&slot) else {
            if self.has(LockFlaw::RevivesRevoked) && revoked {
                state.held.insert(slot, Hold { lease, ends });
                return Ok(Held::Kept);
            }
            return Ok(Held::Lost);
        };
        let right = hold.lease == lease
            || match self.flaw {
                Some(LockFlaw::ExtendsForStrangers) => lease.token() > granted,
                Some(LockFlaw::ExtendsForFormerHolders) => lease.token() <= granted && !revoked,
                _ => false,
            };
        if !right {
            return Ok(Held::Lost);
        }
        hold.ends = match self.flaw {
            Some(LockFlaw::LengthensNothing) => hold.ends.min(ends),
            Some(LockFlaw::AddsExtensions) => hold.ends.plus(lease_for),
            _ => ends,
        };
        Ok(Held::Kept)
    }

    async fn unlock(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        let slot = self.slot(key);
        let mut state = locked(&self.shared.state);
        let (granted, revoked) = (state.granted, state.revoked.contains(&lease));
        let right = state.held.get(&slot).is_some_and(|hold| {
            hold.lease == lease
                || match self.flaw {
                    Some(LockFlaw::UnlocksForStrangers) => lease.token() > granted,
                    Some(LockFlaw::UnlocksForFormerHolders) => lease.token() <= granted && !revoked,
                    _ => false,
                }
        });
        if !right {
            return Ok(Held::Lost);
        }
        state.held.remove(&slot);
        state.given_back.insert(slot);
        if !(self.has(LockFlaw::ForgetsTheOnlyWaiter) && state.waits == 1) {
            drop(state);
            self.wake();
        }
        Ok(Held::Kept)
    }

    async fn revoke(&self, keys: &[Key<'_>]) -> Result<()> {
        let slots: Vec<_> = keys.iter().map(|key| self.slot(*key)).collect();
        let all = self.has(LockFlaw::RevokesAll) && keys.len() > 1;
        let revoked = self.remove(|key| all || slots.contains(&KeyBuf::from(key)));
        match self.has(LockFlaw::MissesRevoked) && !revoked {
            true => Err(Error::new(ErrorKind::Refused, "there is nothing to revoke")),
            false => Ok(()),
        }
    }

    async fn revoke_group(&self, group: &[u8]) -> Result<()> {
        let mut revoked = 0;
        self.remove(|key| {
            let goes = key.group().is_some_and(|of| match self.flaw {
                Some(LockFlaw::RevokesByPrefix) => of.starts_with(group),
                Some(LockFlaw::RevokesOneOfAGroup) => of == group && revoked == 0,
                _ => of == group,
            });
            revoked += usize::from(goes);
            goes
        });
        Ok(())
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        let slot = self.slot(key);
        let mut state = locked(&self.shared.state);
        if let Some(hold) = state.held.get_mut(&slot)
            && (hold.lease == lease || self.has(LockFlaw::AbandonsForAll))
        {
            match self.has(LockFlaw::KeepsAbandoned) {
                true => hold.ends = Timestamp::MAX,
                false => _ = state.held.remove(&slot),
            }
        }
        drop(state);
        if !self.has(LockFlaw::AbandonsInSilence) {
            self.wake();
        }
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let freed = self.shared.freed.notified();
        let (busy, waits) = {
            let mut state = locked(&self.shared.state);
            state.waits += 1;
            (self.holder(&state, &self.slot(key)).is_some(), state.waits)
        };
        match self.flaw {
            Some(LockFlaw::LeaksWaits) if waits > 5_000 => tokio::time::sleep(at_most).await,
            Some(LockFlaw::WaitsForEver) if busy => freed.await,
            Some(LockFlaw::WaitsForNothing) => _ = tokio::time::timeout(at_most, freed).await,
            _ if busy => _ = tokio::time::timeout(at_most, freed).await,
            _ => {}
        }
    }

    async fn is_locked(&self, key: Key<'_>) -> Result<bool> {
        let (slot, mut state) = (self.slot(key), locked(&self.shared.state));
        state.given_back.remove(&slot);
        match self.has(LockFlaw::RemembersHolders) {
            true => Ok(state.held.contains_key(&slot)),
            false => Ok(self.holder(&state, &slot).is_some()),
        }
    }
}
