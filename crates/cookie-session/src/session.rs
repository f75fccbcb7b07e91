//! The session, for the application.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use dogpile_core::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::flash::{self, Flash};
use crate::map::{self, Map};
use crate::request::Inner;
use crate::state::State;
use crate::{Error, ErrorKind, Result, SessionData, csrf, hex, typed};

/// The session of a request: a small map, or with `Session<T>` a type of yours.
///
/// Clones are the same session, in this request. What is changed is sent with the response; what is
/// put back as it was is not. The methods wait for nothing: the cookie was opened, and its generation
/// compared, when the session was made.
///
/// Without a valid cookie it is empty. It gets an id, and a cookie, when something is put into it.
///
/// ```
/// # use cookie_session::{KeyRing, RootKey, Sessions, SessionOptions};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cookie_session::Result<()> {
/// # let sessions = Sessions::new(KeyRing::new(RootKey::generate()?), SessionOptions::new())?;
/// let request = sessions.request("theme=dark");
/// let session = request.session().await?;
///
/// assert!(session.is_new());
/// let count = session.get::<u64>("count")?.unwrap_or(0) + 1;
/// session.insert("count", &count)?;
///
/// let headers = request.commit().await?;
/// assert!(headers.set_cookie()[0].starts_with("__Host-session="));
/// # Ok(())
/// # }
/// ```
pub struct Session<T = Map> {
    pub(crate) inner: Arc<Inner>,
    pub(crate) content: PhantomData<fn() -> T>,
}

/// What every session can do, whatever it holds.
impl<T> Session<T> {
    /// Whether no valid session came with the request.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.look(|state| !state.came_valid)
    }

    /// The user that logged in, as [`log_in`](Self::log_in) named them.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.look(|state| state.header.user.as_deref().map(str::to_owned))
    }

    /// What names the session in a list of its user's, for
    /// [`Sessions::end_session`](crate::Sessions::end_session): 32 hexadecimal digits, nothing if there
    /// is no session. They are others after each [`log_in`](Self::log_in) and [`renew`](Self::renew).
    ///
    /// Whoever knows them can have the session ended, where you let them, and cannot use it.
    #[must_use]
    pub fn handle(&self) -> Option<String> {
        let id = self.look(|state| state.exists.then_some(state.header.id))?;
        Some(hex::encode(&self.inner.sessions.row(&id)))
    }

    /// Notes that this user has just proved who they are.
    ///
    /// The session gets a new id, and its clocks begin anew; with a generation per session, tokens from
    /// before are void at once. What it holds is kept, unless it was the session of another user.
    ///
    /// # Errors
    /// Of the kind [`Random`](ErrorKind::Random).
    pub fn log_in(&self, user: &str) -> Result<()> {
        let (lifetime, now) = (self.inner.sessions.lifetime, self.now());
        self.change(|state| state.log_in(user, &lifetime, now))
    }

    /// Gives the session a new id, as is right whenever its user gains rights; tokens of the old id
    /// are void at once where the server keeps a generation per session. Its lifetime stays.
    ///
    /// If the session ended since the request came, or with
    /// [`monotonic`](crate::generation::Generations::monotonic) generations was saved by another one, that
    /// stands, and the commit is a [`Conflict`](ErrorKind::Conflict).
    ///
    /// # Errors
    /// Of the kind [`Random`](ErrorKind::Random).
    pub fn renew(&self) -> Result<()> {
        let (lifetime, now) = (self.inner.sessions.lifetime, self.now());
        self.change(|state| state.renew(&lifetime, now))
    }

    /// Ends the session, logging out its user: the cookie is removed, and where the server keeps a
    /// generation per session, no copy of it is accepted any more.
    ///
    /// It is written down when the request is committed, before anything else: a handler that panics or
    /// is dropped ends nothing.
    pub fn destroy(&self) {
        self.change(State::destroy);
    }

    /// Ends all sessions of its user, this one among them.
    ///
    /// It is written down when the request is committed, before anything else: a handler that panics or
    /// is dropped ends nothing. [`Sessions::end_user`](crate::Sessions::end_user) does it at once.
    ///
    /// # Errors
    /// Of the kind [`Refused`](ErrorKind::Refused) if the sessions are
    /// [stateless](crate::generation::Generations::stateless), or if nobody is logged in.
    pub fn log_out_everywhere(&self) -> Result<()> {
        self.end_user()?;
        self.destroy();
        Ok(())
    }

    /// Ends all other sessions of its user, as is right after a change of the password. This one
    /// gets a new id, as with [`renew`](Self::renew).
    ///
    /// It is written down when the request is committed, before anything else: a handler that panics or
    /// is dropped ends nothing. [`Sessions::end_user`](crate::Sessions::end_user) does it at once.
    ///
    /// # Errors
    /// As for [`log_out_everywhere`](Self::log_out_everywhere), and of the kind
    /// [`Random`](ErrorKind::Random).
    pub fn log_out_elsewhere(&self) -> Result<()> {
        self.end_user()?;
        self.renew()
    }

    /// When its user last [logged in](Self::log_in).
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.look(|state| state.header.authenticated)
    }

    /// Refuses a request whose user has not proved within this time who they are.
    ///
    /// # Errors
    /// Of the kind [`NotFresh`](ErrorKind::NotFresh): ask for the password, and
    /// [`log_in`](Self::log_in) again.
    pub fn require_fresh(&self, within: Duration) -> Result<()> {
        let now = self.now();
        match self.authenticated_at() {
            Some(at) if now < at.plus(within) => Ok(()),
            _ => Err(Error::new(ErrorKind::NotFresh, "log in again to go on")),
        }
    }

    /// Leaves a message for the next request that asks for messages.
    ///
    /// # Errors
    /// Of the kind [`Random`](ErrorKind::Random).
    #[expect(clippy::needless_pass_by_value, reason = "it is handed over")]
    pub fn flash(&self, message: Flash) -> Result<()> {
        self.put(|state| {
            flash::push(state.flash_mut(), &message);
            state.is_flashed = true;
        })
    }

    /// Takes the messages that were left, the oldest first.
    #[must_use]
    pub fn take_flashes(&self) -> Vec<Flash> {
        self.change(|state| {
            state.is_flashed = false;
            flash::read(&std::mem::take(state.flash_mut()))
        })
    }

    /// A token for a form, or a header of a script's requests, that [`check_csrf`](Self::check_csrf)
    /// accepts as long as the session has its id. It is another text each time, so that a compressed
    /// page does not give it away.
    ///
    /// # Errors
    /// Of the kind [`Random`](ErrorKind::Random).
    pub fn csrf_token(&self) -> Result<String> {
        let id = self.put(|state| state.header.id)?;
        csrf::token(&self.inner.sessions.keys, &id)
    }

    /// Refuses a request that changes something and was not made by a page of this session.
    ///
    /// # Errors
    /// Of the kind [`Csrf`](ErrorKind::Csrf).
    pub fn check_csrf(&self, token: &str) -> Result<()> {
        let id = self.look(|state| state.exists.then_some(state.header.id));
        match id {
            Some(id) if csrf::is_valid(&self.inner.sessions.keys, &id, token) => Ok(()),
            _ => Err(Error::new(ErrorKind::Csrf, "reload the page and send the form again")),
        }
    }

    /// Drops what the session holds. It stays the session of its user.
    pub fn clear(&self) {
        self.change(|state| state.content.set(Vec::new()));
    }

    pub(crate) fn look<U>(&self, look: impl FnOnce(&State) -> U) -> U {
        self.inner.with(|state| look(state))
    }

    pub(crate) fn change<U>(&self, change: impl FnOnce(&mut State) -> U) -> U {
        self.inner.with(change)
    }

    /// Changes a session that there is from then on.
    pub(crate) fn put<U>(&self, put: impl FnOnce(&mut State) -> U) -> Result<U> {
        self.change(|state| {
            if !state.exists {
                state.begin(&self.inner.sessions.lifetime, self.now())?;
            }
            Ok(put(state))
        })
    }

    fn end_user(&self) -> Result<()> {
        let refused = |what| Error::new(ErrorKind::Refused, what);
        if self.inner.sessions.generations.mode.store().is_none() {
            return Err(refused(
                "stateless sessions cannot be ended by the server: choose a mode with a store",
            ));
        }
        self.change(|state| {
            let user = state.header.user.clone().ok_or_else(|| refused("nobody is logged in"))?;
            state.ended_user = Some(user);
            Ok(())
        })
    }

    fn now(&self) -> Timestamp {
        self.inner.sessions.clock.now()
    }
}

/// A session that was asked for as [any](crate::RequestSession::any).
impl Session<()> {
    /// The same session as a small map, as [`RequestSession::session`](crate::RequestSession::session)
    /// has it.
    ///
    /// # Errors
    /// Of the kind [`Decode`](ErrorKind::Decode) if this request has put a type into it.
    pub fn as_map(&self) -> Result<Session> {
        self.change(typed::expect_map)?;
        Ok(Session { inner: Arc::clone(&self.inner), content: PhantomData })
    }

    /// The same session as a type, as [`RequestSession::typed`](crate::RequestSession::typed) has it.
    ///
    /// # Errors
    /// Of the kind [`Encode`](ErrorKind::Encode) if it was migrated to what cannot be written down.
    pub fn as_typed<T: SessionData>(&self) -> Result<Session<T>> {
        self.change(typed::expect::<T>)?;
        Ok(Session { inner: Arc::clone(&self.inner), content: PhantomData })
    }
}

/// A session as a small map.
impl Session<Map> {
    /// The value of a key.
    ///
    /// # Errors
    /// Of the kind [`Decode`](ErrorKind::Decode) if it is of another type.
    pub fn get<V: DeserializeOwned>(&self, key: &str) -> Result<Option<V>> {
        let decoded = self.look(|state| map::find(&state.content, key).map(map::decode));
        decoded.transpose().map_err(|source| {
            Error::caused(
                ErrorKind::Decode,
                format!("the value of {key} is of another type"),
                source,
            )
        })
    }

    /// Puts a value under a key.
    ///
    /// # Errors
    /// Of the kinds [`Encode`](ErrorKind::Encode) and [`Random`](ErrorKind::Random). Whether all fits
    /// into the cookie is seen at the end of the request.
    pub fn insert<V: Serialize + ?Sized>(&self, key: &str, value: &V) -> Result<()> {
        let value = map::encode(value).map_err(|source| {
            Error::caused(
                ErrorKind::Encode,
                format!("the value of {key} cannot be written down"),
                source,
            )
        })?;
        self.put(|state| {
            if map::find(&state.content, key) != Some(&value) {
                state.content.set(map::with(&state.content, key, &value));
            }
        })
    }

    /// Takes a key out, and answers whether it was there.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn remove(&self, key: &str) -> bool {
        self.change(|state| {
            let found = map::find(&state.content, key).is_some();
            if found {
                state.content.set(map::without(&state.content, key));
            }
            found
        })
    }

    /// The keys, in the order in which they were put.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.look(|state| map::keys(&state.content).map(str::to_owned).collect())
    }
}

impl<T> Clone for Session<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), content: PhantomData }
    }
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("is_new", &self.is_new()).finish_non_exhaustive()
    }
}
