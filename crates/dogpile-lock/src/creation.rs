//! A creation, from the granted lease to the landing, of one key or of many at once.

use std::any::Any;
use std::borrow::Borrow;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dogpile_core::{
    Entry, Error, ErrorKind, Held, Key, Lease, LeaseBackend, Made, Result, SetOptions,
};
use tokio::time::Instant;

use crate::dogpile::Dogpile;
use crate::flight::{Flight, Landing, Seat};
use crate::{reentrant, timer};

/// Everything a creation holds. Dropped at any point, it gives all of it back.
///
/// It borrows its dogpile lock, or owns it where it may outlive its caller.
pub(crate) struct Creation<L, D, T>
where
    L: LeaseBackend,
    D: Borrow<Dogpile<L>>,
    T: Turns<L::Value>,
{
    dogpile: D,
    lease_for: Duration,
    turns: T,
    backend: PhantomData<L>,
}

/// One turn, which needs no list, or many.
pub(crate) trait Turns<V: Clone>: AsRef<[Turn<V>]> + AsMut<[Turn<V>]> {}

impl<V: Clone> Turns<V> for [Turn<V>; 1] {}
impl<V: Clone> Turns<V> for Vec<Turn<V>> {}

/// The turn to create one key: the seat in this process, and the lease of the store.
pub(crate) struct Turn<V: Clone> {
    seat: Seat<V>,
    /// `None` once the store has ended it.
    lease: Option<Lease>,
}

impl<V: Clone> Turn<V> {
    /// Takes the turn, and shows the stale entry to those who may have it.
    pub(crate) fn new(lease: Lease, seat: Seat<V>, stale: Option<&Entry<V>>) -> Self {
        stale.into_iter().for_each(|stale| seat.show_stale(stale.clone()));
        Self { seat, lease: Some(lease) }
    }

    pub(crate) fn flight(&self) -> &Arc<Flight<V>> {
        self.seat.flight()
    }

    fn key(&self) -> Key<'_> {
        self.flight().key()
    }
}

impl<L: LeaseBackend, D: Borrow<Dogpile<L>>> Creation<L, D, Vec<Turn<L::Value>>> {
    pub(crate) fn push(&mut self, turn: Turn<L::Value>) {
        self.turns.push(turn);
    }
}

impl<L: LeaseBackend, D: Borrow<Dogpile<L>>, T: Turns<L::Value>> Creation<L, D, T> {
    pub(crate) const fn new(dogpile: D, lease_for: Duration, turns: T) -> Self {
        Self { dogpile, lease_for, turns, backend: PhantomData }
    }

    /// Runs the creator, stores what it made, and tells those who wait. What was created is answered, in
    /// the order of the keys, even where a lease was lost and nothing was stored.
    ///
    /// A panic of the creator is passed on, after the turns were.
    pub(crate) async fn run<M, Fut>(&mut self, creator: Pin<&mut Fut>) -> Result<M>
    where
        M: AsRef<[Made<L::Value>]>,
        Fut: Future<Output = Result<M>>,
    {
        let asked = self.turns().len();
        let made = match self.keep_alive(creator).await {
            Ok(Ok(made)) if made.as_ref().len() == asked => made,
            Ok(Ok(made)) => {
                let error = miscounted(asked, made.as_ref().len());
                return Err(Box::pin(self.fail(error)).await);
            }
            Ok(Err(error)) => return Err(Box::pin(self.fail(error)).await),
            Err(payload) => self.pass_on(payload),
        };
        let stored = match made.as_ref() {
            [made] => self.store_one(made).await,
            made => Box::pin(self.store_many(made)).await,
        };
        for (turn, made) in self.turns.as_mut().iter_mut().zip(made.as_ref()) {
            turn.seat.land_with(&made.entry);
        }
        stored.map(|()| made)
    }

    async fn fail(&mut self, error: Error) -> Error {
        // The error of a release would hide the one that matters, and a lease has an end.
        all(self.held().map(|(key, lease)| self.leases().release(key, lease))).await;
        for turn in self.turns.as_mut() {
            turn.lease = None;
            turn.seat.land(Landing::Failed(error.clone()));
        }
        error
    }

    fn pass_on(&mut self, payload: Box<dyn Any + Send>) -> ! {
        self.give_back();
        for turn in self.turns.as_mut() {
            turn.seat.land_panicked(Error::from_panic(&*payload));
        }
        std::panic::resume_unwind(payload)
    }

    async fn store_one(&mut self, made: &Made<L::Value>) -> Result<()> {
        let turn = &self.turns()[0];
        let Some(options) = made.store.filter(|_| !turn.seat.is_voided()) else {
            return Box::pin(self.release(0)).await.map(drop);
        };
        let Some(lease) = turn.lease else { return Ok(()) };
        let held = self.leases().fill(turn.key(), lease, made.entry.clone(), &options).await?;
        if self.filled(0, held) { Box::pin(self.unstore(0)).await } else { Ok(()) }
    }

    async fn store_many(&mut self, made: &[Made<L::Value>]) -> Result<()> {
        let mut batches: Vec<(SetOptions, Vec<usize>)> = Vec::new();
        for (at, one) in made.iter().enumerate() {
            match one.store.filter(|_| !self.turns()[at].seat.is_voided()) {
                None => _ = self.release(at).await?,
                Some(options) => match batches.iter_mut().find(|(same, _)| *same == options) {
                    Some((_, batch)) => batch.push(at),
                    None => batches.push((options, vec![at])),
                },
            }
        }
        for (options, batch) in batches {
            let fills: Vec<_> = batch
                .iter()
                .filter_map(|at| {
                    let turn = &self.turns()[*at];
                    Some((turn.key(), turn.lease?, made[*at].entry.clone()))
                })
                .collect();
            let held = self.leases().fill_many(&fills, &options).await?;
            for (at, held) in batch.into_iter().zip(held) {
                if self.filled(at, held) {
                    self.unstore(at).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes note of a value that was stored, or was not because its lease was lost. Whether it has to
    /// go again, because a delete came between the look and the store.
    fn filled(&mut self, at: usize, held: Held) -> bool {
        self.turns.as_mut()[at].lease = None;
        let (dogpile, turn) = (self.dogpile.borrow(), &self.turns()[at]);
        if held == Held::Lost {
            dogpile.lost_lease(turn.key());
        }
        dogpile.options.in_process && turn.seat.is_voided()
    }

    async fn unstore(&self, at: usize) -> Result<()> {
        self.leases().delete_many(&[self.turns()[at].key()]).await
    }

    async fn release(&mut self, at: usize) -> Result<Held> {
        let Some(lease) = self.turns()[at].lease else { return Ok(Held::Kept) };
        let held = self.leases().release(self.turns()[at].key(), lease).await;
        self.turns.as_mut()[at].lease = None;
        held
    }

    fn give_back(&mut self) {
        let leases = &self.dogpile.borrow().leases;
        for turn in self.turns.as_mut() {
            if let Some(lease) = turn.lease.take() {
                leases.abandon(turn.key(), lease);
            }
        }
    }

    /// The creator's outcome, or the payload of its panic; meanwhile the leases are kept alive.
    async fn keep_alive<Fut: Future>(
        &self,
        creator: Pin<&mut Fut>,
    ) -> std::thread::Result<Fut::Output> {
        let turns = self.turns().iter().map(|turn| Arc::clone(turn.flight().turn()));
        let created = caught(reentrant::holding(turns, creator));
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

    fn leases(&self) -> &L {
        &self.dogpile.borrow().leases
    }

    fn turns(&self) -> &[Turn<L::Value>] {
        self.turns.as_ref()
    }

    /// The leases that were not ended yet.
    fn held(&self) -> impl Iterator<Item = (Key<'_>, Lease)> {
        self.turns().iter().filter_map(|turn| Some((turn.key(), turn.lease?)))
    }

    /// Extends the leases three times in their time, for ever, whether the store answers or not: one
    /// try that it leaves unanswered must not cost the lease.
    ///
    /// A lease that turns out to be lost is left to `fill` to report: the creation goes on in any
    /// case, because its value is good for those who wait.
    async fn heartbeat(&self) -> std::convert::Infallible {
        let every = (self.lease_for / 3).max(timer::SHORTEST);
        let mut next = Instant::now().checked_add(every);
        loop {
            timer::sleep_until(next).await;
            next = Instant::now().checked_add(every);
            let extend = |(key, lease)| self.leases().extend(key, lease, self.lease_for);
            timer::until(next, all(self.held().map(extend))).await;
        }
    }
}

impl<L: LeaseBackend, D: Borrow<Dogpile<L>>, T: Turns<L::Value>> Drop for Creation<L, D, T> {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Waits for all of these at once, so that many take no longer than one.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) {
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        pending.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if pending.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await
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
