//! Extractors for axum: handlers take the [`Session`] as an argument, and fail with the [`Error`]. And
//! a whole router inside one layer.
//!
//! To take a session as an argument is to ask for it: now its cookie is opened. A handler that may not
//! need it takes the [`RequestSession`], and asks that.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use tower_service::Service;

use crate::tower::SessionService;
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

impl<S: Clone> SessionService<S> {
    /// What `axum::serve` takes, for a whole router inside the layer: axum then calls the layer once a
    /// request, where `Router::layer` puts it into each route, with a box and a clone a request.
    ///
    /// ```
    /// # mod app {
    /// use axum::{Router, routing::get};
    /// use cookie_session::tower::SessionLayer;
    /// use cookie_session::{Session, Sessions};
    /// use tower_layer::Layer;
    ///
    /// # async fn home(_: Session) {}
    /// pub async fn serve(listener: tokio::net::TcpListener, sessions: Sessions) -> std::io::Result<()> {
    ///     let router = Router::new().route("/", get(home));
    ///     let app = SessionLayer::new(sessions).layer(router);
    ///     axum::serve(listener, app.into_make_service()).await
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn into_make_service(self) -> MakeSessions<S> {
        MakeSessions { service: self }
    }
}

/// Makes a service for each connection: what [`SessionService::into_make_service`] answers.
#[derive(Clone, Debug)]
pub struct MakeSessions<S> {
    service: SessionService<S>,
}

impl<S: Clone, Connection> Service<Connection> for MakeSessions<S> {
    type Response = SessionService<S>;
    type Error = Infallible;
    type Future = Ready<std::result::Result<SessionService<S>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Connection) -> Self::Future {
        ready(Ok(self.service.clone()))
    }
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
