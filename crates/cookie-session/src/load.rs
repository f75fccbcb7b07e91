//! From the cookies of a request to its session.

use std::fmt;
use std::time::Duration;

use dogpile_core::{Key, Timestamp};

use crate::cookie::{Candidate, Candidates, SeenChunks};
use crate::generation::{Generation, Outage, Standing, is_just_now, judge};
use crate::header::Header;
use crate::lifetime::{self, SKEW, Untimely};
use crate::request::{CookieHeaders, values};
use crate::sessions::Shared;
use crate::state::{Saving, State};
use crate::token::Invalid;
use crate::{Error, Result};

/// Why a cookie is no session: for `tracing`, never for the client, who sees one answer to all.
enum Refused {
    Token(Invalid),
    Header,
    Untimely(Untimely),
    Floor,
    User(Standing),
    Session(Standing),
}

impl Shared {
    /// The session, where there is no store.
    pub(crate) fn load_stateless(&self, cookies: &dyn CookieHeaders) -> Box<State> {
        let now = self.clock.now();
        let found = Candidates::find(values(cookies), &self.attributes);
        for token in found.tokens() {
            match self.open(token, found.seen_chunks, now) {
                Ok(state) => return state,
                Err(refused) => refused.tell(),
            }
        }
        Box::new(State::without(&found))
    }

    /// The session. One that was compared with the store less than `recheck_every` ago is not compared
    /// again.
    pub(crate) async fn load(
        &self,
        cookies: &dyn CookieHeaders,
        recheck_every: Duration,
    ) -> Result<Box<State>> {
        let now = self.clock.now();
        let found = Candidates::find(values(cookies), &self.attributes);
        let mut none = Box::new(State::without(&found));
        for token in found.tokens() {
            let refused = match self.open(token, found.seen_chunks, now) {
                Ok(mut state) => match self.compare(&mut state, now, recheck_every).await? {
                    Ok(()) => return Ok(state),
                    Err(refused) => {
                        if state.saving == Saving::TooLate {
                            none.saving = Saving::TooLate;
                        }
                        refused
                    }
                },
                Err(refused) => refused,
            };
            refused.tell();
        }
        Ok(none)
    }

    /// The session of a token, as far as the token tells.
    fn open(
        &self,
        token: Result<Candidate<'_>, Invalid>,
        seen_chunks: SeenChunks,
        now: Timestamp,
    ) -> Result<Box<State>, Refused> {
        let opened = token.and_then(|token| token.open(&self.keys)).map_err(Refused::Token)?;
        let (header, content) = Header::read(opened.plaintext()).ok_or(Refused::Header)?;
        let content_bytes = content.len();
        // Made in its place: a state is large to be moved.
        let mut state = Box::<State>::default();
        state.header = header;
        self.lifetime.limit(&mut state.header);
        lifetime::judge(&state.header, now).map_err(Refused::Untimely)?;
        (state.exists, state.came, state.came_valid) = (true, true, true);
        state.seen_chunks = seen_chunks;
        state.is_due = opened.retiring || self.lifetime.is_due(&state.header, now);
        state.content = opened.into_content(content_bytes);
        Ok(state)
    }

    /// Compares the generations of a token with those of the store.
    async fn compare(
        &self,
        state: &mut State,
        now: Timestamp,
        recheck_every: Duration,
    ) -> Result<Result<(), Refused>> {
        let generations = &self.generations;
        let Some(store) = generations.mode.store() else { return Ok(Ok(())) };
        let since_check = state.header.checked.map(|checked| now.since(checked));
        if since_check.is_some_and(|since| since < recheck_every) {
            return Ok(Ok(()));
        }

        let row = self.row(&state.header.id);
        let user = state.header.user.as_deref().map(|user| Key::field(&self.scopes.user, user));
        let session =
            generations.mode.is_per_session().then(|| Key::field(&self.scopes.session, &row));
        let keys = [Some(self.floor()), user, session];
        let keys: Vec<Key<'_>> = keys.into_iter().flatten().collect();
        let rows = match self.ask(store.read(&keys)).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(target: "cookie_session", %error, "the generation store does not answer");
                state.saving = match generations.outage {
                    Outage::StaleFor(d) if since_check.is_some_and(|since| since <= d) => {
                        Saving::ReadOnly
                    }
                    Outage::FailOpen => Saving::Unchecked,
                    _ => return Err(Error::unavailable(error, generations.retry_after)),
                };
                return Ok(Ok(()));
            }
        };

        let mut rows = rows.into_iter();
        let mut next = || rows.next().flatten();
        let judge = |number, kept| judge(number, kept, now, generations.grace);
        let floor = next();
        let user = user.map(|_| judge(state.header.user_generation, next()));
        let session = session.map(|_| judge(state.header.session_generation, next()));

        let is_below = |floor: &Generation| state.header.started.as_millis() < floor.number;
        // All sessions are ended as of a moment so much ahead.
        let ended_just_now = |floor| is_just_now(floor, now.plus(SKEW), generations.grace);
        let superseded_just_now = Some(Standing::Superseded { just_now: true });
        // Whichever it was: the cookie that took the place of this one stands.
        if [user, session].contains(&superseded_just_now)
            || floor.filter(is_below).is_some_and(ended_just_now)
        {
            state.saving = Saving::TooLate;
        }
        if floor.as_ref().is_none_or(is_below) {
            return Ok(Err(Refused::Floor));
        }
        match user {
            None | Some(Standing::Current { .. }) => {}
            Some(standing) => return Ok(Err(Refused::User(standing))),
        }
        match session {
            None => {}
            Some(Standing::Current { acknowledged }) => state.is_unacknowledged = !acknowledged,
            Some(Standing::Previous { present, is_abandoned: true }) => {
                state.saving = Saving::InPlaceOf(present)
            }
            Some(Standing::Previous { present, .. }) => state.saving = Saving::Overtaken(present),
            Some(standing) => return Ok(Err(Refused::Session(standing))),
        }
        state.is_due |= generations
            .note_check_after()
            .is_some_and(|d| since_check.is_none_or(|since| since >= d));
        state.header.checked = Some(now);
        Ok(Ok(()))
    }
}

impl Refused {
    fn tell(&self) {
        tracing::debug!(target: "cookie_session", "a cookie was refused: {self}");
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = |f: &mut fmt::Formatter<'_>, of: &str, standing: &Standing| match standing {
            Standing::Missing => write!(f, "the store does not know the generation of its {of}"),
            _ => write!(f, "its {of} has a newer generation: it was revoked, or is replayed"),
        };
        match self {
            Self::Token(invalid) => invalid.fmt(f),
            Self::Header => f.write_str("its header is of another version"),
            Self::Untimely(Untimely::Future) => {
                f.write_str("it is from the future: see to the clocks")
            }
            Self::Untimely(Untimely::Idle) => f.write_str("it was idle for too long"),
            Self::Untimely(Untimely::Absolute) => f.write_str("its session has lived its time"),
            Self::Floor => {
                f.write_str("all sessions of its time were ended, or the store is empty")
            }
            Self::User(of) => standing(f, "user", of),
            Self::Session(of) => standing(f, "session", of),
        }
    }
}
