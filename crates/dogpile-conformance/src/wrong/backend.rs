//! A backend in a map.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Backend, Clock, Entry, Error, ErrorKind, Key, KeyBuf, Result, SetOptions, Timestamp,
};
use tokio::task::yield_now;

use super::{flaws, locked};
use crate::ManualClock;

flaws! {
    /// Ways in which a backend can be wrong.
    BackendFlaw {
        /// Answers something before anything was written.
        MakesUpEntries => nothing_is_none,
        /// Answers the first name that starts with the one asked for.
        CompletesNames => what_is_set_is_found,
        /// Ignores the third write of a key, if all had the same size.
        IgnoresTheThirdWrite => a_later_set_overwrites,
        /// Ignores a write whose stamp is older than what is there.
        TrustsStamps => an_older_stamp_overwrites_too,
        /// Does not delete a small value alone that was written once.
        KeepsDeleted => what_is_deleted_is_gone,
        /// Answers an error if there is nothing to delete.
        MissesDeleted => deleting_nothing_is_no_error,
        /// Remembers for ever that a key was deleted.
        BuriesDeleted => a_deleted_key_can_be_set_again,
        /// Keeps `created` in whole seconds.
        RoundsCreated => created_is_kept,
        /// Keeps sixteen bits of the version.
        CutsVersions => version_is_kept,
        /// Keeps no `expires`.
        ForgetsExpires => expires_is_kept,
        /// Withholds what is past its `expires`.
        WithholdsStale => a_stale_entry_is_found,
        /// Cuts values at 100,000 bytes.
        CutsValues => values_of_all_sizes_come_back_whole,
        /// Answers from what the handle itself wrote.
        TrustsItsOwnWrites => handles_see_each_others_writes,
        /// Shows what the handle itself wrote.
        PeeksAtItsOwnWrites => peek_shows_what_is_there,
        /// Says that there is nothing but what the handle itself wrote.
        PeeksNoFurther => peek_misses_nothing,
        /// Answers many with the holes behind.
        MovesHoles => get_many_answers_in_order,
        /// Answers each key once.
        AnswersOnce => get_many_answers_twice_what_is_asked_twice,
        /// Gives all items of a call the version of the first.
        SharesVersions => set_many_stores_each,
        /// Keeps the first of two items with one key.
        KeepsTheFirstOfTwo => the_last_of_a_key_set_twice_is_kept,
        /// Stops to delete at a key that is not there.
        StopsAtHoles => delete_many_removes_these_only,
        /// Waits for something though there is nothing to do.
        TripsForNothing => no_keys_are_no_round_trip,
        /// Stores the first 512 items of a call.
        CutsBatches => a_thousand_keys_at_once,
        /// Takes upper case for lower case.
        FoldsCase => odd_names_are_told_apart,
        /// Refuses names that are no text.
        WantsText => odd_names_are_accepted,
        /// Looks at the first 250 bytes of a name.
        ShortensNames => long_names_are_told_apart,
        /// Refuses names of more than 250 bytes.
        RefusesLongNames => long_names_are_accepted,
        /// Writes group and field one after the other.
        JoinsGroupAndField => groups_and_names_are_told_apart,
        /// Deletes ten fields of a group.
        DeletesTenFields => delete_group_removes_its_fields,
        /// Deletes the groups whose name starts with the group's.
        DeletesByPrefix => delete_group_spares_the_rest,
        /// Answers an error if a group has no fields.
        MissesGroups => deleting_no_group_is_no_error,
        /// Keeps entries for a tenth of the time.
        DropsEarly => what_is_to_be_kept_is_kept,
        /// Keeps the end that the first write of a key asked for.
        KeepsTheFirstEnd => the_last_keep_for_counts,
        /// Counts `keep_for` from `created`.
        CountsFromCreated => keep_for_counts_from_the_write,
        /// Takes more than thirty days for a moment long past.
        OverflowsAtThirtyDays => any_keep_for_is_accepted,
        /// Writes the halves of a middling value one after the other.
        WritesHalves => many_tasks_write_one_key,
        /// Writes back the whole map as it was a moment ago.
        LosesUpdates => many_tasks_write_many_keys,
        /// Leaves the answer to a dropped question for the next.
        MixesUpAnswers => a_dropped_get_leaves_order,
        /// Removes a large value before it writes the next.
        RemovesFirst => a_dropped_set_leaves_order,
        /// Overwrites a small value before it removes it.
        ShredsFirst => a_dropped_delete_leaves_order,
    }
}

/// A backend in a map, with a flaw or without. Clones are handles of one store.
#[derive(Debug)]
pub struct WrongBackend {
    flaw: Option<BackendFlaw>,
    clock: ManualClock,
    state: Arc<Mutex<State>>,
    own: Mutex<HashMap<KeyBuf, Entry<Bytes>>>,
}

#[derive(Debug, Default)]
struct State {
    kept: HashMap<KeyBuf, Kept>,
    touched: bool,
    deleted: HashSet<KeyBuf>,
    answers: VecDeque<Option<Entry<Bytes>>>,
}

#[derive(Clone, Debug)]
struct Kept {
    entry: Entry<Bytes>,
    until: Option<Timestamp>,
    group: Option<Vec<u8>>,
    sizes: Vec<usize>,
}

impl WrongBackend {
    /// A backend with this flaw, or a sound one, that drops entries by this clock.
    #[must_use]
    pub fn new(flaw: Option<BackendFlaw>, clock: ManualClock) -> Self {
        Self { flaw, clock, state: Arc::default(), own: Mutex::default() }
    }

    fn has(&self, flaw: BackendFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn slot(&self, key: Key<'_>) -> KeyBuf {
        let name = key.as_bytes();
        match (self.flaw, key.group()) {
            (Some(BackendFlaw::FoldsCase), None) => {
                KeyBuf::from(Key::name(&name.to_ascii_lowercase()))
            }
            (Some(BackendFlaw::ShortensNames), None) => {
                KeyBuf::from(Key::name(&name[..name.len().min(250)]))
            }
            (Some(BackendFlaw::JoinsGroupAndField), Some(group)) => {
                KeyBuf::from(Key::field("", &[group, name].concat()))
            }
            _ => KeyBuf::from(key),
        }
    }

    fn found(&self, state: &State, key: Key<'_>) -> Option<Entry<Bytes>> {
        let now = self.clock.now();
        let kept = state.kept.get(&self.slot(key))?;
        if kept.until.is_some_and(|until| until <= now)
            || self.has(BackendFlaw::WithholdsStale) && kept.entry.expires <= now
        {
            return None;
        }
        let mut entry = kept.entry.clone();
        match self.flaw {
            Some(BackendFlaw::RoundsCreated) => {
                entry.created = Timestamp::from_millis(entry.created.as_millis() / 1_000 * 1_000);
            }
            Some(BackendFlaw::CutsVersions) => entry.version &= 0xffff,
            Some(BackendFlaw::ForgetsExpires) => entry.expires = Timestamp::MAX,
            Some(BackendFlaw::CutsValues) => entry.value.truncate(100_000),
            _ => {}
        }
        Some(entry)
    }

    fn until(&self, entry: &Entry<Bytes>, keep_for: Duration) -> Timestamp {
        const THIRTY_DAYS: Duration = Duration::from_secs(30 * 24 * 3_600);
        match self.flaw {
            Some(BackendFlaw::DropsEarly) => self.clock.now().plus(keep_for / 10),
            Some(BackendFlaw::CountsFromCreated) => entry.created.plus(keep_for),
            Some(BackendFlaw::OverflowsAtThirtyDays) if keep_for > THIRTY_DAYS => Timestamp::MIN,
            _ => self.clock.now().plus(keep_for),
        }
    }

    fn refuse(&self, key: Key<'_>) -> Result<()> {
        let name = key.as_bytes();
        if self.has(BackendFlaw::WantsText) && std::str::from_utf8(name).is_err()
            || self.has(BackendFlaw::RefusesLongNames) && name.len() > 250
        {
            return Err(Error::new(ErrorKind::Refused, "this name cannot be stored"));
        }
        Ok(())
    }

    /// What some flaws do before the write, with a pause in which others see it.
    async fn before_write(&self, key: Key<'_>, entry: &Entry<Bytes>) {
        let half = entry.value.len() / 2;
        match self.flaw {
            Some(BackendFlaw::WritesHalves) if (500..5_000).contains(&half) => {
                if let Some(kept) = locked(&self.state).kept.get_mut(&self.slot(key)) {
                    kept.entry.value =
                        [&entry.value[..half], &kept.entry.value[half..]].concat().into();
                }
                yield_now().await;
            }
            Some(BackendFlaw::RemovesFirst) if half >= 32_768 => {
                locked(&self.state).kept.remove(&self.slot(key));
                yield_now().await;
            }
            _ => {}
        }
    }

    fn write(&self, state: &mut State, key: Key<'_>, entry: Entry<Bytes>, options: &SetOptions) {
        let slot = self.slot(key);
        state.touched = true;
        if self.has(BackendFlaw::BuriesDeleted) && state.deleted.contains(&slot) {
            return;
        }
        let mut until = options.keep_for().map(|keep_for| self.until(&entry, keep_for));
        let mut sizes = Vec::new();
        if let Some(before) = state.kept.get_mut(&slot) {
            before.sizes.push(entry.value.len());
            sizes.clone_from(&before.sizes);
            let ignored = match self.flaw {
                Some(BackendFlaw::IgnoresTheThirdWrite) => sizes == [entry.value.len(); 3],
                Some(BackendFlaw::TrustsStamps) => entry.created < before.entry.created,
                _ => false,
            };
            if ignored {
                return;
            }
            if self.has(BackendFlaw::KeepsTheFirstEnd) && before.until.is_some() {
                until = before.until;
            }
        } else {
            sizes.push(entry.value.len());
        }
        locked(&self.own).insert(slot.clone(), entry.clone());
        state
            .kept
            .insert(slot, Kept { entry, until, group: key.group().map(<[u8]>::to_vec), sizes });
    }
}

impl Clone for WrongBackend {
    fn clone(&self) -> Self {
        Self {
            flaw: self.flaw,
            clock: self.clock.clone(),
            state: Arc::clone(&self.state),
            own: Mutex::default(),
        }
    }
}

impl Backend for WrongBackend {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        let slot = self.slot(key);
        let mut found = self.found(&locked(&self.state), key);
        match self.flaw {
            Some(BackendFlaw::MakesUpEntries) if !locked(&self.state).touched => {
                found = Some(Entry::new(self.clock.now(), Bytes::from_static(b"made up")));
            }
            Some(BackendFlaw::CompletesNames) if found.is_none() && key.group().is_none() => {
                let state = locked(&self.state);
                let longer = state.kept.iter().find(|(slot, _)| {
                    slot.as_key().group().is_none()
                        && slot.as_key().as_bytes().starts_with(key.as_bytes())
                });
                found = longer.map(|(_, kept)| kept.entry.clone());
            }
            Some(BackendFlaw::TrustsItsOwnWrites) => {
                found = locked(&self.own).get(&slot).cloned().or(found);
            }
            Some(BackendFlaw::MixesUpAnswers)
                if found.as_ref().is_some_and(|entry| entry.value.len() <= 32) =>
            {
                locked(&self.state).answers.push_back(found);
                yield_now().await;
                found = locked(&self.state).answers.pop_front().flatten();
            }
            _ => {}
        }
        Ok(found)
    }

    fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<Bytes>) -> T) -> Poll<Option<T>> {
        let own = || locked(&self.own).get(&self.slot(key)).cloned();
        match self.flaw {
            Some(BackendFlaw::PeeksAtItsOwnWrites) => match own() {
                Some(own) => Poll::Ready(Some(look(&own))),
                None => Poll::Pending,
            },
            Some(BackendFlaw::PeeksNoFurther) if own().is_none() => Poll::Ready(None),
            _ => Poll::Ready(self.found(&locked(&self.state), key).as_ref().map(look)),
        }
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        if self.has(BackendFlaw::TripsForNothing) && keys.is_empty() {
            yield_now().await;
        }
        let state = locked(&self.state);
        let mut found: Vec<_> = keys.iter().map(|key| self.found(&state, *key)).collect();
        match self.flaw {
            Some(BackendFlaw::MovesHoles) => found.sort_by_key(Option::is_none),
            Some(BackendFlaw::AnswersOnce) => {
                for (at, key) in keys.iter().enumerate() {
                    if keys[..at].contains(key) {
                        found[at] = None;
                    }
                }
            }
            _ => {}
        }
        Ok(found)
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        for (key, entry) in items {
            self.refuse(*key)?;
            self.before_write(*key, entry).await;
        }
        if self.has(BackendFlaw::LosesUpdates) && !items.is_empty() {
            let before = locked(&self.state).kept.clone();
            yield_now().await;
            locked(&self.state).kept = before;
        }
        let mut state = locked(&self.state);
        for (at, (key, entry)) in items.iter().enumerate() {
            let mut entry = entry.clone();
            match self.flaw {
                Some(BackendFlaw::CutsBatches) if at >= 512 => continue,
                Some(BackendFlaw::KeepsTheFirstOfTwo)
                    if items[..at].iter().any(|(before, _)| before == key) =>
                {
                    continue;
                }
                Some(BackendFlaw::SharesVersions) => entry.version = items[0].1.version,
                _ => {}
            }
            self.write(&mut state, *key, entry, options);
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let slots: Vec<_> = keys.iter().map(|key| self.slot(*key)).collect();
        if self.has(BackendFlaw::ShredsFirst)
            && let [slot] = &slots[..]
        {
            let shred = |kept: &mut Kept| kept.entry.value = Bytes::from_static(b"shredded");
            let small = |kept: &&mut Kept| kept.entry.value.len() <= 32;
            locked(&self.state).kept.get_mut(slot).filter(small).map(shred);
            yield_now().await;
        }
        let mut state = locked(&self.state);
        let known = slots.iter().any(|slot| state.kept.contains_key(slot));
        if self.has(BackendFlaw::MissesDeleted) && !known && !keys.is_empty() {
            return Err(Error::new(ErrorKind::Refused, "there is nothing to delete"));
        }
        for slot in slots {
            let lingers = |kept: &Kept| kept.sizes.len() == 1 && kept.sizes[0] <= 32;
            match state.kept.get(&slot) {
                None if self.has(BackendFlaw::StopsAtHoles) => break,
                Some(kept)
                    if self.has(BackendFlaw::KeepsDeleted) && keys.len() == 1 && lingers(kept) => {}
                _ => {
                    locked(&self.own).remove(&slot);
                    state.kept.remove(&slot);
                    state.deleted.insert(slot);
                }
            }
        }
        Ok(())
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        let mut state = locked(&self.state);
        let mut deleted = 0;
        locked(&self.own).retain(|slot, _| slot.as_key().group() != Some(group));
        state.kept.retain(|_, kept| {
            let right = match (self.flaw, kept.group.as_deref()) {
                (_, None) => false,
                (Some(BackendFlaw::DeletesByPrefix), Some(of)) => of.starts_with(group),
                (Some(BackendFlaw::DeletesTenFields), Some(of)) => of == group && deleted < 10,
                (_, Some(of)) => of == group,
            };
            deleted += usize::from(right);
            !right
        });
        match self.has(BackendFlaw::MissesGroups) && deleted == 0 {
            true => Err(Error::new(ErrorKind::Unavailable, "there is no such group")),
            false => Ok(()),
        }
    }
}
