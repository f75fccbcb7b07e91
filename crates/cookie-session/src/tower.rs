//! The layer for Tower: for axum, and whatever else is made of services of HTTP.
//!
//! It takes part in three moments of a request. Before the handler it notes the cookies, and reads
//! none. When the handler has answered, before anything is sent, it commits the session, whatever the
//! status: then the headers of the session are added. If that fails, the handler's answer is not true,
//! and goes no further: the response is the [status](crate::Error::status) of the error, without a
//! body, and with the cookie left as it is.
//!
//! A handler that panics or is dropped commits nothing, and neither does a service that answers with its
//! error and not with a response. So a layer that turns panics into responses belongs around this one,
//! not inside; one that turns errors into responses belongs inside, if the session is to be committed
//! for those as well.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use http::header::{
    CACHE_CONTROL, COOKIE, Entry, HeaderMap, HeaderValue, InvalidHeaderValue, RETRY_AFTER,
    SET_COOKIE, VARY,
};
use http::{Extensions, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::answer;
#[cfg(feature = "axum")]
pub use crate::axum::MakeSessions;
use crate::{Error, ErrorKind, RequestSession, ResponseHeaders, Result, Sessions};

/// Puts the [`RequestSession`] of each request into its extensions, and commits it at the end.
///
/// ```
/// use cookie_session::tower::SessionLayer;
/// use cookie_session::{Error, KeyRing, RequestSession, RootKey, SessionOptions, Sessions};
/// use http::{Request, Response};
/// use tower_layer::Layer;
/// use tower_service::Service;
/// # fn service_fn<F>(f: F) -> ServiceFn<F> { ServiceFn(f) }
/// # struct ServiceFn<F>(F);
/// # impl<F: FnMut(R) -> U, R, T, E, U: Future<Output = Result<T, E>>> Service<R> for ServiceFn<F> {
/// #     type Response = T;
/// #     type Error = E;
/// #     type Future = U;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), E>> { Ok(()).into() }
/// #     fn call(&mut self, request: R) -> U { (self.0)(request) }
/// # }
///
/// async fn count(request: Request<String>) -> Result<Response<String>, Error> {
///     let session = request.extensions().get::<RequestSession>().unwrap().session().await?;
///     let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
///     session.insert("visits", &visits)?;
///     Ok(Response::new(format!("visit {visits}")))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let sessions = Sessions::new(KeyRing::new(RootKey::generate()?), SessionOptions::new())?;
/// let mut service = SessionLayer::new(sessions).layer(service_fn(count));
///
/// let response = service.call(Request::new(String::new())).await?;
/// assert_eq!(response.body(), "visit 1");
/// assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("__Host-session="));
/// assert_eq!(response.headers()["vary"], "cookie");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SessionLayer {
    sessions: Sessions,
}

impl SessionLayer {
    /// For these sessions.
    #[must_use]
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { inner, sessions: self.sessions.clone() }
    }
}

/// A service whose requests have sessions: what [`SessionLayer`] makes of one.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for SessionService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    ResponseBody: Default,
{
    type Response = Response<ResponseBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResponseBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let session = arrive(&self.sessions, request.headers());
        let extensions = request.extensions_mut();
        if extensions.is_empty() {
            extensions.clone_from(&ROOM);
        }
        extensions.insert(session.clone());
        ResponseFuture { handler: self.inner.call(request), session, ending: None }
    }
}

/// No extensions, in a map that has room for what a router is going to add: growing costs more than
/// all the rest of a session that nobody asks for.
static ROOM: LazyLock<Extensions> = LazyLock::new(|| {
    let mut room = Extensions::new();
    room.insert(1_u8);
    room.insert(1_u16);
    room.insert(1_u32);
    room.insert(1_u64);
    room.clear();
    room
});

/// HTTP/2 may send a `Cookie` header for each cookie.
fn arrive(sessions: &Sessions, headers: &HeaderMap) -> RequestSession {
    let mut cookies = headers.get_all(COOKIE).iter().cloned();
    match (cookies.next(), cookies.next()) {
        (first, None) => sessions.request(first),
        (first, second) => {
            sessions.request(first.into_iter().chain(second).chain(cookies).collect::<Vec<_>>())
        }
    }
}

pin_project! {
    /// The response of a [`SessionService`].
    pub struct ResponseFuture<F, B> {
        #[pin]
        handler: F,
        session: RequestSession,
        // Seldom, and of a size that the future of every request should not have.
        ending: Option<Box<Ending<B>>>,
    }
}

/// The handler has answered, and its session is being committed.
struct Ending<B> {
    response: Response<B>,
    commit: Pin<Box<dyn Future<Output = Result<ResponseHeaders>> + Send>>,
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let ending = match this.ending {
            Some(ending) => ending,
            None => {
                let mut response = ready!(this.handler.poll(cx))?;
                if !this.session.is_touched() {
                    return Poll::Ready(Ok(response));
                }
                let status = response.status().as_u16();
                if let Some(committed) = answer::commit_at_once(this.session, status) {
                    end(&mut response, committed);
                    return Poll::Ready(Ok(response));
                }
                let session = this.session.clone();
                let commit = Box::pin(async move { answer::commit(&session, status).await });
                this.ending.insert(Box::new(Ending { response, commit }))
            }
        };
        let committed = ready!(ending.commit.as_mut().poll(cx));
        end(&mut ending.response, committed);
        Poll::Ready(Ok(std::mem::take(&mut ending.response)))
    }
}

fn end<B: Default>(response: &mut Response<B>, committed: Result<ResponseHeaders>) {
    if let Err(error) = committed.and_then(|headers| add(headers, response.headers_mut())) {
        answer::report(&error);
        *response = refusal(&error);
    }
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

fn add(headers: ResponseHeaders, to: &mut HeaderMap) -> Result<()> {
    if headers.is_touched() {
        add_vary(to);
    }
    set_cache_control(&headers, to);
    for line in headers.into_set_cookie() {
        let mut value = HeaderValue::try_from(line).map_err(no_header)?;
        value.set_sensitive(true);
        to.append(SET_COOKIE, value);
    }
    Ok(())
}

fn add_vary(to: &mut HeaderMap) {
    let cookie = HeaderValue::from_static("cookie");
    match to.entry(VARY) {
        Entry::Vacant(vary) => {
            vary.insert(cookie);
        }
        Entry::Occupied(mut vary) => {
            if !answer::varies(vary.iter().map(HeaderValue::as_bytes)) {
                vary.append(cookie);
            }
        }
    }
}

fn set_cache_control(headers: &ResponseHeaders, to: &mut HeaderMap) {
    match to.entry(CACHE_CONTROL) {
        Entry::Vacant(present) => {
            if let Some(value) = headers.cache_control(None) {
                present.insert(HeaderValue::from_static(value));
            }
        }
        Entry::Occupied(mut present) => {
            let text = answer::joined(present.iter().map(HeaderValue::as_bytes));
            if let Some(value) = headers.cache_control(Some(&text)) {
                present.insert(HeaderValue::from_static(value));
            }
        }
    }
}

fn no_header(source: InvalidHeaderValue) -> Error {
    Error::caused(ErrorKind::Encode, "the cookie cannot be written into a header", source)
}

/// The response to a request that failed for its session.
pub(crate) fn refusal<B: Default>(error: &Error) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
