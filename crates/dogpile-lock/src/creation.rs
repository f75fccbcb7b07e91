//! A creation, from the granted lease to the landing, of one key or of many at once.

use std::borrow::Borrow;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dogpile_core::{Entry, Error, ErrorKind, Held, Lease, LeaseBackend, Made, Result, SetOptions};

use crate::dogpile::Dogpile;
use crate::flight::{Flight, Landing, Seat};
use crate::{reentrant, timer};

/// Everything a creation holds. Dropped at any point, it gives all of it back.
///
/// It borrows its dogpile lock, or owns it where it may outlive its caller.
pub(crate) struct Creation<L: LeaseBackend, D: Borrow<Dogpile<L>>> {
    dogpile: D,
    lease_for: Duration,
    turns: Vec<Turn<L::Value>>,
}

/// The turn to create one key: the seat in this process, and the lease of the store.
struct Turn<V: Clone> {
    flight: Arc<Flight<V>>,
    /// `None` once the store has ended it.
    lease: Option<Lease>,
    /// `None` once the flight has landed.
    seat: Option<Seat<V>>,
}

impl<L: LeaseBackend, D: Borrow<Dogpile<L>>> Creation<L, D> {
    pub(crate) const fn new(dogpile: D, lease_for: Duration) -> Self {
        Self { dogpile, lease_for, turns: Vec::new() }
    }

    /// Adds a key to what is to be created, and shows its stale entry to those who may have it.
    pub(crate) fn add(
        &mut self,
        lease: Lease,
        seat: Seat<L::Value>,
        stale: Option<&Entry<L::Value>>,
    ) {
        stale.into_iter().for_each(|stale| seat.show_stale(stale.clone()));
        let flight = Arc::clone(seat.flight());
        self.turns.push(Turn { flight, lease: Some(lease), seat: Some(seat) });
    }

    fn leases(&self) -> &L {
        &self.dogpile.borrow().leases
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
                let stored = self.store(&made).await;
                let entries: Vec<_> = made.into_iter().map(|made| made.entry).collect();
                for (turn, entry) in self.turns.iter_mut().zip(&entries) {
                    turn.land(Landing::Entry(entry.clone()));
                }
                stored.map(|()| entries)
            }
            Ok(Err(error)) => {
                for at in 0..self.turns.len() {
                    // The error of a release would hide the one that matters, and a lease has an end.
                    let _ = self.release(at).await;
                    self.turns[at].land(Landing::Failed(error.clone()));
                }
                Err(error)
            }
            Err(payload) => {
                self.give_back();
                for turn in &mut self.turns {
                    turn.seat
                        .take()
                        .into_iter()
                        .for_each(|seat| seat.land_panicked(Error::from_panic(&*payload)));
                }
                std::panic::resume_unwind(payload)
            }
        }
    }

    async fn store(&mut self, made: &[Made<L::Value>]) -> Result<()> {
        let mut batches: Vec<(SetOptions, Vec<usize>)> = Vec::new();
        for (at, one) in made.iter().enumerate() {
            match one.store.filter(|_| !self.turns[at].is_voided()) {
                None => {
                    let _ = self.release(at).await?;
                }
                Some(options) if made.len() == 1 => {
                    return self.store_batch(&[at], made, &options).await;
                }
                Some(options) => match batches.iter_mut().find(|(same, _)| *same == options) {
                    Some((_, batch)) => batch.push(at),
                    None => batches.push((options, vec![at])),
                },
            }
        }
        for (options, batch) in batches {
            self.store_batch(&batch, made, &options).await?;
        }
        Ok(())
    }

    async fn store_batch(
        &mut self,
        batch: &[usize],
        made: &[Made<L::Value>],
        options: &SetOptions,
    ) -> Result<()> {
        let lost = self.fill(batch, made, options).await?;
        batch.iter().for_each(|at| self.turns[*at].lease = None);
        if self.dogpile.borrow().options.in_process {
            for at in batch {
                let turn = &self.turns[*at];
                if turn.is_voided() {
                    // A delete came between the look and the store: it wins.
                    self.leases().delete_many(&[turn.flight.key()]).await?;
                }
            }
        }
        for at in lost {
            self.dogpile.borrow().lost_lease(self.turns[at].flight.key());
        }
        Ok(())
    }

    /// Stores these values, and answers which of them had lost their lease.
    async fn fill(
        &self,
        batch: &[usize],
        made: &[Made<L::Value>],
        options: &SetOptions,
    ) -> Result<Vec<usize>> {
        if let [at] = *batch
            && let Some(lease) = self.turns[at].lease
        {
            let (key, entry) = (self.turns[at].flight.key(), made[at].entry.clone());
            return Ok(match self.leases().fill(key, lease, entry, options).await? {
                Held::Kept => Vec::new(),
                Held::Lost => vec![at],
            });
        }
        let fills: Vec<_> = batch
            .iter()
            .filter_map(|at| {
                let turn = &self.turns[*at];
                Some((turn.flight.key(), turn.lease?, made[*at].entry.clone()))
            })
            .collect();
        let held = self.leases().fill_many(&fills, options).await?;
        let lost = batch.iter().zip(held).filter(|(_, held)| *held == Held::Lost);
        Ok(lost.map(|(at, _)| *at).collect())
    }

    async fn release(&mut self, at: usize) -> Result<Held> {
        let Some(lease) = self.turns[at].lease else { return Ok(Held::Kept) };
        let held = self.leases().release(self.turns[at].flight.key(), lease).await;
        self.turns[at].lease = None;
        held
    }

    fn give_back(&mut self) {
        let leases = &self.dogpile.borrow().leases;
        for turn in &mut self.turns {
            if let Some(lease) = turn.lease.take() {
                leases.abandon(turn.flight.key(), lease);
            }
        }
    }

    /// The creator's outcome, or the payload of its panic; meanwhile the leases are kept alive.
    async fn keep_alive<Fut: Future>(
        &self,
        create: impl FnOnce() -> Fut,
    ) -> std::thread::Result<Fut::Output> {
        let turns = self.turns.iter().map(|turn| Arc::clone(turn.flight.turn()));
        // In its place, because it is large and each of its wrappers would move it.
        let creation = pin!(async { create().await });
        let created = caught(reentrant::holding(turns, creation));
        if self.dogpile.borrow().options.in_process {
            return created.await;
        }
        let mut beats = Box::pin(self.heartbeat());
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
                    let _ = self.leases().extend(turn.flight.key(), lease, self.lease_for).await;
                }
            }
        }
    }
}

impl<L: LeaseBackend, D: Borrow<Dogpile<L>>> Drop for Creation<L, D> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl<V: Clone> Turn<V> {
    fn is_voided(&self) -> bool {
        self.seat.as_ref().is_some_and(Seat::is_voided)
    }

    fn land(&mut self, landing: Landing<V>) {
        if let Some(seat) = self.seat.take() {
            seat.land(landing);
        }
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
