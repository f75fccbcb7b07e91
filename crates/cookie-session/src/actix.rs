//! The middleware for actix-web, and its extractors: handlers take the [`Session`] as an argument, and
//! fail with the [`Error`].
//!
//! To take a session as an argument is to ask for it: now its cookie is opened. A handler that may not
//! need it takes the [`RequestSession`], and asks that.
//!
//! When the handler has answered, before anything is sent, the session is committed, whatever the
//! status. If that fails, the handler's answer is not true, and goes no further: the response is the
//! one of the error, with the cookie left as it is. A handler that panics or is dropped commits nothing.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, COOKIE, ContentType, HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE, VARY,
};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};

use crate::{
    Error, ErrorKind, Map, RequestSession, ResponseHeaders, Result, Session, SessionData, Sessions,
    answer,
};

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// Gives each request its session, and commits it at the end.
///
/// ```
/// use actix_web::{App, test, web};
/// use cookie_session::actix::SessionMiddleware;
/// use cookie_session::{Error, KeyRing, RootKey, Session, SessionOptions, Sessions};
///
/// async fn count(session: Session) -> Result<String, Error> {
///     let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
///     session.insert("visits", &visits)?;
///     Ok(format!("visit {visits}"))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let sessions = Sessions::new(KeyRing::new(RootKey::generate()?), SessionOptions::new())?;
/// let app = App::new().wrap(SessionMiddleware::new(sessions)).route("/", web::get().to(count));
///
/// let app = test::init_service(app).await;
/// let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
/// assert!(response.headers().get("set-cookie").unwrap().to_str().unwrap().starts_with("__Host-session="));
/// assert_eq!(test::read_body(response).await, "visit 1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SessionMiddleware {
    sessions: Sessions,
}

impl SessionMiddleware {
    /// For these sessions.
    #[must_use]
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = SessionService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionService { inner, sessions: self.sessions.clone() }))
    }
}

/// A service whose requests have sessions: what [`SessionMiddleware`] makes of one.
#[derive(Debug)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, B> Service<ServiceRequest> for SessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalFuture<Result<Self::Response, Self::Error>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let session = arrive(&self.sessions, request.headers());
        request.extensions_mut().insert(session.clone());
        let handler = self.inner.call(request);
        Box::pin(async move {
            match handler.await {
                answer if !session.is_touched() => answer.map(ServiceResponse::map_into_left_body),
                Ok(response) => Ok(end(&session, response).await),
                Err(error) => Err(end_of_error(&session, error).await),
            }
        })
    }
}

/// HTTP/2 may send a `Cookie` header for each cookie.
fn arrive(sessions: &Sessions, headers: &HeaderMap) -> RequestSession {
    let mut cookies = headers.get_all(COOKIE).cloned();
    match (cookies.next(), cookies.next()) {
        (first, None) => sessions.request(first),
        (first, second) => {
            sessions.request(first.into_iter().chain(second).chain(cookies).collect::<Vec<_>>())
        }
    }
}

async fn end<B>(
    session: &RequestSession,
    mut response: ServiceResponse<B>,
) -> ServiceResponse<EitherBody<B>> {
    let committed = answer::commit(session, response.status().as_u16()).await;
    match committed.and_then(|headers| add(headers, response.headers_mut())) {
        Ok(()) => response.map_into_left_body(),
        Err(error) => response.into_response(error.error_response().map_into_right_body()),
    }
}

/// The response to an error is made only further out, so it is made here.
async fn end_of_error(session: &RequestSession, error: actix_web::Error) -> actix_web::Error {
    let mut response = error.error_response();
    let committed = answer::commit(session, response.status().as_u16()).await;
    match committed.and_then(|headers| add(headers, response.headers_mut())) {
        Ok(()) => InternalError::from_response(error, response).into(),
        Err(error) => error.into(),
    }
}

fn add(headers: ResponseHeaders, to: &mut HeaderMap) -> Result<()> {
    if headers.is_touched() && !answer::varies(to.get_all(VARY).map(HeaderValue::as_bytes)) {
        to.append(VARY, HeaderValue::from_static("cookie"));
    }
    let present = answer::joined(to.get_all(CACHE_CONTROL).map(HeaderValue::as_bytes));
    if let Some(value) = headers.cache_control(Some(&present)) {
        to.insert(CACHE_CONTROL, HeaderValue::from_static(value));
    }
    for line in headers.into_set_cookie() {
        let mut value = HeaderValue::try_from(line).map_err(|source| {
            Error::caused(ErrorKind::Encode, "the cookie cannot be written into a header", source)
        })?;
        value.set_sensitive(true);
        to.append(SET_COOKIE, value);
    }
    Ok(())
}

impl FromRequest for RequestSession {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(find(request))
    }
}

/// The session as a small map; see [`RequestSession::session`].
impl FromRequest for Session<Map> {
    type Error = Error;
    type Future = LocalFuture<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = find(request);
        Box::pin(async move { found?.session().await })
    }
}

/// The session as a type of yours; see [`RequestSession::typed`].
impl<T: SessionData + 'static> FromRequest for Session<T> {
    type Error = Error;
    type Future = LocalFuture<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = find(request);
        Box::pin(async move { found?.typed().await })
    }
}

/// The session, whatever it holds; see [`RequestSession::any`].
impl FromRequest for Session<()> {
    type Error = Error;
    type Future = LocalFuture<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = find(request);
        Box::pin(async move { found?.any().await })
    }
}

fn find(request: &HttpRequest) -> Result<RequestSession> {
    request.extensions().get().cloned().ok_or_else(|| answer::no_layer("a SessionMiddleware"))
}

/// The [status](Error::status) of the error, and a line that says nothing of what went wrong inside.
/// That is told to `tracing`, under the target `cookie_session`.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        answer::report(self);
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header(ContentType::plaintext()).insert_header((CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        response.body(answer::text(self))
    }
}
