//! A creation, from the granted lease to the landing, of one key or of many at once.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dogpile_core::{
    Entry, Error, ErrorKind, Held, Key, KeyBuf, Lease, LeaseBackend, Made, Result, SetOptions,
};

use crate::dogpile::Dogpile;
use crate::flight::{Flight, Landing, Seat};
use crate::{reentrant, timer};

/// Everything a creation holds. Dropped at any point, it gives all of it back.
pub(crate) struct Creation<L: LeaseBackend> {
    dogpile: Dogpile<L>,
    lease_for: Duration,
    turns: Vec<Turn<L>>,
}

/// The turn to create one key: the seat in this process, and the lease of the store.
struct Turn<L: LeaseBackend> {
    leases: Arc<L>,
    key: KeyBuf,
    /// `None` once the store has ended it.
    lease: Option<Lease>,
    /// `None` once the flight has landed.
    seat: Option<Seat<L::Value>>,
}

type Flown<L> = Arc<Flight<<L as dogpile_core::Backend>::Value>>;

impl<L: LeaseBackend> Creation<L> {
    pub(crate) const fn new(dogpile: Dogpile<L>, lease_for: Duration) -> Self {
        Self { dogpile, lease_for, turns: Vec::new() }
    }

    /// Adds a key to what is to be created, and shows its stale entry to those who may have it.
    pub(crate) fn add(
        &mut self,
        key: Key<'_>,
        lease: Lease,
        seat: Seat<L::Value>,
        stale: Option<&Entry<L::Value>>,
    ) {
        stale.into_iter().for_each(|stale| seat.show_stale(stale.clone()));
        let leases = Arc::clone(&self.dogpile.leases);
        self.turns.push(Turn {
            leases,
            key: KeyBuf::from(key),
            lease: Some(lease),
            seat: Some(seat),
        });
    }

    fn flights(&self) -> impl Iterator<Item = &Flown<L>> {
        self.turns.iter().filter_map(|turn| turn.seat.as_ref()).map(Seat::flight)
    }

    /// [`run_many`](Self::run_many) for a single key.
    pub(crate) async fn run<Fut>(self, create: impl FnOnce() -> Fut) -> Result<Entry<L::Value>>
    where
        Fut: Future<Output = Result<Made<L::Value>>>,
    {
        let mut entries = self.run_many(|| async { Ok(vec![create().await?]) }).await?;
        entries.pop().ok_or_else(|| miscounted(1, 0))
    }

    /// Runs the creator, stores what it made, and tells those who wait. The created entries are
    /// answered, in the order of the keys, even where a lease was lost and nothing was stored.
    ///
    /// A panic of the creator is passed on, after the turns were.
    pub(crate) async fn run_many<Fut>(
        mut self,
        create: impl FnOnce() -> Fut,
    ) -> Result<Vec<Entry<L::Value>>>
    where
        Fut: Future<Output = Result<Vec<Made<L::Value>>>>,
    {
        let created = self.keep_alive(create).await.map(|created| {
            created.and_then(|made| match made.len() == self.turns.len() {
                true => Ok(made),
                false => Err(miscounted(self.turns.len(), made.len())),
            })
        });
        match created {
            Ok(Ok(made)) => {
                let entries: Vec<_> = made.iter().map(|made| made.entry.clone()).collect();
                let stored = self.store(made).await;
                for (turn, entry) in self.turns.iter_mut().zip(&entries) {
                    turn.land(Landing::Entry(entry.clone()));
                }
                stored.map(|()| entries)
            }
            Ok(Err(error)) => {
                for turn in &mut self.turns {
                    // The error of a release would hide the one that matters, and a lease has an end.
                    let _ = turn.release().await;
                    turn.land(Landing::Failed(error.clone()));
                }
                Err(error)
            }
            Err(payload) => {
                for turn in &mut self.turns {
                    turn.give_back();
                    turn.seat
                        .take()
                        .into_iter()
                        .for_each(|seat| seat.land_panicked(Error::from_panic(&*payload)));
                }
                std::panic::resume_unwind(payload)
            }
        }
    }

    async fn store(&mut self, made: Vec<Made<L::Value>>) -> Result<()> {
        let mut batches: Vec<(SetOptions, Vec<usize>)> = Vec::new();
        for (at, made) in made.iter().enumerate() {
            match made.store.filter(|_| !self.turns[at].is_voided()) {
                None => {
                    let _ = self.turns[at].release().await?;
                }
                Some(options) => match batches.iter_mut().find(|(same, _)| *same == options) {
                    Some((_, batch)) => batch.push(at),
                    None => batches.push((options, vec![at])),
                },
            }
        }
        for (options, batch) in batches {
            let held = self.fill(&batch, &made, &options).await;
            for (turn, held) in batch.iter().map(|at| &self.turns[*at]).zip(held?) {
                if self.dogpile.options.in_process && turn.is_voided() {
                    // A delete came between the look and the store: it wins.
                    turn.leases.delete_many(&[turn.key.as_key()]).await?;
                }
                if held == Held::Lost {
                    self.dogpile.lost_lease(turn.key.as_key());
                }
            }
        }
        Ok(())
    }

    async fn fill(
        &mut self,
        batch: &[usize],
        made: &[Made<L::Value>],
        options: &SetOptions,
    ) -> Result<Vec<Held>> {
        let leases = Arc::clone(&self.dogpile.leases);
        let fills: Vec<_> = batch
            .iter()
            .filter_map(|at| {
                Some((
                    self.turns[*at].key.as_key(),
                    self.turns[*at].lease?,
                    made[*at].entry.clone(),
                ))
            })
            .collect();
        let held = match &fills[..] {
            [(key, lease, entry)] => {
                leases.fill(*key, *lease, entry.clone(), options).await.map(|held| vec![held])
            }
            _ => leases.fill_many(&fills, options).await,
        }?;
        batch.iter().for_each(|at| self.turns[*at].lease = None);
        Ok(held)
    }

    /// The creator's outcome, or the payload of its panic; meanwhile the leases are kept alive.
    async fn keep_alive<Fut: Future>(
        &self,
        create: impl FnOnce() -> Fut,
    ) -> std::thread::Result<Fut::Output> {
        let turns = self.flights().map(|flight| Arc::clone(flight.turn()));
        let created = caught(reentrant::holding(turns, async { create().await }));
        if self.dogpile.options.in_process {
            return created.await;
        }
        let mut beats = pin!(self.heartbeat());
        let mut created = pin!(created);
        std::future::poll_fn(|cx| {
            let outcome = created.as_mut().poll(cx);
            if outcome.is_pending() {
                let _ = beats.as_mut().poll(cx);
            }
            outcome
        })
        .await
    }

    /// Extends the leases three times in their time, for ever.
    ///
    /// A lease that turns out to be lost is left to `fill` to report: the creation goes on in any
    /// case, because its value is good for those who wait.
    async fn heartbeat(&self) -> std::convert::Infallible {
        loop {
            timer::sleep((self.lease_for / 3).max(timer::SHORTEST)).await;
            for turn in &self.turns {
                if let Some(lease) = turn.lease {
                    let _ = turn.leases.extend(turn.key.as_key(), lease, self.lease_for).await;
                }
            }
        }
    }
}

impl<L: LeaseBackend> Turn<L> {
    fn is_voided(&self) -> bool {
        self.seat.as_ref().is_some_and(Seat::is_voided)
    }

    async fn release(&mut self) -> Result<Held> {
        match self.lease {
            Some(lease) => {
                let held = self.leases.release(self.key.as_key(), lease).await;
                self.lease = None;
                held
            }
            None => Ok(Held::Kept),
        }
    }

    fn land(&mut self, landing: Landing<L::Value>) {
        if let Some(seat) = self.seat.take() {
            seat.land(landing);
        }
    }

    fn give_back(&mut self) {
        self.lease
            .take()
            .into_iter()
            .for_each(|lease| self.leases.abandon(self.key.as_key(), lease));
    }
}

impl<L: LeaseBackend> Drop for Turn<L> {
    fn drop(&mut self) {
        self.give_back();
    }
}

async fn caught<F: Future>(future: F) -> std::thread::Result<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

fn miscounted(asked: usize, made: usize) -> Error {
    Error::new(
        ErrorKind::Creation,
        format!("the creator was asked for {asked} values and made {made}"),
    )
}
