//! The one error type of the workspace.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of everything in this workspace that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: a [kind](ErrorKind) to branch on, a sentence that says what to do about it, and
/// the error underneath.
///
/// It is one pointer wide and cheap to clone, because one failure is told to every caller that
/// waited for the same value.
///
/// ```
/// use dogpile_core::{Error, ErrorKind};
///
/// let io = std::io::Error::other("connection reset by peer");
/// let error = Error::new(ErrorKind::Unavailable, "the server at 127.0.0.1:6379 went away").with_source(io);
///
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert!(error.is_temporary());
/// assert_eq!(error.to_string(), "the server at 127.0.0.1:6379 went away");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of failure a caller may want to tell apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Stored bytes are damaged, or were written by something else. Regions treat it as a miss.
    Corrupt,
    /// The function that creates the value failed; [`Error::creation`] holds its own error.
    Creation,
    /// The value cannot be turned into its stored form.
    Encode,
    /// The function that creates the value panicked.
    Panicked,
    /// The creator of a key asked for that same key, which could never end.
    Reentrant,
    /// A key, an argument or a configuration is not acceptable; trying again cannot help.
    Refused,
    /// An answer did not come within the time allowed.
    TimedOut,
    /// The value is larger than its backend keeps.
    TooLarge,
    /// The store cannot be reached, or cannot do its work now.
    Unavailable,
}

impl Error {
    /// An error of this kind, with a sentence for the person who reads it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), source: None }))
    }

    /// The failure of the function that creates a value, with that function's own error inside.
    ///
    /// ```
    /// use dogpile_core::{Error, ErrorKind};
    ///
    /// let error = Error::from_creator(std::io::Error::other("the database is down"));
    /// assert_eq!(error.kind(), ErrorKind::Creation);
    /// assert!(error.creation::<std::io::Error>().is_some());
    /// ```
    pub fn from_creator(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Creation, "the value could not be created").with_source(source)
    }

    /// The same error, told to have been caused by `source`.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let message = self.0.message.clone();
        Self(Arc::new(Inner { kind: self.0.kind, message, source: Some(source.into()) }))
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.kind(), ErrorKind::TimedOut | ErrorKind::Unavailable)
    }

    /// The creator's own error, where the creator failed and its error is an `E`.
    #[must_use]
    pub fn creation<E: StdError + 'static>(&self) -> Option<&E> {
        match self.kind() {
            ErrorKind::Creation => self.source()?.downcast_ref(),
            _ => None,
        }
    }

    /// The error for a creator that panicked with `payload`, as `std::panic::catch_unwind` gives it.
    #[must_use]
    pub fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let said = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a payload that is not text");
        Self::new(
            ErrorKind::Panicked,
            format!("the function that creates the value panicked: {said}"),
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn display_says_its_own_layer_and_source_the_next() {
        let error = Error::new(ErrorKind::Unavailable, "outer")
            .with_source(Error::new(ErrorKind::TimedOut, "inner"));
        assert_eq!(error.to_string(), "outer");
        assert_eq!(error.source().unwrap().to_string(), "inner");
    }

    #[test]
    fn a_creators_error_is_found_only_where_a_creator_failed() {
        let io = || std::io::Error::other("down");
        assert!(Error::from_creator(io()).creation::<std::io::Error>().is_some());
        assert!(Error::from_creator(io()).creation::<fmt::Error>().is_none());
        assert!(
            Error::new(ErrorKind::Unavailable, "x")
                .with_source(io())
                .creation::<std::io::Error>()
                .is_none()
        );
    }

    #[test]
    fn a_panic_keeps_its_message() {
        let payload = std::panic::catch_unwind(|| panic!("at the {}", "disco")).unwrap_err();
        assert!(Error::from_panic(&*payload).to_string().ends_with("panicked: at the disco"));
    }
}
