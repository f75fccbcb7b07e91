//! What can go wrong, for the application. What is wrong with a cookie is never an error of it: that
//! is no session, with the reason in `tracing`.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: a [kind](ErrorKind) to branch on, a sentence that says what to do about it, and
/// the error underneath. It never holds a key, a token or what a session holds.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    retry_after: Option<Duration>,
}

/// The kinds of failure a caller may want to tell apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Another request changed the session at the same time, and this one came too late: 409.
    Conflict,
    /// A request has no CSRF token, or another session's: 403.
    Csrf,
    /// What the session holds is not of the type that was asked for.
    Decode,
    /// A value cannot be written down.
    Encode,
    /// Keys are not acceptable: a text that is no key, a ring without an active one.
    Keys,
    /// The user has to prove anew who they are: 401.
    NotFresh,
    /// The operating system gave no random bytes.
    Random,
    /// An argument is not acceptable; trying again cannot help.
    Refused,
    /// The session does not fit into its cookie.
    TooLarge,
    /// The generation store does not answer: 503, with the cookie kept.
    Unavailable,
    /// The file or the variable with the keys cannot be read.
    Unreadable,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), source: None, retry_after: None }))
    }

    pub(crate) fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = Some(source.into());
        Self(Arc::new(Inner { kind, message: message.into(), source, retry_after: None }))
    }

    /// The generation store did not do what it was asked.
    pub(crate) fn unavailable(source: dogpile_core::Error, retry_after: Duration) -> Self {
        Self(Arc::new(Inner {
            kind: ErrorKind::Unavailable,
            message: "the generation store does not answer; the session is kept, try again"
                .to_owned(),
            source: Some(source.into()),
            retry_after: Some(retry_after),
        }))
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The status of the response to a request that failed for it.
    ///
    /// Of such a response, no header says anything about the session: its cookie stays as it is.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.kind() {
            ErrorKind::NotFresh => 401,
            ErrorKind::Csrf => 403,
            ErrorKind::Conflict => 409,
            ErrorKind::Unavailable => 503,
            _ => 500,
        }
    }

    /// What the header `Retry-After` of that response says, in whole seconds, if it has one.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        self.0.retry_after.map(|d| d.as_secs().max(1))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
