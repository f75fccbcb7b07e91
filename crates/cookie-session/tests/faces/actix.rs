//! actix-web: the extractors, and the middleware around whatever handlers answer.

use std::task::{Context, Waker};

use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::get;
use actix_web::{App, HttpMessage, HttpResponse};
use cookie_session::actix::SessionMiddleware;
use cookie_session::{RequestSession, Result, Session};

use crate::handlers::{self, Seen, add, count, fill};
use crate::support::log::Log;
use crate::support::{Browser, IDLE, Server};

macro_rules! app {
    ($server:expr) => {
        init_service(
            App::new()
                .wrap(from_fn(refuse))
                .wrap(SessionMiddleware::new($server.sessions.clone()))
                .route("/", get().to(async || "hello"))
                .route("/count", get().to(count))
                .route("/fill", get().to(fill))
                .route("/cart", get().to(add))
                .route("/lazy", get().to(async |_: RequestSession| "lazy"))
                .route(
                    "/user",
                    get().to(async |session: Session<()>| session.user().unwrap_or_default()),
                )
                .route("/headers", get().to(with_headers))
                .route("/error", get().to(fails))
                .route("/not-modified", get().to(not_modified))
                .route("/pending", get().to(never)),
        )
        .await
    };
}

/// A middleware inside that changes the session, and then fails.
async fn refuse(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> std::result::Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if request.path() == "/refused" {
        let session = request.extensions().get::<RequestSession>().cloned().unwrap();
        count(session.session().await?).await?;
        return Err(actix_web::error::ErrorTooManyRequests("slow down"));
    }
    next.call(request).await
}

async fn with_headers(session: Session) -> Result<HttpResponse> {
    count(session).await?;
    Ok(HttpResponse::Ok()
        .insert_header(("set-cookie", "theme=dark"))
        .insert_header(("vary", "accept-encoding"))
        .insert_header(("cache-control", "public, max-age=60"))
        .finish())
}

async fn fails(session: Session) -> Result<HttpResponse> {
    count(session).await?;
    Ok(HttpResponse::build(StatusCode::IM_A_TEAPOT).body("no coffee"))
}

async fn never(session: Session) -> Result<String> {
    count(session).await?;
    std::future::pending().await
}

async fn not_modified(_: Session) -> HttpResponse {
    HttpResponse::NotModified().finish()
}

/// What an application answers. Of errors it is what the server makes of them.
macro_rules! ask {
    ($app:expr, $path:expr, $cookies:expr) => {{
        let mut request = TestRequest::get().uri($path);
        for value in $cookies {
            request = request.append_header(("cookie", value.as_str()));
        }
        match $app.call(request.to_request()).await {
            Ok(response) => seen(response.into_parts().1.map_into_boxed_body()).await,
            Err(error) => seen(error.error_response()).await,
        }
    }};
}

async fn seen(response: HttpResponse) -> Seen {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    Seen {
        status: response.status().as_u16(),
        headers: response.headers().iter().map(text).collect(),
        body: String::from_utf8(to_bytes(response.into_body()).await.unwrap().to_vec()).unwrap(),
    }
}

fn cookies(browser: &Browser) -> Vec<String> {
    browser.header().into_iter().collect()
}

#[tokio::test]
async fn a_handler_takes_its_session() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let app = app!(server);
    for body in ["visit 1", "visit 2"] {
        let seen = ask!(app, "/count", cookies(&browser));
        browser.receive(&seen.cookies());
        assert_eq!(seen.body, body);
    }
    assert_eq!(ask!(app, "/user", cookies(&browser)).status, 200);
    assert_eq!(ask!(app, "/cart", Vec::<String>::new()).body, "1 items");
}

#[tokio::test]
async fn a_session_that_nobody_asks_for_leaves_no_trace() {
    let server = Server::new();
    let app = app!(server);
    for path in ["/", "/lazy", "/missing"] {
        let seen = ask!(app, path, cookies(&Browser::holding("garbage")));
        for name in ["set-cookie", "vary", "cache-control"] {
            assert_eq!(seen.all(name), [""; 0]);
        }
    }
}

#[tokio::test]
async fn headers_that_are_there_stay() {
    let server = Server::new();
    let seen = ask!(app!(server), "/headers", Vec::<String>::new());
    assert_eq!(seen.all("set-cookie").len(), 2);
    assert!(seen.all("set-cookie").contains(&"theme=dark"));
    assert_eq!(seen.all("vary"), ["accept-encoding", "cookie"]);
    assert_eq!(seen.all("cache-control"), ["no-store"], "it was for all");
}

#[tokio::test]
async fn a_response_of_any_status_is_committed() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let app = app!(server);
    for (path, status, body) in [("/error", 418, "no coffee"), ("/refused", 429, "slow down")] {
        let seen = ask!(app, path, cookies(&browser));
        assert_eq!((seen.status, seen.body.as_str(), seen.cookies().len()), (status, body, 1));
        browser.receive(&seen.cookies());
    }
    assert_eq!(ask!(app, "/count", cookies(&browser)).body, "visit 3");
}

#[tokio::test]
async fn not_modified_sets_no_cookie_for_its_clock() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let app = app!(server);
    browser.receive(&ask!(app, "/count", cookies(&browser)).cookies());
    server.clock.advance(IDLE / 2);
    let seen = ask!(app, "/not-modified", cookies(&browser));
    assert_eq!((seen.status, seen.cookies().len()), (304, 0));
    assert_eq!(ask!(app, "/user", cookies(&browser)).cookies().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_committed_becomes_its_error() {
    let (server, store, browser) = handlers::with_store().await;
    let app = app!(server);
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.clone());
    handlers::expect_failed(&ask!(app, "/fill", cookies(&browser)));
    handlers::expect_told(&log);
    drop(guard);

    assert_eq!(ask!(app, "/count", cookies(&browser)).status, 200);
    for path in ["/count", "/refused"] {
        let seen = ask!(app, path, cookies(&browser));
        assert_eq!((seen.status, seen.cookies().len()), (409, 0), "{path}");
    }
    handlers::break_down(&store);
    handlers::expect_unavailable(&ask!(app, "/count", cookies(&browser)));
    assert_eq!(
        ask!(app, "/user", Vec::<String>::new()).status,
        200,
        "without a cookie it is not asked"
    );
}

#[tokio::test]
async fn a_handler_that_is_dropped_commits_nothing() {
    let (server, store, browser) = handlers::with_store().await;
    let app = app!(server);
    store.calls();
    let request =
        TestRequest::get().uri("/pending").append_header(("cookie", browser.header().unwrap()));
    let mut pending = Box::pin(app.call(request.to_request()));
    for _ in 0..10 {
        assert!(pending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(pending);
    assert_eq!(store.calls(), ["read"], "nothing was written");
    assert_eq!(ask!(app, "/count", cookies(&browser)).body, "visit 2");
}

#[tokio::test]
async fn cookies_that_http2_splits_are_read_together() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let app = app!(server);
    browser.receive(&ask!(app, "/count", cookies(&browser)).cookies());
    let split = ["a=1".to_owned(), browser.header().unwrap(), "b=2".to_owned()];
    assert_eq!(ask!(app, "/count", &split).body, "visit 2");
}

#[tokio::test]
async fn without_its_middleware_an_extractor_says_so() {
    let app = init_service(App::new().route("/", get().to(count))).await;
    let seen = ask!(app, "/", Vec::<String>::new());
    assert_eq!(
        (seen.status, seen.body.as_str()),
        (500, "the session could not be read or saved\n")
    );
}
