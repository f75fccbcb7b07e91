//! A cache in a map, with flights.

mod flaw;
mod flight;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{
    Age, Backend, Entry, Error, ErrorKind, Freshness, Key, KeyBuf, Made, ReadThrough, Request,
    Result, Served, ServedBy, SetOptions,
};
use tokio::sync::watch;
use tokio::time::Instant;

pub use self::flaw::ReadThroughFlaw;
use self::flight::{CREATING, End, Flight, Mine, Overruled, Spoiler};
use super::locked;

/// A cache in a map, with a flaw or without.
#[derive(Clone, Debug)]
pub struct WrongReadThrough {
    flaw: Option<ReadThroughFlaw>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    kept: HashMap<KeyBuf, Entry<Bytes>>,
    flights: HashMap<KeyBuf, Arc<Flight>>,
    errors: HashMap<KeyBuf, Error>,
    turns: usize,
}

enum Turn {
    Served(Served<Bytes>),
    Mine(Mine),
    Wait(Arc<Flight>),
}

/// What a reader sees of an entry.
struct Seen {
    entry: Option<Entry<Bytes>>,
    age: Age,
}

impl WrongReadThrough {
    /// A cache with this flaw, or a sound one.
    #[must_use]
    pub fn new(flaw: Option<ReadThroughFlaw>) -> Self {
        Self { flaw, state: Arc::default() }
    }

    fn has(&self, flaw: ReadThroughFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn age(&self, freshness: &Freshness, entry: &Entry<Bytes>) -> Age {
        let mut seen = entry.clone();
        match self.flaw {
            Some(ReadThroughFlaw::ServesOtherVersions) => {
                seen.version = freshness.policy().version().unwrap_or(seen.version);
            }
            Some(ReadThroughFlaw::TrustsTheFuture) => {
                seen.created = seen.created.min(freshness.now())
            }
            Some(ReadThroughFlaw::CreatesEarly) => {
                let half = freshness.policy().fresh_for().unwrap_or_default() / 2;
                if freshness.age(&seen) == Age::Fresh && seen.created <= freshness.now().minus(half)
                {
                    return Age::Stale;
                }
            }
            _ => {}
        }
        freshness.age(&seen)
    }

    fn look(&self, state: &State, request: &Request<'_>, slot: &KeyBuf) -> Seen {
        let entry = state.kept.get(slot).cloned();
        let age = entry.as_ref().map_or(Age::Dead, |entry| self.age(&request.freshness(), entry));
        Seen { entry, age }
    }

    /// Whose turn it is, in one step. `seen` is what was read before, where that is not read again.
    fn turn(
        &self,
        request: &Request<'_>,
        key: Key<'_>,
        of_many: bool,
        seen: Option<Seen>,
    ) -> Result<Turn> {
        let slot = KeyBuf::from(key);
        let mut state = locked(&self.state);
        let Seen { entry, age } = seen.unwrap_or_else(|| self.look(&state, request, &slot));
        let serve = |entry, by| Ok(Turn::Served(Served { entry, by }));
        let mut instead = None;
        let entry = match (entry, age) {
            (Some(entry), Age::Fresh) => return serve(entry, ServedBy::Hit),
            (entry, _) => entry,
        };
        let creating = CREATING.try_with(Clone::clone).unwrap_or_default();
        let reenters = match self.flaw {
            Some(ReadThroughFlaw::SeesReentryEverywhere) => !creating.is_empty(),
            Some(ReadThroughFlaw::WaitsForItself) => false,
            _ => creating.contains(&slot),
        };
        if reenters {
            return Err(Error::new(ErrorKind::Reentrant, "the creator of a key asks for that key"));
        }
        if let Some(flight) = state.flights.get(&slot) {
            let callers = {
                let mut counts = locked(&flight.counts);
                counts.callers += 1;
                counts.callers
            };
            let intrudes = match self.flaw {
                Some(ReadThroughFlaw::LosesTheSixtieth) => callers == 60 && age == Age::Dead,
                Some(ReadThroughFlaw::LosesTheSixtiethStale) => callers == 60 && age == Age::Stale,
                Some(ReadThroughFlaw::HandsOnEarly) => {
                    let lives = request.policy.fresh_for().unwrap_or(Duration::MAX);
                    lives < Duration::from_secs(1)
                        && flight.began.elapsed() > Duration::from_millis(10)
                }
                Some(ReadThroughFlaw::HasNoHeartbeat) => flight.began.elapsed() > flight.lease_for,
                Some(ReadThroughFlaw::CreatesManyForItself) => of_many,
                Some(ReadThroughFlaw::JoinsOnlyMany) => of_many && !flight.of_many,
                _ => false,
            };
            let wants = request.serve_stale || self.has(ReadThroughFlaw::ServesStaleToAll);
            match (entry, age) {
                _ if intrudes => {}
                (Some(entry), Age::Stale) if wants => return serve(entry, ServedBy::Stale),
                (Some(entry), Age::Dead) if self.has(ReadThroughFlaw::ServesDead) => {
                    return serve(entry, ServedBy::Stale);
                }
                _ => return Ok(Turn::Wait(Arc::clone(flight))),
            }
        } else {
            if let Some(error) = state.errors.get(&slot) {
                return Err(error.clone());
            }
            if self.has(ReadThroughFlaw::CreatesSixtyFour) && state.flights.len() >= 64 {
                return Err(Error::new(ErrorKind::Unavailable, "64 creations are enough"));
            }
            let dead_before = request.freshness().dead_before();
            instead = match self.flaw {
                Some(ReadThroughFlaw::ServesStaleToTheCreator) => {
                    entry.filter(|_| age == Age::Stale)
                }
                Some(ReadThroughFlaw::ServesDeadAsFresh) => {
                    entry.filter(|entry| entry.created < dead_before)
                }
                _ => None,
            };
        }
        let flight = Arc::new(Flight {
            end: watch::Sender::new(None),
            began: Instant::now(),
            lease_for: request.lease_for,
            of_many,
            counts: Mutex::default(),
        });
        state.turns += 1;
        state.flights.insert(slot.clone(), Arc::clone(&flight));
        drop(state);
        Ok(Turn::Mine(Mine { cache: self.clone(), slot, flight, instead, done: false }))
    }

    /// Waits for the end of a flight; `None` is "ask again".
    async fn wait(
        &self,
        flight: &Arc<Flight>,
        request: &Request<'_>,
        since: Instant,
    ) -> Option<Result<Served<Bytes>>> {
        locked(&flight.counts).waiters += 1;
        let mut spoiler =
            Spoiler(self.has(ReadThroughFlaw::EndsWithAWaiter).then(|| Arc::clone(flight)));
        let mut end = flight.end.subscribe();
        let mut wait_for = request.wait_for;
        match self.flaw {
            Some(ReadThroughFlaw::WaitsForEver) => wait_for = Duration::from_secs(3_600),
            Some(ReadThroughFlaw::WaitsForTheUnpolled)
                if wait_for >= Duration::from_millis(100) =>
            {
                wait_for = wait_for.max(Duration::from_secs(10));
            }
            _ => {}
        }
        let ended = tokio::time::timeout_at(since + wait_for, end.wait_for(Option::is_some)).await;
        let end = ended.map(|end| end.ok().and_then(|end| end.clone()));
        spoiler.0 = None;
        match end {
            Err(_) => Some(Err(Error::new(ErrorKind::TimedOut, "somebody else creates it still"))),
            Ok(Some(End::Made(_, false))) if self.has(ReadThroughFlaw::TellsOnlyWhatIsStored) => {
                None
            }
            Ok(Some(End::Made(entry, _))) => Some(Ok(Served { entry, by: ServedBy::Waited })),
            Ok(Some(End::Failed(_))) if self.has(ReadThroughFlaw::KeepsErrors) => None,
            Ok(Some(End::Failed(error))) => Some(Err(error)),
            Ok(Some(End::GaveUp) | None) => None,
        }
    }

    /// Gets served, or the turn.
    async fn served_or_mine(&self, request: &Request<'_>) -> Result<Result<Served<Bytes>, Mine>> {
        let since = Instant::now();
        loop {
            let mut seen = None;
            if self.has(ReadThroughFlaw::ReadsBeforeTheTurn) {
                let before = self.look(&locked(&self.state), request, &KeyBuf::from(request.key));
                seen = Some(before).filter(|seen| seen.age == Age::Stale);
                tokio::task::yield_now().await;
            }
            let turn = self.turn(request, request.key, false, seen)?;
            match turn {
                Turn::Served(served) => {
                    if self.has(ReadThroughFlaw::ServesStaleLate) && served.by == ServedBy::Stale {
                        tokio::time::sleep(Duration::from_millis(1_200)).await;
                    }
                    return Ok(Ok(served));
                }
                Turn::Mine(mine) => return Ok(Err(mine)),
                Turn::Wait(flight) => {
                    if let Some(served) = self.wait(&flight, request, since).await {
                        return served.map(Ok);
                    }
                }
            }
        }
    }

    /// Voids the creations of the keys that go.
    fn overrule(&self, state: &State, how: Overruled, goes: impl Fn(Key<'_>) -> bool) {
        let flights = state.flights.iter().filter(|(slot, _)| goes(slot.as_key()));
        flights.for_each(|(_, flight)| locked(&flight.counts).overruled = Some(how));
    }
}

impl Backend for WrongReadThrough {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        Ok(locked(&self.state).kept.get(&KeyBuf::from(key)).cloned())
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        let state = locked(&self.state);
        Ok(keys.iter().map(|key| state.kept.get(&KeyBuf::from(*key)).cloned()).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, Entry<Bytes>)], _: &SetOptions) -> Result<()> {
        let mut state = locked(&self.state);
        self.overrule(&state, Overruled::Set, |key| items.iter().any(|(set, _)| *set == key));
        state.kept.extend(items.iter().map(|(key, entry)| (KeyBuf::from(*key), entry.clone())));
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        let mut state = locked(&self.state);
        self.overrule(&state, Overruled::Deleted, |key| keys.contains(&key));
        keys.iter().for_each(|key| _ = state.kept.remove(&KeyBuf::from(*key)));
        Ok(())
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        let mut state = locked(&self.state);
        self.overrule(&state, Overruled::Deleted, |key| key.group() == Some(group));
        state.kept.retain(|slot, _| slot.as_key().group() != Some(group));
        Ok(())
    }
}

impl ReadThrough for WrongReadThrough {
    async fn read_through<F, Fut>(&self, request: &Request<'_>, create: F) -> Result<Served<Bytes>>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<Made<Bytes>>> + Send,
    {
        match self.served_or_mine(request).await? {
            Ok(served) => Ok(served),
            Err(mine) => {
                let made = CREATING.scope(mine.chain(), create()).await;
                mine.finish(made)
            }
        }
    }

    async fn read_through_detached<F, Fut>(
        &self,
        request: &Request<'_>,
        create: F,
    ) -> Result<Served<Bytes>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Made<Bytes>>> + Send + 'static,
    {
        if self.has(ReadThroughFlaw::DetachesNothing) {
            return self.read_through(request, create).await;
        }
        if self.has(ReadThroughFlaw::DetachesEach) {
            return create().await.map(|made| Served { entry: made.entry, by: ServedBy::Created });
        }
        match self.served_or_mine(request).await? {
            Ok(served) => Ok(served),
            Err(mine) => {
                let chain = mine.chain();
                let created = tokio::spawn(async move {
                    let made = CREATING.scope(chain, create()).await;
                    mine.finish(made)
                });
                let panicked = |_| Error::new(ErrorKind::Panicked, "the creator panicked");
                created.await.map_err(panicked)?
            }
        }
    }

    async fn read_through_many<F, Fut>(
        &self,
        keys: &[Key<'_>],
        request: &Request<'_>,
        mut create: F,
    ) -> Result<Vec<Served<Bytes>>>
    where
        F: FnMut(Vec<usize>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<Made<Bytes>>>> + Send,
    {
        let since = Instant::now();
        let mut served: Vec<Option<Served<Bytes>>> = vec![None; keys.len()];
        for round in 0.. {
            let mut missing: Vec<_> = (0..keys.len()).filter(|at| served[*at].is_none()).collect();
            missing.sort_by_key(|at| keys[*at]);
            let (mut mine, mut waits) = (Vec::new(), Vec::new());
            for at in missing {
                match self.turn(request, keys[at], true, None)? {
                    Turn::Served(found) => served[at] = Some(found),
                    Turn::Mine(turn) => mine.push((at, turn)),
                    Turn::Wait(flight) => waits.push((at, flight)),
                }
            }
            mine.sort_by_key(|(at, _)| *at);
            if !mine.is_empty() || self.has(ReadThroughFlaw::CreatesNothing) && round == 0 {
                let mut wanted: Vec<_> = mine.iter().map(|(at, _)| *at).collect();
                if self.has(ReadThroughFlaw::CountsMissing) {
                    wanted = (0..mine.len()).collect();
                }
                let chain = mine.iter().flat_map(|(_, mine)| mine.chain()).collect();
                let made = CREATING.scope(chain, create(wanted)).await;
                for (at, made) in self.finish_many(mine, made)? {
                    served[at] = Some(made);
                }
            }
            for (at, flight) in waits {
                match self.wait(&flight, request, since).await {
                    Some(answer) => served[at] = Some(answer?),
                    None if self.has(ReadThroughFlaw::GivesUpWithOthers) => {
                        return Err(Error::new(ErrorKind::Unavailable, "another creator gave up"));
                    }
                    None => {}
                }
            }
            if served.iter().all(Option::is_some) {
                break;
            }
        }
        Ok(served.into_iter().flatten().collect())
    }

    async fn is_creating(&self, key: Key<'_>) -> Result<bool> {
        let creates = locked(&self.state).flights.contains_key(&KeyBuf::from(key));
        Ok(creates && !self.has(ReadThroughFlaw::DeniesCreations))
    }
}

impl WrongReadThrough {
    fn finish_many(
        &self,
        mine: Vec<(usize, Mine)>,
        made: Result<Vec<Made<Bytes>>>,
    ) -> Result<Vec<(usize, Served<Bytes>)>> {
        let mut made = made.and_then(|mut made| {
            if let Some(last) = made.last().cloned()
                && self.has(ReadThroughFlaw::FillsUpResults)
            {
                made.resize(mine.len(), last);
            }
            match made.len() == mine.len() {
                true => Ok(made.into_iter()),
                false => Err(Error::new(ErrorKind::Creation, "not one result for each key")),
            }
        });
        let mut finished = Vec::new();
        for (at, mut turn) in mine {
            match &mut made {
                Err(error) if self.has(ReadThroughFlaw::KeepsTheTurnsOfFailures) => {
                    // The wrong number of results is another failure.
                    if error.creation::<std::io::Error>().is_some() {
                        turn.done = true;
                    }
                }
                Err(error) => _ = turn.finish(Err(error.clone())),
                Ok(made) => {
                    if let Some(made) = made.next() {
                        finished.push((at, turn.finish(Ok(made))?));
                    }
                }
            }
        }
        made.map(|_| finished)
    }
}
