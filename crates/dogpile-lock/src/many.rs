//! Driving the protocol for many keys at once.

use std::collections::{BTreeMap, btree_map};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dogpile_core::{
    Age, Answer, Ask, Backend, Entry, Key, LeaseBackend, Made, Request, Result, Served, ServedBy,
};
use tokio::time::Instant;

use crate::creation::{Creation, Turn};
use crate::damaged::present_many;
use crate::dogpile::Dogpile;
use crate::drive::{accepts, timed_out};
use crate::flight::{Flight, Flights, Landing, Place, Seat, Sight};
use crate::{reentrant, timer};

/// Goes round until every key is served. A round joins all open keys, asks the store for those it
/// leads, creates those it was granted in one call, and only then waits for the others: whoever
/// holds a turn or a seat creates, or waits for other processes, and never for another caller of
/// this one, so overlapping sets cannot wait for each other.
pub(crate) async fn drive<L, F, Fut>(
    dogpile: &Dogpile<L>,
    keys: &[Key<'_>],
    request: &Request<'_>,
    mut create: F,
) -> Result<Vec<Served<L::Value>>>
where
    L: LeaseBackend,
    F: FnMut(Vec<usize>) -> Fut + Send,
    Fut: Future<Output = Result<Vec<Made<L::Value>>>> + Send,
{
    let mut batch = Batch::new(dogpile, request);
    batch.look(keys).await?;
    while !batch.open.is_empty() {
        let mut round = batch.join();
        let (creation, granted) = batch.ask(&mut round).await?;
        if !granted.is_empty() {
            round.elsewhere.clear();
        }
        batch.create(creation, granted, &mut create).await?;
        batch.wait(round).await?;
    }
    Ok(batch.served.into_iter().flatten().collect())
}

/// What was granted to a caller in one round.
type Turns<'a, L> = Creation<L, &'a Dogpile<L>, Vec<Turn<<L as Backend>::Value>>>;

struct Batch<'a, L: LeaseBackend> {
    dogpile: &'a Dogpile<L>,
    request: &'a Request<'a>,
    deadline: Option<Instant>,
    /// The keys not served yet, in the order in which turns are taken.
    open: BTreeMap<Key<'a>, Open<L::Value>>,
    served: Vec<Option<Served<L::Value>>>,
}

struct Open<V> {
    /// Where the key stands in the question.
    position: usize,
    /// And where else, if it was asked for more than once.
    repeated: Vec<usize>,
    stale: Option<Entry<V>>,
    panics: u32,
    waited: bool,
}

impl<V> Open<V> {
    const fn at(position: usize, stale: Option<Entry<V>>) -> Self {
        Self { position, repeated: Vec::new(), stale, panics: 0, waited: false }
    }
}

/// What a round holds.
struct Round<'a, V: Clone> {
    leads: Vec<(Key<'a>, Seat<V>)>,
    follows: Vec<(Key<'a>, Arc<Flight<V>>)>,
    elsewhere: Vec<(Key<'a>, Seat<V>)>,
}

impl<'a, L: LeaseBackend> Batch<'a, L> {
    fn new(dogpile: &'a Dogpile<L>, request: &'a Request<'a>) -> Self {
        let deadline = Instant::now().checked_add(request.wait_for);
        Self { dogpile, request, deadline, open: BTreeMap::new(), served: Vec::new() }
    }

    /// Serves what a plain read finds fresh. Of many keys most are, and need neither a seat nor a question
    /// about leases.
    async fn look(&mut self, keys: &[Key<'a>]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let entries = present_many(&*self.dogpile.leases, keys).await?;
        let freshness = self.request.freshness();
        self.served.reserve(keys.len());
        for (position, (key, entry)) in keys.iter().zip(entries).enumerate() {
            let age = entry.as_ref().map_or(Age::Dead, |entry| freshness.age(entry));
            let (served, stale) = match (age, entry) {
                (Age::Fresh, Some(entry)) => (Some(Served { entry, by: ServedBy::Hit }), None),
                (Age::Stale, stale) => (None, stale),
                _ => (None, None),
            };
            if served.is_none() {
                self.open_at(position, *key, stale);
            }
            self.served.push(served);
        }
        Ok(())
    }

    fn open_at(&mut self, position: usize, key: Key<'a>, stale: Option<Entry<L::Value>>) {
        match self.open.entry(key) {
            btree_map::Entry::Vacant(vacant) => _ = vacant.insert(Open::at(position, stale)),
            btree_map::Entry::Occupied(present) => present.into_mut().repeated.push(position),
        }
    }

    fn join(&mut self) -> Round<'a, L::Value> {
        let mut round = Round { leads: Vec::new(), follows: Vec::new(), elsewhere: Vec::new() };
        let open: Vec<_> = self.open.iter().map(|(key, open)| (*key, open.panics)).collect();
        for (key, panics) in open {
            match Flights::join(&self.dogpile.flights, key, panics) {
                Place::Leader(seat) => round.leads.push((key, seat)),
                Place::Follower(flight) => {
                    if !self.serve_stale(key) {
                        round.follows.push((key, flight));
                    }
                }
            }
        }
        round
    }

    /// Asks the store for the keys this caller leads; what comes back is what it has to create.
    async fn ask(
        &mut self,
        round: &mut Round<'a, L::Value>,
    ) -> Result<(Turns<'a, L>, Vec<Key<'a>>)> {
        let mut creation = Creation::new(self.dogpile, self.request.lease_for, Vec::new());
        let mut granted = Vec::new();
        if round.leads.is_empty() {
            return Ok((creation, granted));
        }
        let freshness = self.request.freshness();
        let asks: Vec<_> = round
            .leads
            .iter()
            .map(|(key, _)| Ask::new(*key, freshness, self.request.lease_for))
            .collect();
        let answers = match self.dogpile.leases.get_or_lease_many(&asks).await {
            Ok(answers) => answers,
            Err(error) => {
                round
                    .leads
                    .drain(..)
                    .for_each(|(_, mut seat)| seat.land(Landing::Failed(error.clone())));
                return Err(error);
            }
        };
        for ((key, mut seat), answer) in round.leads.drain(..).zip(answers) {
            match answer {
                Answer::Fresh(entry) => {
                    seat.land_with(&entry);
                    let waited = self.open.get(&key).is_some_and(|open| open.waited);
                    self.serve(key, entry, if waited { ServedBy::Waited } else { ServedBy::Hit });
                }
                Answer::Create { lease, stale } => {
                    creation.push(Turn::new(lease, seat, stale.as_ref()));
                    granted.push(key);
                }
                Answer::Busy { stale } => {
                    if let Some(stale) = stale {
                        seat.show_stale(stale.clone());
                        self.keep_stale(key, stale);
                    }
                    if !self.serve_stale(key) {
                        round.elsewhere.push((key, seat));
                    }
                }
            }
        }
        Ok((creation, granted))
    }

    async fn create<F, Fut>(
        &mut self,
        mut creation: Turns<'a, L>,
        granted: Vec<Key<'a>>,
        create: &mut F,
    ) -> Result<()>
    where
        F: FnMut(Vec<usize>) -> Fut + Send,
        Fut: Future<Output = Result<Vec<Made<L::Value>>>> + Send,
    {
        if granted.is_empty() {
            return Ok(());
        }
        let positions =
            granted.iter().filter_map(|key| Some(self.open.get(key)?.position)).collect();
        let made = creation.run(pin!(async { create(positions).await })).await?;
        for (key, made) in granted.into_iter().zip(made) {
            self.serve(key, made.entry, ServedBy::Created);
        }
        Ok(())
    }

    async fn wait(&mut self, round: Round<'a, L::Value>) -> Result<()> {
        if !round.elsewhere.is_empty() {
            self.wait_elsewhere(round.elsewhere).await?;
        }
        for (key, flight) in round.follows {
            self.follow(key, &flight).await?;
        }
        Ok(())
    }

    /// Waits for the first of these that another process is done with, and gives all seats up: who
    /// wants one of the others may be quicker to see that it is free.
    async fn wait_elsewhere(&mut self, seats: Vec<(Key<'a>, Seat<L::Value>)>) -> Result<()> {
        let at_most = self.time_left()?.min(self.request.lease_for.max(timer::SHORTEST));
        let leases = &self.dogpile.leases;
        let mut waits: Vec<_> =
            seats.iter().map(|(key, _)| Box::pin(leases.wait(*key, at_most))).collect();
        let first = std::future::poll_fn(|cx| {
            match waits.iter_mut().any(|wait| wait.as_mut().poll(cx).is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        let _ = timer::until(Instant::now().checked_add(at_most), first).await;
        for (key, _) in &seats {
            self.open.entry(*key).and_modify(|open| open.waited = true);
        }
        Ok(())
    }

    async fn follow(&mut self, key: Key<'a>, flight: &Arc<Flight<L::Value>>) -> Result<()> {
        let mut accept_stale = self.request.serve_stale;
        loop {
            let sight = match flight.sight(accept_stale) {
                Some(sight) => Some(sight),
                None => {
                    let _waiting = reentrant::wait_for(flight.turn())?;
                    timer::until(self.deadline, Flight::follow(flight, accept_stale)).await
                }
            };
            match sight.ok_or_else(|| timed_out(self.request))? {
                Sight::Stale(entry) if self.request.freshness().age(&entry) == Age::Dead => {
                    accept_stale = false;
                    continue;
                }
                Sight::Stale(entry) => self.serve(key, entry, ServedBy::Stale),
                Sight::Landed(Landing::Entry(entry)) if accepts(self.request, &entry) => {
                    self.serve(key, entry, ServedBy::Waited);
                }
                Sight::Landed(Landing::Failed(error)) if !self.serve_stale(key) => {
                    return Err(error);
                }
                Sight::Landed(Landing::Abandoned { panics }) => {
                    self.open.entry(key).and_modify(|open| open.panics = panics);
                }
                Sight::Landed(_) => {}
            }
            return Ok(());
        }
    }

    fn time_left(&self) -> Result<Duration> {
        let Some(deadline) = self.deadline else { return Ok(Duration::MAX) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(timed_out(self.request)) } else { Ok(left) }
    }

    fn keep_stale(&mut self, key: Key<'a>, entry: Entry<L::Value>) {
        self.open.entry(key).and_modify(|open| open.stale = Some(entry));
    }

    fn serve_stale(&mut self, key: Key<'a>) -> bool {
        let stale = self
            .open
            .get_mut(&key)
            .filter(|_| self.request.serve_stale)
            .and_then(|open| open.stale.take());
        let found = stale.is_some();
        stale.into_iter().for_each(|entry| self.serve(key, entry, ServedBy::Stale));
        found
    }

    fn serve(&mut self, key: Key<'a>, entry: Entry<L::Value>, by: ServedBy) {
        let Some(open) = self.open.remove(&key) else { return };
        let served = Served { entry, by };
        for position in open.repeated {
            self.served[position] = Some(served.clone());
        }
        self.served[open.position] = Some(served);
    }
}
