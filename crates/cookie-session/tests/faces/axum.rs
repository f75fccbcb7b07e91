//! axum: the extractors, and the layer around whatever handlers answer.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{MatchedPath, Path};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cookie_session::tower::SessionLayer;
use cookie_session::{Error, RequestSession, Result, Session};
use http_body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_layer::Layer;
use tower_service::Service;

use crate::handlers::{self, Seen, add, count, fill};
use crate::support::log::Log;
use crate::support::{Browser, IDLE, Server};

fn router(server: &Server) -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/count", get(count))
        .route("/fill", get(fill))
        .route("/cart", get(add))
        .route("/lazy", get(lazy))
        .route("/user", get(async |session: Session<()>| session.user().unwrap_or_default()))
        .route("/headers", get(with_headers))
        .route("/error", get(fails))
        .route("/not-modified", get(not_modified))
        .route(
            "/count-not-modified",
            get(async |session| (count(session).await, StatusCode::NOT_MODIFIED).1),
        )
        .route("/stream", get(stream))
        .route("/panic", get(panics))
        .route("/pending", get(never))
        .layer(SessionLayer::new(server.sessions.clone()))
}

async fn lazy(session: RequestSession, headers: HeaderMap) -> Result<String> {
    if headers.contains_key("x-count") {
        count(session.session().await?).await
    } else {
        Ok("lazy".into())
    }
}

async fn with_headers(session: Session) -> Result<impl IntoResponse> {
    count(session).await?;
    Ok([
        ("set-cookie", "theme=dark"),
        ("vary", "accept-encoding"),
        ("cache-control", "public, max-age=60"),
    ])
}

async fn fails(session: Session) -> Response {
    count(session).await.unwrap();
    (StatusCode::IM_A_TEAPOT, "no coffee").into_response()
}

async fn not_modified(session: Session) -> impl IntoResponse {
    assert!(!session.is_new());
    (StatusCode::NOT_MODIFIED, [("etag", "\"1\""), ("cache-control", "private")])
}

async fn panics(session: Session) -> Result<String> {
    count(session).await?;
    panic!("in the middle");
}

async fn never(session: Session) -> Result<String> {
    count(session).await?;
    std::future::pending().await
}

/// A body that has nothing to say before its headers have left.
struct Slow;

impl HttpBody for Slow {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Error>>> {
        Poll::Pending
    }
}

async fn ask(router: &mut Router, path: &str, browser: &Browser) -> Seen {
    let mut request = Request::get(path);
    if let Some(cookies) = browser.header() {
        request = request.header(header::COOKIE, cookies);
    }
    seen(router.call(request.body(Body::empty()).unwrap()).await.unwrap()).await
}

async fn seen(response: Response) -> Seen {
    let (head, body) = response.into_parts();
    let header = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Seen {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(header).collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn visit(router: &mut Router, path: &str, browser: &mut Browser) -> Seen {
    let seen = ask(router, path, browser).await;
    browser.receive(&seen.cookies());
    seen
}

#[tokio::test]
async fn a_handler_takes_its_session() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let mut router = router(&server);
    for body in ["visit 1", "visit 2"] {
        assert_eq!(visit(&mut router, "/count", &mut browser).await.body, body);
    }
    assert_eq!(visit(&mut router, "/user", &mut browser).await.status, 200);
    let mut other = Browser::new();
    for body in ["1 items", "2 items"] {
        assert_eq!(visit(&mut router, "/cart", &mut other).await.body, body);
    }
    assert_eq!(visit(&mut router, "/count", &mut other).await.body, "visit 1", "a type is no map");
}

#[tokio::test]
async fn a_whole_router_is_served_inside_one_layer() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let route = async |session: Session, path: MatchedPath, Path(name): Path<String>| {
        count(session).await.map(|visit| format!("{name}, {}: {visit}", path.as_str()))
    };
    let router = Router::new().route("/of/{name}", get(route));
    let app = SessionLayer::new(server.sessions.clone()).layer(router);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(axum::serve(listener, app.into_make_service()).into_future());

    for visit in ["visit 1", "visit 2"] {
        let cookies = browser.header().map(|cookies| format!("cookie: {cookies}\r\n"));
        let request = format!(
            "GET /of/Ada HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{}\r\n",
            cookies.unwrap_or_default()
        );
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let lines = answer.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        browser.receive(&lines.map(str::to_owned).collect::<Vec<_>>());
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.ends_with(&format!("Ada, /of/{{name}}: {visit}")), "{answer}");
    }
    serving.abort();
}

#[tokio::test]
async fn a_session_that_nobody_asks_for_leaves_no_trace() {
    let server = Server::new();
    let mut router = router(&server);
    for (path, body) in [("/", "hello"), ("/lazy", "lazy")] {
        let seen = ask(&mut router, path, &Browser::holding("garbage")).await;
        assert_eq!(seen.body, body);
        for name in ["set-cookie", "vary", "cache-control"] {
            assert_eq!(seen.all(name), [""; 0]);
        }
    }
}

#[tokio::test]
async fn headers_that_are_there_stay() {
    let server = Server::new();
    let seen = ask(&mut router(&server), "/headers", &Browser::new()).await;
    assert_eq!(seen.all("set-cookie").len(), 2);
    assert_eq!(seen.all("set-cookie")[0], "theme=dark");
    assert_eq!(seen.all("vary"), ["accept-encoding", "cookie"]);
    assert_eq!(seen.all("cache-control"), ["no-store"], "it was for all");
}

#[tokio::test]
async fn a_response_of_any_status_is_committed() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let mut router = router(&server);
    let seen = visit(&mut router, "/error", &mut browser).await;
    assert_eq!((seen.status, seen.body.as_str(), seen.cookies().len()), (418, "no coffee", 1));
    assert_eq!(visit(&mut router, "/count", &mut browser).await.body, "visit 2");
}

#[tokio::test]
async fn not_modified_sets_a_cookie_only_for_a_change() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let mut router = router(&server);
    visit(&mut router, "/count", &mut browser).await;
    server.clock.advance(IDLE / 2);
    let seen = visit(&mut router, "/not-modified", &mut browser).await;
    assert_eq!((seen.status, seen.cookies().len()), (304, 0), "its clock can wait");
    assert_eq!((seen.all("vary"), seen.all("cache-control")), (vec!["cookie"], vec!["private"]));
    assert_eq!(seen.all("etag"), ["\"1\""]);

    let seen = visit(&mut router, "/count-not-modified", &mut browser).await;
    assert_eq!((seen.status, seen.cookies().len()), (304, 1), "a change is not lost");
    assert_eq!(visit(&mut router, "/count", &mut browser).await.body, "visit 3");
}

async fn stream(session: Session) -> Result<Response> {
    count(session).await?;
    Ok(Response::new(Body::new(Slow)))
}

#[tokio::test]
async fn the_headers_of_a_stream_are_complete_before_its_first_byte() {
    let server = Server::new();
    let request = Request::get("/stream").body(Body::empty()).unwrap();
    let response = router(&server).call(request).await.unwrap();
    assert!(response.headers().contains_key(header::SET_COOKIE));
    let mut body = pin!(response.into_body());
    assert!(body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn what_does_not_fit_is_a_500_that_says_nothing_and_tells_the_log() {
    let (server, log) = (Server::new(), Log::default());
    let _guard = tracing::subscriber::set_default(log.clone());
    handlers::expect_failed(&ask(&mut router(&server), "/fill", &Browser::new()).await);
    handlers::expect_told(&log);
}

#[tokio::test]
async fn while_the_store_is_down_clients_keep_their_cookies() {
    let (server, store, browser) = handlers::with_store().await;
    let mut router = router(&server);
    handlers::break_down(&store);
    handlers::expect_unavailable(&ask(&mut router, "/count", &browser).await);
    assert_eq!(ask(&mut router, "/", &browser).await.status, 200);
    assert_eq!(
        ask(&mut router, "/user", &Browser::new()).await.status,
        200,
        "without a cookie it is not asked"
    );
}

#[tokio::test]
async fn a_store_that_fails_at_the_end_takes_the_answer_back() {
    let (server, store, browser) = handlers::with_store().await;
    let breaks = async move |session: Session| {
        let answer = count(session).await;
        handlers::break_down(&store);
        answer
    };
    let layer = SessionLayer::new(server.sessions.clone());
    let mut router = Router::new().route("/", get(breaks)).layer(layer);
    let seen = ask(&mut router, "/", &browser).await;
    handlers::expect_unavailable(&seen);
    assert_eq!(seen.body, "");
}

#[tokio::test]
async fn the_later_of_two_changes_is_a_409_with_its_cookie_kept() {
    let (server, _, browser) = handlers::with_store().await;
    let mut router = router(&server);
    assert_eq!(ask(&mut router, "/count", &browser).await.status, 200);
    let seen = ask(&mut router, "/count", &browser).await;
    assert_eq!((seen.status, seen.cookies().len()), (409, 0));
}

#[tokio::test]
async fn a_handler_that_panics_or_is_dropped_commits_nothing() {
    let (server, store, browser) = handlers::with_store().await;
    let mut router = router(&server);
    store.calls();

    let mut dropped = Box::pin(router.call(request("/pending", &browser)));
    for _ in 0..10 {
        assert!(dropped.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(dropped);

    let panicking = router.call(request("/panic", &browser));
    let caught = tokio::spawn(panicking).await;
    assert!(caught.unwrap_err().is_panic());

    assert_eq!(store.calls(), ["read", "read"], "nothing was written");
    assert_eq!(ask(&mut router, "/count", &browser).await.body, "visit 2");
}

fn request(path: &str, browser: &Browser) -> Request<Body> {
    Request::get(path)
        .header(header::COOKIE, browser.header().unwrap())
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn cookies_that_http2_splits_are_read_together() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let mut router = router(&server);
    visit(&mut router, "/count", &mut browser).await;
    let ours = browser.header().unwrap();
    for headers in [
        &["a=1", &ours][..],
        &[&ours, "b=2"],
        &["a=1", "__Host-session=of another path", &ours, "b=2"],
    ] {
        let mut request = Request::get("/count");
        for value in headers {
            request = request.header(header::COOKIE, *value);
        }
        let response = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(seen(response).await.body, "visit 2", "{headers:?}");
    }
}

#[tokio::test]
async fn without_its_layer_an_extractor_says_so() {
    let mut router = Router::new().route("/", get(count));
    let seen = ask(&mut router, "/", &Browser::new()).await;
    assert_eq!(
        (seen.status, seen.body.as_str()),
        (500, "the session could not be read or saved\n")
    );
}
