//! What the faces have in common: the end of a request, and the answer to one that failed.

use crate::{Error, ErrorKind, RequestSession, ResponseHeaders, Result};

const NOT_MODIFIED: u16 = 304;

/// The headers for a response of this status.
///
/// One that is not modified has the browser show what it has: what can wait for a response with
/// content waits, so that no cache on the way keeps a cookie with it.
pub(crate) async fn commit(session: &RequestSession, status: u16) -> Result<ResponseHeaders> {
    match commit_at_once(session, status) {
        Some(committed) => committed,
        None => session.commit().await,
    }
}

/// As [`commit`], where the store need not be asked.
pub(crate) fn commit_at_once(
    session: &RequestSession,
    status: u16,
) -> Option<Result<ResponseHeaders>> {
    if status == NOT_MODIFIED && session.can_wait() {
        return Some(Ok(ResponseHeaders::touched(Vec::new())));
    }
    session.commit_at_once()
}

/// Whether values of the header `Vary` say that the response depends on cookies.
pub(crate) fn varies<'h>(values: impl Iterator<Item = &'h [u8]>) -> bool {
    let is_of_cookies = |name: &str| name == "*" || name.eq_ignore_ascii_case("cookie");
    joined(values).split(',').any(|name| is_of_cookies(name.trim()))
}

/// The values of one header as one text.
pub(crate) fn joined<'h>(values: impl Iterator<Item = &'h [u8]>) -> String {
    values.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

/// What the client is told. What the application did wrong is for the log.
#[cfg(any(feature = "axum", feature = "actix"))]
pub(crate) fn text(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Conflict => "another request changed the session at the same time; try again\n",
        ErrorKind::Csrf => "reload the page and send the form again\n",
        ErrorKind::NotFresh => "log in again to go on\n",
        ErrorKind::Unavailable => "the session cannot be checked now; try again\n",
        _ => "the session could not be read or saved\n",
    }
}

/// Tells the log why a request failed, as loud as is right.
pub(crate) fn report(error: &Error) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(target: "cookie_session", kind = ?error.kind(), source, "{error}")
        };
    }
    match error.kind() {
        ErrorKind::Conflict | ErrorKind::Csrf | ErrorKind::NotFresh => tell!(info),
        ErrorKind::Unavailable => tell!(warn),
        _ => tell!(error),
    }
}

/// The request came past the layer, or the middleware.
#[cfg(any(feature = "axum", feature = "actix"))]
pub(crate) fn no_layer(what: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("this route has no sessions: put {what} around it"))
}
