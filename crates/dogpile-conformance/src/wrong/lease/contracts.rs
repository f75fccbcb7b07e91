//! It, as the contracts have it.

use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Answer, Ask, Backend, Clock, Entry, Error, ErrorKind, Held, Key, KeyBuf, Lease, LeaseBackend,
    Result, SetOptions, Timestamp,
};
use tokio::task::yield_now;

use super::{Ended, Hold, LIMIT, LeaseFlaw, WrongLeaseBackend, too_large};
use crate::wrong::locked;

impl Backend for WrongLeaseBackend {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        Ok(locked(&self.shared.state).kept.get(&KeyBuf::from(key)).cloned())
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        let state = locked(&self.shared.state);
        Ok(keys.iter().map(|key| state.kept.get(&KeyBuf::from(*key)).cloned()).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, Entry<Bytes>)], _: &SetOptions) -> Result<()> {
        if let Some((_, entry)) = items.iter().find(|(_, entry)| entry.value.len() > LIMIT) {
            return Err(too_large(entry.value.len()));
        }
        let mut state = locked(&self.shared.state);
        for (key, entry) in items {
            state.kept.insert(KeyBuf::from(*key), entry.clone());
            self.end(&mut state, *key, Ended::Set);
        }
        drop(state);
        self.wake();
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let mut state = locked(&self.shared.state);
        for key in keys {
            state.kept.remove(&KeyBuf::from(*key));
            self.end(&mut state, *key, Ended::Deleted);
        }
        drop(state);
        if !self.has(LeaseFlaw::DeletesInSilence) {
            self.wake();
        }
        Ok(())
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        let mut state = locked(&self.shared.state);
        state.kept.retain(|key, _| key.as_key().group() != Some(group));
        if !self.has(LeaseFlaw::ForgetsLeasesOfGroups) {
            let of_group = |(key, _): &(KeyBuf, u64)| key.as_key().group() == Some(group);
            let slots: Vec<_> = state.held.keys().filter(|slot| of_group(slot)).cloned().collect();
            for (key, _) in slots {
                self.end(&mut state, key.as_key(), Ended::Released);
            }
        }
        drop(state);
        self.wake();
        Ok(())
    }
}

impl LeaseBackend for WrongLeaseBackend {
    async fn get_or_lease(&self, ask: &Ask<'_>) -> Result<Answer<Bytes>> {
        let mut looked = self.look(ask);
        if self.has(LeaseFlaw::ReadsBeforeTheLease) {
            yield_now().await;
        }
        let leases_absent = self.has(LeaseFlaw::LooksThenLeases) && matches!(looked, Err(None));
        let mut free = self.is_free(ask);
        if leases_absent {
            yield_now().await;
        } else if free && looked.is_err() {
            // Taken before anything can come between, as it has to be.
            free = {
                let state = &mut *locked(&self.shared.state);
                let third = self.has(LeaseFlaw::GivesAtTheThirdAsking);
                let busy = self.holder(state, &self.slot(ask.key)).is_some() && !third;
                if !busy {
                    let hold = Hold { lease: Lease::new(0), ends: Timestamp::MAX, void: true };
                    state.held.insert(self.slot(ask.key), hold);
                }
                !busy
            };
            if !self.has(LeaseFlaw::ReadsBeforeTheLease) {
                looked = self.look(ask);
            }
        }
        if self.has(LeaseFlaw::WaitsWhenAsked) && !free {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
        }
        let busy_anyway = self.has(LeaseFlaw::BusyWhileLeased) && !free;
        match looked {
            Ok(entry) if busy_anyway => Ok(Answer::Busy { stale: Some(entry) }),
            Ok(entry) => {
                if self.has(LeaseFlaw::LeasesFresh) {
                    self.grant(ask, self.ends(ask.lease_for));
                } else {
                    // The turn that was taken is not needed.
                    let state = &mut *locked(&self.shared.state);
                    let slot = self.slot(ask.key);
                    if state.held.get(&slot).is_some_and(|hold| hold.lease == Lease::new(0)) && free
                    {
                        state.held.remove(&slot);
                    }
                }
                Ok(Answer::Fresh(entry))
            }
            Err(mut stale) if free => {
                if self.has(LeaseFlaw::EndsLater) {
                    yield_now().await;
                }
                let plain = |entry: &Entry<Bytes>| {
                    entry.created < self.clock.now() && entry.expires == Timestamp::MAX
                };
                match self.flaw {
                    Some(LeaseFlaw::MakesUpStale)
                        if !locked(&self.shared.state)
                            .kept
                            .contains_key(&KeyBuf::from(ask.key)) =>
                    {
                        stale = Some(Entry::new(self.clock.now(), Bytes::from_static(b"made up")));
                    }
                    Some(LeaseFlaw::CreatesWithoutStale) if stale.as_ref().is_some_and(plain) => {
                        stale = None;
                    }
                    _ => {}
                }
                Ok(Answer::Create { lease: self.grant(ask, self.ends(ask.lease_for)), stale })
            }
            Err(_) if self.has(LeaseFlaw::BusyWithoutStale) => Ok(Answer::Busy { stale: None }),
            Err(stale) => Ok(Answer::Busy { stale }),
        }
    }

    async fn get_or_lease_many(&self, asks: &[Ask<'_>]) -> Result<Vec<Answer<Bytes>>> {
        if self.has(LeaseFlaw::RefusesNothing) && asks.is_empty() {
            return Err(Error::new(ErrorKind::Refused, "there is nothing to answer"));
        }
        let mut answers = Vec::new();
        for ask in asks {
            let free = {
                let mut state = locked(&self.shared.state);
                let free = self.holder(&state, &self.slot(ask.key)).is_none();
                let looked = self.has(LeaseFlaw::LooksThenLeasesMany);
                if free && !looked {
                    let hold = Hold { lease: Lease::new(0), ends: Timestamp::MAX, void: true };
                    state.held.insert(self.slot(ask.key), hold);
                }
                free
            };
            if self.has(LeaseFlaw::LooksThenLeasesMany) {
                yield_now().await;
            }
            let forget = |stale| if self.has(LeaseFlaw::ManyWithoutStale) { None } else { stale };
            answers.push(match self.look(ask) {
                Ok(entry) => {
                    if free {
                        locked(&self.shared.state).held.remove(&self.slot(ask.key));
                    }
                    Answer::Fresh(entry)
                }
                Err(stale) if free => {
                    let lease = self.grant(ask, self.ends(ask.lease_for));
                    Answer::Create { lease, stale: forget(stale) }
                }
                Err(stale) => Answer::Busy { stale: forget(stale) },
            });
        }
        Ok(answers)
    }

    async fn fill(
        &self,
        key: Key<'_>,
        lease: Lease,
        entry: Entry<Bytes>,
        _: &SetOptions,
    ) -> Result<Held> {
        let held = self.fill_one(key, lease, entry, true);
        let alone = locked(&self.shared.state).waits == 1;
        if !(self.has(LeaseFlaw::FillsInSilence) && alone) {
            self.wake();
        }
        held
    }

    async fn fill_many(
        &self,
        fills: &[(Key<'_>, Lease, Entry<Bytes>)],
        _: &SetOptions,
    ) -> Result<Vec<Held>> {
        let (mut held, mut lost) = (Vec::new(), false);
        for (key, lease, entry) in fills {
            held.push(match self.has(LeaseFlaw::StopsAtLost) && lost {
                true => Held::Lost,
                false => self.fill_one(*key, *lease, entry.clone(), false)?,
            });
            lost |= held.last() == Some(&Held::Lost);
        }
        self.wake();
        Ok(held)
    }

    async fn extend(&self, key: Key<'_>, lease: Lease, lease_for: Duration) -> Result<Held> {
        let (slot, ends) = (self.slot(key), self.ends(lease_for));
        let mut state = locked(&self.shared.state);
        let right = self.holds(&state, key, lease) || self.has(LeaseFlaw::ExtendsForAll);
        match state.held.get_mut(&slot) {
            Some(hold) if right => {
                if !self.has(LeaseFlaw::LengthensNothing) {
                    hold.ends = ends;
                }
                Ok(Held::Kept)
            }
            _ => Ok(Held::Lost),
        }
    }

    async fn release(&self, key: Key<'_>, lease: Lease) -> Result<Held> {
        let mut state = locked(&self.shared.state);
        if !(self.holds(&state, key, lease) || self.has(LeaseFlaw::ReleasesForAll)) {
            return Ok(Held::Lost);
        }
        self.end(&mut state, key, Ended::Released);
        if self.has(LeaseFlaw::ReleasesTheEntry) {
            state.kept.remove(&KeyBuf::from(key));
        }
        let alone = state.waits == 1;
        drop(state);
        if !(self.has(LeaseFlaw::ReleasesInSilence) && alone) {
            self.wake();
        }
        match self.has(LeaseFlaw::DeniesReleases) {
            true => Ok(Held::Lost),
            false => Ok(Held::Kept),
        }
    }

    fn abandon(&self, key: Key<'_>, lease: Lease) {
        let mut state = locked(&self.shared.state);
        if self.holds(&state, key, lease) || self.has(LeaseFlaw::AbandonsForAll) {
            match state.held.get_mut(&self.slot(key)) {
                Some(hold) if self.has(LeaseFlaw::KeepsAbandoned) => hold.ends = Timestamp::MAX,
                _ => self.end(&mut state, key, Ended::Released),
            }
        }
        drop(state);
        self.wake();
    }

    async fn wait(&self, key: Key<'_>, at_most: Duration) {
        let freed = self.shared.freed.notified();
        let (holder, waits) = {
            let mut state = locked(&self.shared.state);
            state.waits += 1;
            (self.holder(&state, &self.slot(key)), state.waits)
        };
        let Some(hold) = holder else {
            if self.has(LeaseFlaw::WaitsForNothing) {
                tokio::time::sleep(at_most).await;
            }
            return;
        };
        let left = hold.ends.since(self.clock.now());
        let at_most = match self.flaw {
            Some(LeaseFlaw::WaitsForEver) => left,
            Some(LeaseFlaw::WaitsPastTheLease) => at_most,
            _ => at_most.min(left),
        };
        match self.flaw {
            Some(LeaseFlaw::LeaksWaits) if waits > 5_000 => tokio::time::sleep(at_most).await,
            _ => _ = tokio::time::timeout(at_most, freed).await,
        }
    }

    async fn is_leased(&self, key: Key<'_>) -> Result<bool> {
        let (slot, state) = (self.slot(key), locked(&self.shared.state));
        match self.has(LeaseFlaw::RemembersHolders) {
            true => Ok(state.held.contains_key(&slot)),
            false => Ok(self.holder(&state, &slot).is_some()),
        }
    }
}
