//! From a session to the headers of the response.

use std::future::Future;
use std::time::Duration;

use dogpile_core::{Key, Timestamp};

use crate::generation::{Advance, Conflict, DynGenerationStore, Resolution};
use crate::header::Header;
use crate::lifetime::SKEW;
use crate::sessions::Shared;
use crate::state::{Change, Saving, State};
use crate::token::Sealed;
use crate::{Error, ErrorKind, Result, Session, cookie};

/// How often a conflict is resolved before it is one: each time another request saved in between.
const TRIES: u32 = 8;

impl Shared {
    /// The lines of `Set-Cookie`, where nothing is to be written down in the store.
    pub(crate) fn save_at_once(&self, state: &mut State) -> Option<Result<Vec<String>>> {
        if self.writes_down(state) {
            return None;
        }
        let is_saved = self.is_to_be_saved(state);
        Some(is_saved.and_then(|is_saved| self.set_cookie(state, is_saved, self.clock.now())))
    }

    /// Whether the store has to be asked to save the session, or told what has ended.
    fn writes_down(&self, state: &State) -> bool {
        let mode = &self.generations.mode;
        let has_ended = mode.is_per_session() && !state.ended.is_empty();
        mode.monotonic().is_some()
            || mode.store().is_some() && (state.is_new || has_ended || state.ended_user.is_some())
    }

    /// Writes down in the store what has to be, and answers the lines of `Set-Cookie`.
    ///
    /// What has ended is written down first: if the rest fails, somebody has to log in again, and
    /// nobody stays logged in.
    pub(crate) async fn save(
        &self,
        state: &mut State,
        session: &Session<()>,
    ) -> Result<Vec<String>> {
        let now = self.clock.now();
        let mut is_saved = self.is_to_be_saved(state)?;
        // Before anything is written down that cannot be taken back.
        if is_saved && let Err(error) = self.check_fits(state, now) {
            leave_out(state, error)?;
            is_saved = false;
        }
        self.end(state).await?;
        if state.is_unacknowledged && !state.is_changed() {
            self.acknowledge(state).await;
        }
        let is_saved = is_saved && self.raise_for_save(state, session, now).await?;
        self.set_cookie(state, is_saved, now)
    }

    /// Sees that the session fits as long as it is going to be: generations are moments, in
    /// milliseconds.
    fn check_fits(&self, state: &State, now: Timestamp) -> Result<()> {
        let mut header = state.header.clone();
        if state.is_new {
            if self.generations.mode.is_per_session() {
                header.session_generation = now.as_millis();
            }
            if header.user.is_some() {
                header.user_generation = header.user_generation.max(now.as_millis());
            }
            header.checked.get_or_insert(now);
        }
        self.lifetime.renew(&mut header, now);
        let mut plaintext = Vec::new();
        header.write(&mut plaintext);
        let chars = Sealed::chars_of(plaintext.len() + state.content.len());
        cookie::check_fits(&self.attributes, chars, self.max_age(&header))
    }

    fn is_to_be_saved(&self, state: &State) -> Result<bool> {
        match (state.change(), state.saving) {
            (Change::None, _) => Ok(false),
            (_, Saving::Free | Saving::Unchecked | Saving::InPlaceOf(_)) => Ok(true),
            (Change::Unasked, _) => Ok(false),
            // Which of two goes on with the session is no question of what it holds.
            (Change::Asked, Saving::Overtaken(_))
                if self.generations.on_conflict.is_some() && state.continues.is_none() =>
            {
                Ok(true)
            }
            (Change::Asked, saving) => saving.check(self.generations.retry_after).map(|()| true),
        }
    }

    /// Voids what has ended.
    async fn end(&self, state: &mut State) -> Result<()> {
        let now = self.clock.now();
        if self.generations.mode.is_per_session() {
            for ended in std::mem::take(&mut state.ended) {
                let row = self.row(&ended.id);
                let key = Key::field(&self.scopes.session, &row);
                if let Some(generation) = state.continues {
                    self.hand_over(key, generation, now, ended.keep_until).await?;
                }
                self.raise(key, now, ended.keep_until).await?;
            }
        }
        if let Some(user) = state.ended_user.take() {
            let key = Key::field(&self.scopes.user, &*user);
            let header = &mut state.header;
            if header.user.as_ref() != Some(&user) {
                self.raise(key, now, Timestamp::MAX).await?;
            } else if state.continues.is_some() {
                header.user_generation =
                    self.raise_from(key, header.user_generation, Timestamp::MAX).await?;
            } else {
                header.user_generation = self.raise(key, now, Timestamp::MAX).await?;
            }
        }
        Ok(())
    }

    /// Ends a session that goes on under another id, unless another request saved or ended it first.
    async fn hand_over(
        &self,
        key: Key<'_>,
        mut generation: u64,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<()> {
        if let Some(store) = self.generations.mode.monotonic() {
            let until = now.plus(self.generations.grace);
            let advance = store.advance(key, generation, until, keep_until);
            match self.answer(self.ask(advance).await)? {
                Advance::Done => generation += 1,
                Advance::Conflict(present) => {
                    return Saving::lost_to(present).check(self.generations.retry_after);
                }
            }
        }
        self.raise_from(key, generation, keep_until).await.map(drop)
    }

    /// Raises a row by one. Whoever raised it since it was at this generation was first.
    async fn raise_from(
        &self,
        key: Key<'_>,
        generation: u64,
        keep_until: Timestamp,
    ) -> Result<u64> {
        let raised = self.raise(key, Timestamp::MIN, keep_until).await?;
        // Zero is none: what never had a generation gets none by being renewed.
        if generation == 0 || generation.checked_add(1) != Some(raised) {
            Saving::TooLate.check(self.generations.retry_after)?;
        }
        Ok(raised)
    }

    /// Gives a session that is to be saved its generations. Whether it is saved: not if a conflict was
    /// resolved for others.
    async fn raise_for_save(
        &self,
        state: &mut State,
        session: &Session<()>,
        now: Timestamp,
    ) -> Result<bool> {
        if state.is_new {
            self.begin(state, now).await?;
            return Ok(true);
        }
        if self.generations.mode.store().is_none() || state.saving == Saving::Unchecked {
            return Ok(true);
        }
        if state.is_changed() && self.generations.mode.monotonic().is_some() {
            return self.advance(state, session, now).await;
        }
        Ok(self.is_newest(state).await)
    }

    /// Whether a token that is sealed for its clocks alone is still the newest of its session: it must
    /// not take the place of one that another request was given meanwhile.
    async fn is_newest(&self, state: &State) -> bool {
        let Some(store) = self.generations.mode.monotonic() else { return true };
        let expected = state.expected_generation();
        let row = self.row(&state.header.id);
        let rows = self.ask(store.read(&[Key::field(&self.scopes.session, &row)])).await;
        rows.is_ok_and(|rows| matches!(rows[..], [Some(kept)] if kept.number == expected))
    }

    /// Begins the generations of a session that has a new id.
    async fn begin(&self, state: &mut State, now: Timestamp) -> Result<()> {
        let Some(store) = self.generations.mode.store() else { return Ok(()) };
        let header = &mut state.header;
        // What goes on keeps those of its user and its beginning.
        if state.continues.is_none() {
            self.begin_for_user(store, header, now).await?;
        }
        if self.generations.mode.is_per_session() {
            let row = self.row(&header.id);
            let key = Key::field(&self.scopes.session, &row);
            header.session_generation = self.start(store, key, now, header.absolute_until).await?;
        }
        Ok(())
    }

    async fn begin_for_user(
        &self,
        store: &dyn DynGenerationStore,
        header: &mut Header,
        now: Timestamp,
    ) -> Result<()> {
        let user = header.user.as_deref().filter(|_| header.user_generation == 0);
        let user = user.map(|user| Key::field(&self.scopes.user, user));
        let keys = [Some(self.floor()), user];
        let keys: Vec<Key<'_>> = keys.into_iter().flatten().collect();
        let mut rows = self.answer(self.ask(store.read(&keys)).await)?.into_iter();
        let mut present = || rows.next().flatten().map(|row| row.number);

        let floor = match present() {
            Some(floor) => floor,
            // As much above as another clock may be ahead: all there was before an empty store is over.
            None => self.start(store, self.floor(), now.plus(SKEW), Timestamp::MAX).await?,
        };
        if let Some(key) = user {
            header.user_generation = match present() {
                Some(present) => present,
                None => self.start(store, key, now, Timestamp::MAX).await?,
            };
        }
        // The floor may be ahead of the clock.
        header.started = header.started.max(Timestamp::from_millis(floor));
        header.checked = Some(now);
        Ok(())
    }

    async fn advance(
        &self,
        state: &mut State,
        session: &Session<()>,
        now: Timestamp,
    ) -> Result<bool> {
        let Some(store) = self.generations.mode.monotonic() else { return Ok(true) };
        let mut expected = state.expected_generation();
        let mut overtaken = match state.saving {
            Saving::Overtaken(present) => Some(present),
            _ => None,
        };
        for _ in 0..TRIES {
            if let Some(present) = overtaken.take() {
                match self.resolve(state, session, present) {
                    Resolution::Fail => break,
                    Resolution::KeepTheirs => return Ok(false),
                    Resolution::KeepOurs => expected = present,
                }
            }
            let row = self.row(&state.header.id);
            let key = Key::field(&self.scopes.session, &row);
            let until = now.plus(self.generations.grace);
            let advance = store.advance(key, expected, until, state.header.absolute_until);
            match self.answer(self.ask(advance).await)? {
                Advance::Done => {
                    state.header.session_generation = expected + 1;
                    state.saving = Saving::Free;
                    return Ok(true);
                }
                // Nobody asked for it: what the other request saved stands.
                Advance::Conflict(_) if state.change() == Change::Unasked => return Ok(false),
                Advance::Conflict(present) => match Saving::lost_to(present) {
                    Saving::Overtaken(present) => overtaken = Some(present),
                    // Ended: no hook is asked whether it is to live on.
                    lost => return lost.check(self.generations.retry_after).map(|()| false),
                },
            }
        }
        Saving::Overtaken(expected).check(self.generations.retry_after).map(|()| false)
    }

    /// Asks the application what becomes of changes that came too late, and takes over what it changed.
    fn resolve(&self, state: &mut State, session: &Session<()>, present: u64) -> Resolution {
        let Some(on_conflict) = &self.generations.on_conflict else { return Resolution::Fail };
        let resolution = on_conflict(&Conflict {
            session,
            loaded_generation: state.header.session_generation,
            present_generation: present,
        });
        session.look(|changed| {
            state.content.clone_from(&changed.content);
            state.header.schema = changed.header.schema;
            state.flash_mut().clone_from(&changed.header.flash);
        });
        resolution
    }

    /// Notes that a request came with the present generation. If it is not noted, the one before is
    /// read for longer, and nothing else.
    async fn acknowledge(&self, state: &State) {
        let Some(store) = self.generations.mode.monotonic() else { return };
        let row = self.row(&state.header.id);
        let key = Key::field(&self.scopes.session, &row);
        if let Err(error) = self.ask(store.acknowledge(key, state.header.session_generation)).await
        {
            tracing::debug!(target: "cookie_session", %error, "a generation was not acknowledged");
        }
    }

    /// The lines that set the cookie to what the session is, or remove it.
    fn set_cookie(&self, state: &mut State, is_saved: bool, now: Timestamp) -> Result<Vec<String>> {
        let lines = if is_saved {
            self.lifetime.renew(&mut state.header, now);
            let State { header, content, seen_chunks, .. } = &*state;
            let token = self.keys.seal(header.about_bytes() + content.len(), |to| {
                header.write(to);
                to.extend_from_slice(content);
            })?;
            let max_age = self.max_age(header);
            match cookie::set_cookie(&self.attributes, &token, max_age, *seen_chunks) {
                Ok(lines) => lines,
                Err(error) => leave_out(state, error)?,
            }
        } else if state.is_removed {
            cookie::remove_cookie(&self.attributes, state.seen_chunks)
        } else {
            Vec::new()
        };
        state.settle();
        Ok(lines)
    }

    /// Of a token that is sealed now.
    fn max_age(&self, header: &Header) -> Option<Duration> {
        self.is_lasting.then(|| header.absolute_until.since(header.issued))
    }

    /// Voids the tokens of a row, and answers the number of those to come.
    pub(crate) async fn raise(
        &self,
        key: Key<'_>,
        at_least: Timestamp,
        keep_until: Timestamp,
    ) -> Result<u64> {
        let Some(store) = self.generations.mode.store() else {
            let what =
                "stateless sessions cannot be ended by the server: choose generations with a store";
            return Err(Error::new(ErrorKind::Refused, what));
        };
        self.answer(self.ask(store.raise(key, at_least.as_millis(), keep_until)).await)
    }

    async fn start(
        &self,
        store: &dyn DynGenerationStore,
        key: Key<'_>,
        at: Timestamp,
        keep_until: Timestamp,
    ) -> Result<u64> {
        self.answer(self.ask(store.start(key, at.as_millis(), keep_until)).await)
    }

    /// An operation of the store, within its time.
    pub(crate) async fn ask<T>(
        &self,
        operation: impl Future<Output = dogpile_core::Result<T>>,
    ) -> dogpile_core::Result<T> {
        match &self.generations.timer {
            None => operation.await,
            Some(timer) => timer.limit(self.generations.timeout, operation).await,
        }
    }

    fn answer<T>(&self, answer: dogpile_core::Result<T>) -> Result<T> {
        answer.map_err(|error| {
            tracing::warn!(target: "cookie_session", %error, "the generation store does not answer");
            Error::unavailable(error, self.generations.retry_after)
        })
    }
}

/// No lines, for a session that is sealed anew and nobody asked for that: a read does not fail for it.
fn leave_out(state: &State, error: Error) -> Result<Vec<String>> {
    if error.kind() != ErrorKind::TooLarge || state.change() != Change::Unasked {
        return Err(error);
    }
    tracing::warn!(target: "cookie_session", %error, "a session cannot be sealed anew, and is left as it is");
    Ok(Vec::new())
}
