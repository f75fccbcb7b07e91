//! The sessions of an application: how they are configured, and where each request begins.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dogpile_core::{Clock, Key, SystemClock, Timestamp, ToKey};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::cookie::Attributes;
use crate::csrf::hmac;
use crate::generation::Generations;
use crate::header::SessionId;
use crate::key::Binding;
use crate::lifetime::{Lifetime, SKEW};
use crate::request::{CookieHeaders, RequestSession};
use crate::token::Keys;
use crate::{Error, ErrorKind, KeyRing, Result, hex};

/// The sessions of an application. Cheap to clone; clones are the same.
///
/// Each request begins with [`request`](Self::request), and ends with
/// [`commit`](RequestSession::commit). The layers for Tower, axum and actix-web do both.
///
/// ```
/// use cookie_session::generation::{Generations, MemoryStore};
/// use cookie_session::{KeyRing, RootKey, SessionOptions, Sessions};
/// use std::time::Duration;
///
/// let keys = KeyRing::new(RootKey::generate()?); // or KeyRing::from_file(..)
/// let options = SessionOptions::new()
///     .with_audience("shop.example.org")
///     .with_idle(Duration::from_secs(20 * 60))
///     .with_generations(Generations::per_session(MemoryStore::new()));
/// let sessions = Sessions::new(keys, options)?;
/// # Ok::<(), cookie_session::Error>(())
/// ```
#[derive(Clone)]
pub struct Sessions(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) keys: Keys,
    pub(crate) attributes: Attributes,
    pub(crate) is_lasting: bool,
    pub(crate) lifetime: Lifetime,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) generations: Generations,
    pub(crate) scopes: Scopes,
    row_key: Hmac<Sha256>,
}

/// The groups of the store's keys, which keep applications apart that share a store.
pub(crate) struct Scopes {
    pub(crate) floor: Box<[u8]>,
    pub(crate) user: Box<[u8]>,
    pub(crate) session: Box<[u8]>,
}

/// How sessions are to be; what is not said is as in [`SessionOptions::new`].
#[derive(Clone, Debug)]
pub struct SessionOptions {
    attributes: Attributes,
    purpose: String,
    audience: String,
    lifetime: Lifetime,
    is_lasting: bool,
    clock: Arc<dyn Clock>,
    generations: Generations,
}

impl Sessions {
    /// Sessions that are sealed with these keys.
    ///
    /// # Errors
    /// Of the kind [`Refused`](crate::ErrorKind::Refused) for options that cannot be together; the
    /// message says which.
    #[expect(clippy::needless_pass_by_value, reason = "sessions hold their ring")]
    pub fn new(keys: KeyRing, options: SessionOptions) -> Result<Self> {
        let SessionOptions {
            attributes,
            purpose,
            audience,
            lifetime,
            is_lasting,
            clock,
            generations,
        } = options;
        lifetime.check()?;
        generations.check()?;
        let binding = Binding::new(attributes.name(), &purpose, &audience)?;
        let scope = |scope| (scope, &audience, &purpose).to_key().as_key().as_bytes().into();
        let scopes =
            Scopes { floor: scope("floor"), user: scope("user"), session: scope("session") };
        let keys = Keys::derive(&keys, binding);
        let row_key = hmac(&keys.store_key());
        Ok(Self(Arc::new(Shared {
            keys,
            attributes,
            is_lasting,
            lifetime,
            clock,
            generations,
            scopes,
            row_key,
        })))
    }

    /// The session of a request, from its `Cookie` headers. Nothing is read until it is asked for.
    #[must_use]
    pub fn request(&self, cookies: impl CookieHeaders) -> RequestSession {
        RequestSession::new(Arc::clone(&self.0), cookies)
    }

    /// Ends all sessions of a user: for an administrator, or a job. The user may log in again.
    ///
    /// # Errors
    /// Of the kind [`Unavailable`](crate::ErrorKind::Unavailable) if the store does not answer, and
    /// [`Refused`](crate::ErrorKind::Refused) if the sessions are stateless.
    pub async fn end_user(&self, user: &str) -> Result<()> {
        let key = Key::field(&self.0.scopes.user, user);
        self.0.raise(key, self.0.clock.now(), Timestamp::MAX).await.map(drop)
    }

    /// Ends one session, that of a [`Session::handle`](crate::Session::handle): for the page on which
    /// users see where they are logged in, and end what they do not know.
    ///
    /// The list is yours, because it says what sessions do not know: the device, the place. Keep a row
    /// for each login, drop it when the session ends or has lived its absolute lifetime, and see that
    /// users end only what is in their own list. A session that has ended already is no error.
    ///
    /// ```
    /// # use cookie_session::generation::{Generations, MemoryStore};
    /// # use cookie_session::{KeyRing, RootKey, SessionOptions, Sessions};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cookie_session::Result<()> {
    /// # let generations = Generations::per_session(MemoryStore::new());
    /// # let options = SessionOptions::new().with_generations(generations);
    /// # let sessions = Sessions::new(KeyRing::new(RootKey::generate()?), options)?;
    /// let mut list = Vec::new(); // a table, with the user's name
    ///
    /// # let request = sessions.request(None::<String>);
    /// # let session = request.session().await?;
    /// session.log_in("Ada")?;
    /// list.push((session.handle(), "Firefox in Berlin"));
    /// # let headers = request.commit().await?;
    /// # let cookie = headers.set_cookie()[0].split(';').next().unwrap_or_default().to_owned();
    ///
    /// // Later, in another session of hers: she does not know it.
    /// if let Some((Some(handle), _)) = list.pop() {
    ///     sessions.end_session(&handle).await?;
    /// }
    /// # let request = sessions.request(cookie);
    /// assert!(request.session().await?.user().is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`end_user`](Self::end_user), and of the kind [`Refused`](crate::ErrorKind::Refused) for a
    /// text that is no handle, and for sessions without a generation each.
    pub async fn end_session(&self, handle: &str) -> Result<()> {
        let refused = |what| Error::new(ErrorKind::Refused, what);
        if !self.0.generations.mode.is_per_session() {
            return Err(refused(
                "sessions without a generation each cannot be ended one by one: choose \
                 Generations::per_session or monotonic",
            ));
        }
        let row: [u8; 16] =
            hex::decode(handle).ok_or_else(|| refused("a handle has 32 hexadecimal digits"))?;
        let now = self.0.clock.now();
        // No token of it lives longer.
        let keep_until = now.plus(self.0.lifetime.absolute).plus(SKEW);
        self.0.raise(Key::field(&self.0.scopes.session, &row), now, keep_until).await.map(drop)
    }

    /// Ends all sessions there are: after a leak, say. Also those that a machine began whose clock is up
    /// to a minute ahead.
    ///
    /// # Errors
    /// As for [`end_user`](Self::end_user).
    pub async fn end_all(&self) -> Result<()> {
        let above = self.0.clock.now().plus(SKEW);
        self.0.raise(self.0.floor(), above, Timestamp::MAX).await.map(drop)
    }

    /// The name of the cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        self.0.attributes.name()
    }
}

impl fmt::Debug for Sessions {
    /// The policy, for the log at start-up: lifetimes and what the server can end. No key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("cookie", &self.0.attributes)
            .field("lifetime", &self.0.lifetime)
            .field("generations", &self.0.generations)
            .finish_non_exhaustive()
    }
}

impl SessionOptions {
    /// The cookie `__Host-session`; half an hour idle, twelve hours in all; stateless.
    #[must_use]
    pub fn new() -> Self {
        Self {
            attributes: Attributes::default(),
            purpose: "session".to_owned(),
            audience: String::new(),
            lifetime: Lifetime {
                idle: Duration::from_secs(30 * 60),
                absolute: Duration::from_secs(12 * 60 * 60),
            },
            is_lasting: false,
            clock: Arc::new(SystemClock),
            generations: Generations::stateless(),
        }
    }

    /// The name and the attributes of the cookie.
    #[must_use]
    pub fn with_cookie(mut self, attributes: impl Into<Attributes>) -> Self {
        self.attributes = attributes.into();
        self
    }

    /// What the cookie is for. A token of one purpose does not open as one of another, so a program
    /// that has several kinds of session gives each its own, and each cookie its own name.
    ///
    /// A request carries one session to its handlers: where one layer or middleware is inside another,
    /// they get that of the inner one. So put each around the routes of its kind, or take the second
    /// kind from [`Sessions::request`] by hand.
    #[must_use]
    pub fn with_purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = purpose.into();
        self
    }

    /// Whom the cookie is for: a host, a tenant. A token of one does not open for another.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// How long a session lives without a request that reads it. It is counted from the last token
    /// that was sealed, which is not older than a tenth of this.
    #[must_use]
    pub fn with_idle(mut self, d: Duration) -> Self {
        self.lifetime.idle = d;
        self
    }

    /// How long a session lives after its login, whatever happens.
    #[must_use]
    pub fn with_absolute(mut self, d: Duration) -> Self {
        self.lifetime.absolute = d;
        self
    }

    /// Lets the browser keep the cookie when it is closed, for as long as the session lives, and for
    /// 400 days at most.
    #[must_use]
    pub fn with_lasting_cookie(mut self) -> Self {
        self.is_lasting = true;
        self
    }

    /// Where the time comes from.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What the server can end before its time.
    #[must_use]
    pub fn with_generations(mut self, generations: Generations) -> Self {
        self.generations = generations;
        self
    }
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    pub(crate) fn floor(&self) -> Key<'_> {
        Key::field(&self.scopes.floor, "all")
    }

    /// The name of a session's row: whoever reads the store learns no id.
    pub(crate) fn row(&self, id: &SessionId) -> [u8; 16] {
        let mac = self.row_key.clone().chain_update(id).finalize().into_bytes();
        let mut row = [0; 16];
        row.copy_from_slice(&mac[..16]);
        row
    }
}
