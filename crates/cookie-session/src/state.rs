//! A session during one request: what came, what it is now, and what is to be done about it.

use std::time::Duration;

use dogpile_core::Timestamp;

use crate::content::Content;
use crate::cookie::{Candidates, SeenChunks};
use crate::generation::Generation;
use crate::header::{Header, SessionId};
use crate::key::no_random_bytes;
use crate::lifetime::Lifetime;
use crate::{Error, ErrorKind, Result};

#[derive(Clone, Default)]
pub(crate) struct State {
    /// Of no meaning unless the session exists.
    pub(crate) header: Header,
    pub(crate) content: Content,
    /// Whether there is a session: one came, or something was put.
    pub(crate) exists: bool,
    pub(crate) saving: Saving,
    /// Whether a cookie of the session's name came, valid or not.
    pub(crate) came: bool,
    /// Whether a valid one came.
    pub(crate) came_valid: bool,
    /// The chunks that came, which are to be removed when fewer are set.
    pub(crate) seen_chunks: SeenChunks,
    /// The messages that came, if others may be in their place.
    pub(crate) came_flash: Option<Vec<u8>>,
    /// It has an id that no token has had.
    pub(crate) is_new: bool,
    /// The user logged in, or a new id was asked for.
    pub(crate) is_renewed: bool,
    /// The generation at which a session that came goes on under a new id.
    pub(crate) continues: Option<u64>,
    /// A message was put.
    pub(crate) is_flashed: bool,
    /// It is to be sealed anew though nothing changed: for its clocks, or for its key.
    pub(crate) is_due: bool,
    /// Nobody had come with its generation.
    pub(crate) is_unacknowledged: bool,
    pub(crate) ended: Vec<Ended>,
    pub(crate) ended_user: Option<Box<str>>,
    pub(crate) is_removed: bool,
}

/// A session that no token is to open any more.
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) id: SessionId,
    pub(crate) keep_until: Timestamp,
}

/// Whether what a request changes can be saved.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Saving {
    #[default]
    Free,
    /// In the place of a generation that was given out and never came back.
    InPlaceOf(u64),
    /// No: another request saved before.
    Overtaken(u64),
    /// No: another request ended this session, or gave it a new id, a moment ago.
    TooLate,
    /// No: the store does not answer, and what came may only be read.
    ReadOnly,
    /// Without the store, which does not answer.
    Unchecked,
}

/// What a response has to do about the cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    None,
    /// Nothing that the application put there: it may be left out.
    Unasked,
    Asked,
}

impl State {
    /// No session, of a request that may have brought what is none.
    pub(crate) fn without(found: &Candidates<'_>) -> Self {
        Self { came: !found.are_none(), seen_chunks: found.seen_chunks, ..Self::default() }
    }

    /// Makes sure that there is a session to put something in.
    pub(crate) fn begin(&mut self, lifetime: &Lifetime, now: Timestamp) -> Result<()> {
        if !self.exists {
            self.header = Header { id: random_id()?, ..Header::default() };
            lifetime.begin(&mut self.header, now);
            (self.exists, self.is_new) = (true, true);
        }
        Ok(())
    }

    pub(crate) fn log_in(&mut self, user: &str, lifetime: &Lifetime, now: Timestamp) -> Result<()> {
        let is_another = self.header.user.as_deref().is_some_and(|present| present != user);
        self.renew(lifetime, now)?;
        if is_another {
            self.content.set(Vec::new());
            self.flash_mut().clear();
        }
        lifetime.begin(&mut self.header, now);
        self.header.user = Some(user.into());
        self.header.authenticated = Some(now);
        self.header.user_generation = 0;
        self.header.checked = None;
        self.saving = Saving::Free;
        self.continues = None;
        Ok(())
    }

    /// Another id for the same session; no token of the one before opens any more.
    pub(crate) fn renew(&mut self, lifetime: &Lifetime, now: Timestamp) -> Result<()> {
        let id = random_id()?;
        if self.exists && !self.is_new {
            self.continues = Some(self.expected_generation());
        }
        self.end();
        self.begin(lifetime, now)?;
        self.header.id = id;
        self.header.session_generation = 0;
        (self.is_new, self.is_renewed) = (true, true);
        if let Saving::InPlaceOf(_) = self.saving {
            self.saving = Saving::Free;
        }
        Ok(())
    }

    pub(crate) fn destroy(&mut self) {
        self.end();
        let is_removed = self.came && self.saving != Saving::TooLate;
        let saving = if self.saving == Saving::TooLate { self.saving } else { Saving::Free };
        let ended = std::mem::take(&mut self.ended);
        let ended_user = self.ended_user.take();
        let (came, came_valid, seen_chunks) = (self.came, self.came_valid, self.seen_chunks);
        *self = Self {
            came,
            came_valid,
            seen_chunks,
            ended,
            ended_user,
            is_removed,
            saving,
            ..Self::default()
        };
    }

    /// Makes it no session, as if nothing valid had come. What was ended is ended all the same.
    pub(crate) fn refuse(&mut self) {
        let refused = std::mem::take(self);
        let Self { came, seen_chunks, ended, ended_user, .. } = refused;
        *self = Self { came, seen_chunks, ended, ended_user, ..Self::default() };
    }

    /// Notes the present id as one that is over.
    fn end(&mut self) {
        if self.exists && !self.is_new {
            self.ended.push(Ended { id: self.header.id, keep_until: self.header.absolute_until });
        }
    }

    /// What the store has to have for this session to be saved.
    pub(crate) fn expected_generation(&self) -> u64 {
        match self.saving {
            Saving::InPlaceOf(present) => present,
            _ => self.header.session_generation,
        }
    }

    pub(crate) fn change(&self) -> Change {
        if !self.exists {
            return Change::None;
        }
        if self.is_renewed || self.is_flashed || self.content.is_changed() {
            return Change::Asked;
        }
        if self.is_new || self.is_due || self.has_other_flash() {
            return Change::Unasked;
        }
        Change::None
    }

    /// Whether the content changed, and not only the clocks.
    pub(crate) fn is_changed(&self) -> bool {
        self.change() == Change::Asked || self.has_other_flash()
    }

    /// The messages, to be changed.
    pub(crate) fn flash_mut(&mut self) -> &mut Vec<u8> {
        self.came_flash.get_or_insert_with(|| self.header.flash.clone());
        &mut self.header.flash
    }

    fn has_other_flash(&self) -> bool {
        self.came_flash.as_ref().is_some_and(|came| *came != self.header.flash)
    }
}

impl State {
    /// Whether the end of the request has anything to do.
    pub(crate) fn needs_commit(&self) -> bool {
        self.change() != Change::None
            || self.is_unacknowledged
            || self.is_removed
            || self.ended_user.is_some()
            || !self.ended.is_empty()
    }

    /// Whether the next request could do all of that as well: nothing was changed by this one.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn can_wait(&self) -> bool {
        self.change() != Change::Asked
            && !self.is_removed
            && self.ended_user.is_none()
            && self.ended.is_empty()
    }

    /// What was changed is saved.
    pub(crate) fn settle(&mut self) {
        self.content.settle();
        self.came_flash = None;
        (self.is_new, self.is_renewed, self.is_flashed) = (false, false, false);
        (self.is_due, self.is_unacknowledged, self.is_removed) = (false, false, false);
        self.continues = None;
        self.ended.clear();
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("exists", &self.exists)
            .field("saving", &self.saving)
            .finish_non_exhaustive()
    }
}

fn random_id() -> Result<SessionId> {
    let mut id = SessionId::default();
    getrandom::fill(&mut id).map_err(no_random_bytes)?;
    Ok(id)
}

impl Saving {
    /// What became of a session that is not at the generation that was expected, but here.
    pub(crate) fn lost_to(present: Option<Generation>) -> Self {
        match present {
            // Only a save leaves the generation before readable.
            Some(kept) if kept != Generation::begun(kept.number) => Self::Overtaken(kept.number),
            _ => Self::TooLate,
        }
    }

    /// Why a change that was asked for is not saved.
    pub(crate) fn check(self, retry_after: Duration) -> Result<()> {
        let conflict = |what| Err(Error::new(ErrorKind::Conflict, what));
        match self {
            Self::Overtaken(_) => conflict(
                "another request changed this session at the same time; its changes stand, make these again",
            ),
            Self::TooLate => {
                conflict("another request logged in or out at the same time; make this one again")
            }
            Self::ReadOnly => {
                let what =
                    "the session was let in without its store, to be read and not to be changed";
                let down = dogpile_core::Error::new(dogpile_core::ErrorKind::Unavailable, what);
                Err(Error::unavailable(down, retry_after))
            }
            Self::Free | Self::InPlaceOf(_) | Self::Unchecked => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Lifetime =
        Lifetime { idle: Duration::from_secs(60), absolute: Duration::from_secs(600) };

    #[test]
    fn every_session_has_an_id_of_its_own() {
        let begun = || {
            let mut state = State::default();
            state.begin(&LIFETIME, Timestamp::MIN).unwrap();
            state.header.id
        };
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|_| begun()).collect();
        assert_eq!(ids.len(), 1000);
        // Each of the 128 bits is sometimes set and sometimes not.
        let set = ids
            .iter()
            .fold([0; 16], |all: SessionId, id| std::array::from_fn(|at| all[at] | id[at]));
        let kept = ids
            .iter()
            .fold([0xff; 16], |all: SessionId, id| std::array::from_fn(|at| all[at] & id[at]));
        assert_eq!((set, kept), ([0xff; 16], [0; 16]));
    }
}
