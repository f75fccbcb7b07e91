//! One request: from its cookies to the headers of its response.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sessions::Shared;
use crate::state::{Ended, Saving, State};
use crate::{Result, Session, SessionData, typed};

/// The values of the `Cookie` headers of a request, however it keeps them. HTTP/2 may send several.
///
/// ```
/// use cookie_session::CookieHeaders;
///
/// assert_eq!("a=1; b=2".value(0), Some(&b"a=1; b=2"[..]));
/// assert_eq!(vec!["a=1", "b=2"].value(1), Some(&b"b=2"[..]));
/// assert_eq!(None::<String>.value(0), None);
/// ```
pub trait CookieHeaders: Send + Sync + 'static {
    /// The value of one of the headers, counted from zero in the order in which they came. After the
    /// last there is nothing.
    fn value(&self, at: usize) -> Option<&[u8]>;
}

impl<T: AsRef<[u8]> + Send + Sync + 'static> CookieHeaders for Option<T> {
    fn value(&self, at: usize) -> Option<&[u8]> {
        self.as_ref().filter(|_| at == 0).map(AsRef::as_ref)
    }
}

impl<T: AsRef<[u8]> + Send + Sync + 'static> CookieHeaders for Vec<T> {
    fn value(&self, at: usize) -> Option<&[u8]> {
        self.get(at).map(AsRef::as_ref)
    }
}

impl CookieHeaders for &'static str {
    fn value(&self, at: usize) -> Option<&[u8]> {
        (at == 0).then_some(self.as_bytes())
    }
}

impl CookieHeaders for String {
    fn value(&self, at: usize) -> Option<&[u8]> {
        (at == 0).then_some(self.as_bytes())
    }
}

pub(crate) fn values(headers: &dyn CookieHeaders) -> impl Iterator<Item = &[u8]> + Clone {
    (0..).map_while(|at| headers.value(at))
}

/// The session of one request, which nothing is known of until it is asked for.
///
/// Cheap to clone and to move into a handler; clones are the same request.
///
/// ```
/// # use cookie_session::{KeyRing, RootKey, Sessions, SessionOptions};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cookie_session::Result<()> {
/// # let sessions = Sessions::new(KeyRing::new(RootKey::generate()?), SessionOptions::new())?;
/// let request = sessions.request(None::<String>);
/// let headers = request.commit().await?;
/// assert!(headers.set_cookie().is_empty() && !headers.is_touched());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RequestSession(Arc<Inner>);

pub(crate) struct Inner<C: ?Sized = dyn CookieHeaders> {
    pub(crate) sessions: Arc<Shared>,
    /// Whether there is a state, without taking the lock.
    is_touched: AtomicBool,
    /// Nothing until the session is asked for.
    state: Mutex<Option<Box<State>>>,
    cookies: C,
}

impl RequestSession {
    pub(crate) fn new(sessions: Arc<Shared>, cookies: impl CookieHeaders) -> Self {
        let (is_touched, state) = (AtomicBool::new(false), Mutex::new(None));
        Self(Arc::new(Inner { sessions, is_touched, state, cookies }))
    }

    /// The session as a small map: now its cookie is opened, and its generation compared.
    ///
    /// Whatever is wrong with a cookie, the session is empty then; the reason is told to `tracing`,
    /// under the target `cookie_session`. So is a session of a [type](Self::typed), which another
    /// server wrote that runs a newer program.
    ///
    /// # Errors
    /// Of the kind [`Unavailable`](crate::ErrorKind::Unavailable) if the store does not answer, and
    /// [`Decode`](crate::ErrorKind::Decode) if this request has put a type into the session.
    pub async fn session(&self) -> Result<Session> {
        self.0.load(typed::expect_map).await?;
        Ok(self.handle())
    }

    /// The session as a type of yours; see [`session`](Self::session).
    ///
    /// A session of an older version of the type is [migrated](SessionData::migrate). One of a newer
    /// version, which another server wrote that runs a newer program, is no session.
    ///
    /// # Errors
    /// Of the kind [`Unavailable`](crate::ErrorKind::Unavailable) if the store does not answer.
    pub async fn typed<T: SessionData>(&self) -> Result<Session<T>> {
        self.0.load(typed::expect::<T>).await?;
        Ok(self.handle())
    }

    /// The session, whatever it holds: for what asks only for its user or its CSRF token.
    ///
    /// # Errors
    /// Of the kind [`Unavailable`](crate::ErrorKind::Unavailable) if the store does not answer.
    pub async fn any(&self) -> Result<Session<()>> {
        self.0.load(|_| Ok(())).await?;
        Ok(self.handle())
    }

    /// What the response has to say about the session, after the handler.
    ///
    /// What is to be written down in the store is written now, and the token sealed.
    ///
    /// # Errors
    /// Of the kinds [`TooLarge`](crate::ErrorKind::TooLarge), [`Conflict`](crate::ErrorKind::Conflict),
    /// [`Unavailable`](crate::ErrorKind::Unavailable). What the handler answered must not be sent then,
    /// because it is not true: answer with the error's [`status`](crate::Error::status), and say
    /// nothing about the cookie.
    pub async fn commit(&self) -> Result<ResponseHeaders> {
        if !self.is_touched() {
            return Ok(ResponseHeaders::default());
        }
        match self.commit_at_once() {
            Some(committed) => committed,
            // Seldom, and of a size that the future of every request should not have.
            None => Box::pin(self.commit_to_store()).await,
        }
    }

    /// Commits what the store need not know, of a session that was asked for: most requests only read,
    /// and need no future for that.
    pub(crate) fn commit_at_once(&self) -> Option<Result<ResponseHeaders>> {
        self.0.with(|state| {
            if !state.needs_commit() {
                return Some(Ok(ResponseHeaders::touched(Vec::new())));
            }
            let lines = self.0.sessions.save_at_once(state)?;
            Some(lines.map(ResponseHeaders::touched))
        })
    }

    async fn commit_to_store(&self) -> Result<ResponseHeaders> {
        let mut state = self.0.with(|state| Box::new(state.clone()));
        if state.continues.is_some() {
            // The new id would outlive what has ended the old one since that came.
            let compared = self.0.sessions.load(&self.0.cookies, Duration::ZERO).await?;
            let is_old = |ended: &Ended| ended.id == compared.header.id;
            if !compared.came_valid || !state.ended.iter().any(is_old) {
                Saving::TooLate.check(self.0.sessions.generations.retry_after)?;
            }
            state.header.checked = compared.header.checked;
        }
        let lines = self.0.sessions.save(&mut state, &self.handle()).await?;
        self.0.with(|present| *present = *state);
        Ok(ResponseHeaders::touched(lines))
    }

    /// Whether the session was asked for.
    pub(crate) fn is_touched(&self) -> bool {
        self.0.is_touched.load(Ordering::Acquire)
    }

    /// Whether what is to be said about the session can be said with the next response as well.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn can_wait(&self) -> bool {
        !self.is_touched() || self.0.with(|state| state.can_wait())
    }

    fn handle<T>(&self) -> Session<T> {
        Session { inner: Arc::clone(&self.0), content: PhantomData }
    }
}

impl Inner {
    /// Sees that the session is loaded, and that it is what is expected.
    async fn load(&self, expect: impl FnOnce(&mut State) -> Result<()>) -> Result<()> {
        let generations = &self.sessions.generations;
        let mut compared = None;
        if generations.mode.store().is_some() && self.lock().is_none() {
            // Of a size that the future of every handler should not have.
            let load = Box::pin(self.sessions.load(&self.cookies, generations.recheck_every));
            compared = Some(load.await?);
        }
        let mut state = self.lock();
        // Of two that loaded it at once, the first stays.
        let state = state.get_or_insert_with(|| {
            compared.unwrap_or_else(|| self.sessions.load_stateless(&self.cookies))
        });
        self.is_touched.store(true, Ordering::Release);
        expect(state)
    }

    /// Looks at the state of a session that was loaded, or changes it.
    pub(crate) fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(self.lock().get_or_insert_default())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<State>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RequestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSession").finish_non_exhaustive()
    }
}

/// What a response says about its session.
#[derive(Clone, Default)]
pub struct ResponseHeaders {
    set_cookie: Vec<String>,
    is_touched: bool,
}

impl ResponseHeaders {
    pub(crate) fn touched(set_cookie: Vec<String>) -> Self {
        Self { set_cookie, is_touched: true }
    }

    /// The values of `Set-Cookie` headers, to be added to those that there are. Usually none: the
    /// cookie is set when the session changed, and now and then to keep it from being idle.
    #[must_use]
    pub fn set_cookie(&self) -> &[String] {
        &self.set_cookie
    }

    /// As [`set_cookie`](Self::set_cookie), to be put into headers as they are.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn into_set_cookie(self) -> Vec<String> {
        self.set_cookie
    }

    /// Whether the session was asked for, so that the response depends on the cookie. Then `Cookie`
    /// belongs into its `Vary` header.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.is_touched
    }

    /// What the header `Cache-Control` has to be, given what it is: `no-store` for a response that
    /// depends on the session, unless it was said already who may keep it. A response that sets the
    /// cookie is never for all.
    #[must_use]
    pub fn cache_control(&self, present: Option<&str>) -> Option<&'static str> {
        // A shared cache may keep what is `no-cache`, and with it the cookie.
        let private: &[&str] = match self.set_cookie.is_empty() {
            true => &["no-store", "private", "no-cache"],
            false => &["no-store", "private"],
        };
        let is_private = present.is_some_and(|present| {
            let mut directives = present.split(',').map(str::trim);
            directives.any(|one| private.iter().any(|name| one.eq_ignore_ascii_case(name)))
        });
        (self.is_touched && !is_private).then_some("no-store")
    }
}

impl fmt::Debug for ResponseHeaders {
    /// How many lines there are, and not what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHeaders")
            .field("set_cookie", &self.set_cookie.len())
            .field("is_touched", &self.is_touched)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::generation::{Generations, MemoryStore};
    use crate::{KeyRing, RootKey, SessionOptions, Sessions};

    /// What a future answers that waits for nothing.
    fn at_once<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("it waits"),
        }
    }

    fn sessions(generations: Generations) -> Sessions {
        let keys = KeyRing::new(RootKey::generate().unwrap());
        Sessions::new(keys, SessionOptions::new().with_generations(generations)).unwrap()
    }

    /// A request with a session.
    fn with_a_session(sessions: &Sessions) -> (RequestSession, Session) {
        let request = sessions.request(None::<String>);
        at_once(request.session()).unwrap().insert("theme", "dark").unwrap();
        let headers = at_once(request.commit()).unwrap();
        let cookie = headers.set_cookie()[0].split(';').next().unwrap().to_owned();
        let request = sessions.request(cookie);
        let session = at_once(request.session()).unwrap();
        assert!(!session.is_new());
        (request, session)
    }

    #[test]
    fn a_commit_settles_what_has_ended_also_where_the_store_has_no_row_of_it() {
        let modes = [
            Generations::stateless(),
            Generations::per_user(MemoryStore::new()),
            Generations::per_session(MemoryStore::new()),
            Generations::monotonic(MemoryStore::new()),
        ];
        let renew = |session: &Session| session.renew().unwrap();
        for sessions in modes.map(sessions) {
            for end in [renew, Session::destroy] {
                let (request, session) = with_a_session(&sessions);
                end(&session);
                let has_ended = |state: &mut State| (state.ended.len(), state.needs_commit());
                assert_eq!(request.0.with(has_ended), (1, true));
                assert_eq!(at_once(request.commit()).unwrap().set_cookie().len(), 1);
                assert_eq!(request.0.with(has_ended), (0, false));
                assert!(at_once(request.commit()).unwrap().set_cookie().is_empty());
            }
        }
    }
}
