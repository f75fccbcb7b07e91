//! Extractors for axum: handlers take the [`Session`] as an argument, and fail with the [`Error`].
//!
//! To take a session as an argument is to ask for it: now its cookie is opened. A handler that may not
//! need it takes the [`RequestSession`], and asks that.

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;

use crate::{Error, Map, RequestSession, Result, Session, SessionData, answer, tower};

impl<S: Send + Sync> FromRequestParts<S> for RequestSession {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        find(parts).cloned()
    }
}

/// The session as a small map; see [`RequestSession::session`].
impl<S: Send + Sync> FromRequestParts<S> for Session<Map> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        find(parts)?.session().await
    }
}

/// The session as a type of yours; see [`RequestSession::typed`].
impl<S: Send + Sync, T: SessionData> FromRequestParts<S> for Session<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        find(parts)?.typed().await
    }
}

/// The session, whatever it holds; see [`RequestSession::any`].
impl<S: Send + Sync> FromRequestParts<S> for Session<()> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        find(parts)?.any().await
    }
}

fn find(parts: &Parts) -> Result<&RequestSession> {
    parts.extensions.get().ok_or_else(|| answer::no_layer("a SessionLayer"))
}

/// The [status](Error::status) of the error, and a line that says nothing of what went wrong inside.
/// That is told to `tracing`, under the target `cookie_session`.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        answer::report(&self);
        let mut response = tower::refusal(&self);
        *response.body_mut() = Body::from(answer::text(&self));
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    }
}
