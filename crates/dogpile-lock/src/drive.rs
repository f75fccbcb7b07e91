//! Driving the protocol for one key.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dogpile_core::{
    Age, Answer, Entry, Error, ErrorKind, Lease, LeaseBackend, Made, Request, Result, Served,
    ServedBy,
};
use tokio::time::Instant;

use crate::creation::{Creation, Turn};
use crate::dogpile::Dogpile;
use crate::flight::{Flight, Flights, Landing, Place, Seat, Sight};
use crate::step::{Event, Machine, Step};
use crate::{reentrant, timer};

/// Goes as far as the protocol goes without a creator.
pub(crate) async fn settle<L: LeaseBackend>(
    dogpile: &Dogpile<L>,
    request: &Request<'_>,
    stale: Option<Entry<L::Value>>,
) -> Result<Settled<L>> {
    Caller::new(dogpile, request, stale, false).until_settled().await
}

/// Creates in the caller's own task.
pub(crate) async fn here<L, F, Fut>(
    dogpile: &Dogpile<L>,
    lease_for: Duration,
    turn: Turn<L::Value>,
    create: F,
) -> Result<Served<L::Value>>
where
    L: LeaseBackend,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<Made<L::Value>>> + Send,
{
    let mut creation = Creation::new(dogpile, lease_for, [turn]);
    // In its place, because it is large and each of its wrappers would move it.
    let creator = pin!(async { Ok([create().await?]) });
    let [made] = creation.run(creator).await?;
    Ok(Served { entry: made.entry, by: ServedBy::Created })
}

/// Creates, if it comes to that, in a task of its own, which outlives its caller.
pub(crate) async fn detached<L, F, Fut>(
    dogpile: &Dogpile<L>,
    request: &Request<'_>,
    stale: Option<Entry<L::Value>>,
    create: F,
) -> Result<Served<L::Value>>
where
    L: LeaseBackend + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<Made<L::Value>>> + Send + 'static,
{
    let mut caller = Caller::new(dogpile, request, stale, dogpile.options.background);
    let (turn, background) = match caller.until_settled().await? {
        Settled::Served(served) => return Ok(served),
        Settled::Turn { turn, background } => (turn, background),
    };
    let flight = Arc::clone(turn.flight());
    let mut creation = Creation::new(dogpile.clone(), request.lease_for, [turn]);
    // Its failure is told through the flight; a background creation has nobody else to tell.
    let task = async move {
        if let Err(error) = creation.run(pin!(async { Ok([create().await?]) })).await {
            tracing::warn!(target: "dogpile", %error, "a detached creation failed");
        }
    };
    dogpile.options.spawner.spawn(Box::pin(task))?;
    if background && let Some(entry) = caller.stale.take() {
        return Ok(Served { entry, by: ServedBy::Stale });
    }
    match caller.follow(&flight, false).await? {
        Some(Sight::Landed(Landing::Entry(entry))) => Ok(Served { entry, by: ServedBy::Created }),
        Some(Sight::Landed(Landing::Failed(error))) => Err(error),
        Some(_) => Err(Error::new(
            ErrorKind::Panicked,
            "the detached creation of this value panicked or was stopped",
        )),
        None => Err(caller.timed_out()),
    }
}

/// How far the protocol goes without a creator.
pub(crate) enum Settled<L: LeaseBackend> {
    Served(Served<L::Value>),
    Turn { turn: Turn<L::Value>, background: bool },
}

/// One caller, and what it has in its hands.
struct Caller<'a, L: LeaseBackend> {
    dogpile: &'a Dogpile<L>,
    request: &'a Request<'a>,
    machine: Machine,
    /// How long it waits at most, from when it first has to.
    deadline: OnceLock<Option<Instant>>,
    stale: Option<Entry<L::Value>>,
    seat: Option<Seat<L::Value>>,
    flight: Option<Arc<Flight<L::Value>>>,
    lease: Option<Lease>,
    found: Option<Entry<L::Value>>,
    error: Option<Error>,
    panics: u32,
}

impl<'a, L: LeaseBackend> Caller<'a, L> {
    fn new(
        dogpile: &'a Dogpile<L>,
        request: &'a Request<'a>,
        stale: Option<Entry<L::Value>>,
        background: bool,
    ) -> Self {
        Self {
            dogpile,
            request,
            machine: Machine::new(request.serve_stale, background),
            deadline: OnceLock::new(),
            stale,
            seat: None,
            flight: None,
            lease: None,
            found: None,
            error: None,
            panics: 0,
        }
    }

    async fn until_settled(&mut self) -> Result<Settled<L>> {
        let mut step = self.machine.start(self.stale.is_some());
        loop {
            let event = match step {
                Step::Join => self.join(),
                Step::Ask => self.ask().await,
                // Boxed, so that who creates moves no future that is only there for those who wait.
                Step::Follow => Box::pin(self.wait_for_leader()).await?,
                Step::WaitElsewhere => Box::pin(self.wait_elsewhere()).await,
                Step::Create | Step::CreateInBackground => {
                    match (self.seat.take(), self.lease.take()) {
                        (Some(seat), Some(lease)) => {
                            let background = step == Step::CreateInBackground;
                            let turn = Turn::new(lease, seat, self.stale.as_ref());
                            return Ok(Settled::Turn { turn, background });
                        }
                        _ => Event::LeaderGone,
                    }
                }
                Step::Serve(by) => {
                    let entry =
                        if by == ServedBy::Stale { self.stale.take() } else { self.found.take() };
                    match entry {
                        Some(entry) => return Ok(Settled::Served(Served { entry, by })),
                        None => Event::LeaderGone,
                    }
                }
                Step::Fail => return Err(self.error.take().unwrap_or_else(|| self.timed_out())),
                Step::TimeOut => return Err(self.timed_out()),
            };
            step = self.machine.next(event);
        }
    }

    fn join(&mut self) -> Event {
        match Flights::join(&self.dogpile.flights, self.request.key, self.panics) {
            Place::Leader(seat) => {
                self.seat = Some(seat);
                Event::Leads
            }
            Place::Follower(flight) => {
                self.flight = Some(flight);
                Event::Follows
            }
        }
    }

    async fn ask(&mut self) -> Event {
        match self.dogpile.leases.get_or_lease(&self.request.ask()).await {
            Ok(Answer::Fresh(entry)) => {
                self.seat.take().into_iter().for_each(|mut seat| seat.land_with(&entry));
                self.found = Some(entry);
                Event::Fresh
            }
            Ok(Answer::Create { lease, stale }) => {
                self.lease = Some(lease);
                self.stale = stale;
                Event::Granted { stale: self.stale.is_some() }
            }
            Ok(Answer::Busy { stale }) => {
                self.stale = stale;
                if let (Some(seat), Some(stale)) = (&self.seat, &self.stale) {
                    seat.show_stale(stale.clone());
                    if self.request.serve_stale {
                        self.seat = None;
                    }
                }
                Event::Busy { stale: self.stale.is_some() }
            }
            Err(error) => {
                // All who follow would be told the same, one after the other.
                self.error = Some(error.clone());
                self.land(Landing::Failed(error));
                Event::Failed
            }
        }
    }

    fn land(&mut self, landing: Landing<L::Value>) {
        if let Some(mut seat) = self.seat.take() {
            seat.land(landing);
        }
    }

    async fn wait_for_leader(&mut self) -> Result<Event> {
        let Some(flight) = self.flight.clone() else { return Ok(Event::LeaderGone) };
        let mut accept_stale = self.request.serve_stale;
        loop {
            match self.follow(&flight, accept_stale).await? {
                None => return Ok(Event::Expired),
                Some(Sight::Stale(entry)) if self.request.freshness().age(&entry) == Age::Dead => {
                    accept_stale = false
                }
                Some(Sight::Stale(entry)) => {
                    self.stale = Some(entry);
                    return Ok(Event::StaleSeen);
                }
                Some(Sight::Landed(Landing::Entry(entry))) if accepts(self.request, &entry) => {
                    self.found = Some(entry);
                    return Ok(Event::Landed);
                }
                Some(Sight::Landed(Landing::Failed(error))) => {
                    self.error = Some(error);
                    return Ok(Event::LeaderFailed);
                }
                Some(Sight::Landed(Landing::Abandoned { panics })) => {
                    self.panics = panics;
                    return Ok(Event::LeaderGone);
                }
                Some(Sight::Landed(Landing::Entry(_))) => return Ok(Event::LeaderGone),
            }
        }
    }

    /// What the flight shows, or `None` when the time allowed is over.
    async fn follow(
        &self,
        flight: &Arc<Flight<L::Value>>,
        accept_stale: bool,
    ) -> Result<Option<Sight<L::Value>>> {
        if let Some(sight) = flight.sight(accept_stale) {
            return Ok(Some(sight));
        }
        let _waiting = reentrant::wait_for(flight.turn())?;
        Ok(timer::until(self.deadline(), Flight::follow(flight, accept_stale)).await)
    }

    async fn wait_elsewhere(&self) -> Event {
        let left = self
            .deadline()
            .map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Event::Expired;
        }
        let at_most = left.min(self.request.lease_for.max(timer::SHORTEST));
        let bound = Instant::now().checked_add(at_most);
        let _ = timer::until(bound, self.dogpile.leases.wait(self.request.key, at_most)).await;
        Event::Woken
    }

    fn deadline(&self) -> Option<Instant> {
        *self.deadline.get_or_init(|| Instant::now().checked_add(self.request.wait_for))
    }

    fn timed_out(&self) -> Error {
        timed_out(self.request)
    }
}

/// Whether a value that was waited for is good for its caller: it may be older than was asked for by
/// the time it is seen, but an invalidation that came before the caller counts.
pub(crate) fn accepts<V>(request: &Request<'_>, entry: &Entry<V>) -> bool {
    let stamps = Entry::new(entry.created, ()).with_version(entry.version);
    request.policy.at(entry.created).age(&stamps) == Age::Fresh
}

pub(crate) fn timed_out(request: &Request<'_>) -> Error {
    let waited = request.wait_for;
    let what = format!("the value was not created within {waited:?}; its creator is still at it");
    Error::new(ErrorKind::TimedOut, what)
}
