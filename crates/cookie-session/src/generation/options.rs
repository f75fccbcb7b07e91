//! Which generations sessions have, and what happens when the store does not answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::store::{DynGenerationStore, DynMonotonicStore, GenerationStore, MonotonicStore};
use super::timer::Timer;
use crate::{Error, ErrorKind, Result, Session};

/// What the server can take back.
///
/// | | rows in the store | logging out | logging out everywhere | an old cookie, replayed |
/// |---|---|---|---|---|
/// | [`stateless`](Self::stateless) | none | asks the browser | cannot | is accepted until it expires |
/// | [`per_user`](Self::per_user) | one a user | asks the browser | ends every session of the user | is accepted until then |
/// | [`per_session`](Self::per_session) | one a session | ends the session | as above | is refused after a login, renewal or logout |
/// | [`monotonic`](Self::monotonic) | one a session | ends the session | as above | is refused soon after the next save |
///
/// Each includes what the one above can do. Wherever there is a store, all sessions that there are can
/// be ended at once with [`Sessions::end_all`](crate::Sessions::end_all).
///
/// ```
/// use cookie_session::generation::{Generations, MemoryStore, Outage};
/// use std::time::Duration;
///
/// let generations = Generations::per_session(MemoryStore::new())
///     .with_outage(Outage::StaleFor(Duration::from_secs(300)))
///     .with_recheck_every(Duration::from_secs(10));
/// ```
#[derive(Clone)]
pub struct Generations {
    pub(crate) mode: Mode,
    pub(crate) outage: Outage,
    pub(crate) timeout: Duration,
    pub(crate) timer: Option<Timer>,
    pub(crate) retry_after: Duration,
    pub(crate) recheck_every: Duration,
    pub(crate) grace: Duration,
    pub(crate) on_conflict: Option<Arc<OnConflict>>,
}

type OnConflict = dyn Fn(&Conflict<'_>) -> Resolution + Send + Sync;

#[derive(Clone, Debug)]
pub(crate) enum Mode {
    Stateless,
    PerUser(Arc<dyn DynGenerationStore>),
    PerSession(Arc<dyn DynGenerationStore>),
    Monotonic(Arc<dyn DynMonotonicStore>),
}

/// What happens to requests with a valid cookie while the store does not answer.
///
/// Whichever it is: requests without a valid cookie do not need the store, the cookie is kept, and
/// logging in or out fails, because an end that was not written down is none. A logout that only asks
/// the browser, of [`per_user`](Generations::per_user) sessions that are let in, does not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outage {
    /// They fail with [`ErrorKind::Unavailable`]: 503 with a Retry-After.
    #[default]
    FailClosed,
    /// A session that was compared with the store within this time may be read, and not saved. The
    /// moment is in the token, where nobody can change it; to keep it fresh the cookie is set anew
    /// when half of this time has gone by. It may be a minute longer, where the clock of the machine
    /// that compared it was ahead.
    StaleFor(Duration),
    /// They are let in, and may save, though they may have been revoked.
    FailOpen,
}

impl Generations {
    /// No store: a session ends when its lifetime does.
    #[must_use]
    pub fn stateless() -> Self {
        Self::new(Mode::Stateless)
    }

    /// One generation a user, checked from their login on.
    pub fn per_user(store: impl GenerationStore + 'static) -> Self {
        Self::new(Mode::PerUser(Arc::new(store)))
    }

    /// One generation a session, and one a user.
    pub fn per_session(store: impl GenerationStore + 'static) -> Self {
        Self::new(Mode::PerSession(Arc::new(store)))
    }

    /// One generation a session that every save raises, and one a user.
    ///
    /// Of two requests that save at the same time one succeeds; the other is a [`Conflict`] and
    /// changes nothing. Requests that only read are let in with the generation before, as long as
    /// nobody has come with the present one, and for the time of [grace](Self::with_grace).
    ///
    /// If nobody has come with the present one in that time, its response is taken for lost, and who
    /// comes with the one before may save again: then it is the present one that is refused. So a copy
    /// of a cookie is worth nothing as soon as its owner has come with a newer one and the time
    /// of grace is over, and not before.
    pub fn monotonic(store: impl MonotonicStore + 'static) -> Self {
        Self::new(Mode::Monotonic(Arc::new(store)))
    }

    fn new(mode: Mode) -> Self {
        Self {
            mode,
            outage: Outage::FailClosed,
            timeout: Duration::from_millis(250),
            timer: Timer::usual(),
            retry_after: Duration::from_secs(5),
            recheck_every: Duration::ZERO,
            grace: Duration::from_secs(30),
            on_conflict: None,
        }
    }

    /// What happens while the store does not answer; [`Outage::FailClosed`] if it is not said.
    #[must_use]
    pub fn with_outage(mut self, outage: Outage) -> Self {
        self.outage = outage;
        self
    }

    /// How long the store may take for one operation; 250 ms if it is not said.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What ends operations after the [timeout](Self::with_timeout). It has to be said only without the
    /// feature `tokio`.
    #[must_use]
    pub fn with_timer(mut self, timer: Timer) -> Self {
        self.timer = Some(timer);
        self
    }

    /// What the header `Retry-After` says while the store does not answer, in whole seconds; 5 s if it
    /// is not said.
    #[must_use]
    pub fn with_retry_after(mut self, d: Duration) -> Self {
        self.retry_after = d;
        self
    }

    /// Compares a session with the store once in this time and not with every request. A revocation is
    /// then seen up to `d` late, or a minute more where the clock of another machine is ahead, and the
    /// cookie is set anew with each comparison.
    ///
    /// Zero, with every request, if it is not said. Not for [`monotonic`](Self::monotonic), whose
    /// purpose it would defeat.
    #[must_use]
    pub fn with_recheck_every(mut self, d: Duration) -> Self {
        self.recheck_every = d;
        self
    }

    /// For how long a request may have been under way while another one changed the session; 30 s if
    /// it is not said.
    #[must_use]
    pub fn with_grace(mut self, d: Duration) -> Self {
        self.grace = d;
        self
    }

    /// Resolves conflicts of [`monotonic`](Self::monotonic) sessions. Without it they are
    /// [`ErrorKind::Conflict`].
    ///
    /// It may be called up to eight times for one request, each time that another one saved in between.
    /// It is not asked whether a session that has ended lives on, nor about a
    /// [renewal](Session::renew): these are conflicts.
    #[must_use]
    pub fn with_on_conflict(
        mut self,
        resolve: impl Fn(&Conflict<'_>) -> Resolution + Send + Sync + 'static,
    ) -> Self {
        self.on_conflict = Some(Arc::new(resolve));
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let refused = |what| Err(Error::new(ErrorKind::Refused, what));
        if matches!(self.mode, Mode::Stateless) {
            return Ok(());
        }
        if self.timer.is_none() {
            return refused(
                "a generation store needs a timer to end what takes too long: turn on the feature `tokio`, or choose \
                 one with Generations::with_timer",
            );
        }
        if self.timeout.is_zero() {
            return refused(
                "a timeout of zero would end every operation of the store before it began",
            );
        }
        if matches!(self.mode, Mode::Monotonic(_)) && !self.recheck_every.is_zero() {
            return refused(
                "monotonic generations are compared with every request, not once in a while",
            );
        }
        Ok(())
    }

    /// How old a comparison with the store may be until the token is to say that there was a newer one.
    pub(crate) fn note_check_after(&self) -> Option<Duration> {
        let recheck = (!self.recheck_every.is_zero()).then_some(self.recheck_every);
        let stale = match self.outage {
            Outage::StaleFor(d) => Some(d / 2),
            Outage::FailClosed | Outage::FailOpen => None,
        };
        recheck.into_iter().chain(stale).min()
    }
}

impl Mode {
    pub(crate) fn store(&self) -> Option<&dyn DynGenerationStore> {
        match self {
            Self::Stateless => None,
            Self::PerUser(store) | Self::PerSession(store) => Some(&**store),
            Self::Monotonic(store) => Some(&**store),
        }
    }

    pub(crate) fn monotonic(&self) -> Option<&dyn DynMonotonicStore> {
        match self {
            Self::Monotonic(store) => Some(&**store),
            _ => None,
        }
    }

    /// Whether each session has a generation of its own.
    pub(crate) fn is_per_session(&self) -> bool {
        matches!(self, Self::PerSession(_) | Self::Monotonic(_))
    }
}

impl fmt::Debug for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generations")
            .field("mode", &self.mode)
            .field("outage", &self.outage)
            .field("timeout", &self.timeout)
            .field("timer", &self.timer)
            .field("retry_after", &self.retry_after)
            .field("recheck_every", &self.recheck_every)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// Two requests that saved one session at the same time, as seen by the one that came too late.
///
/// What the other one saved is in its answer to the browser, and nowhere else.
#[derive(Debug)]
pub struct Conflict<'a> {
    pub(crate) session: &'a Session<()>,
    pub(crate) loaded_generation: u64,
    pub(crate) present_generation: u64,
}

impl Conflict<'_> {
    /// The session as this request would save it. It may be changed: take out what the other request
    /// knows better.
    #[must_use]
    pub fn session(&self) -> &Session<()> {
        self.session
    }

    /// The generation that this request started from.
    #[must_use]
    pub fn loaded_generation(&self) -> u64 {
        self.loaded_generation
    }

    /// The generation that the other request made.
    #[must_use]
    pub fn present_generation(&self) -> u64 {
        self.present_generation
    }
}

/// What becomes of the changes that came too late.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Resolution {
    /// [`ErrorKind::Conflict`]: 409. The cookie is kept, and the request can be made again.
    Fail,
    /// They are dropped, and the response is sent. The cookie is that of the other request.
    KeepTheirs,
    /// They are saved over those of the other request.
    KeepOurs,
}
