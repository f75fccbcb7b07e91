//! The layer around a service of any body.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::http::{Request, Response};
use cookie_session::RequestSession;
use cookie_session::tower::SessionLayer;
use tower_layer::Layer;
use tower_service::Service;

use crate::support::Server;

/// Neither body is one of HTTP.
#[derive(Clone)]
struct Echo;

impl Service<Request<u8>> for Echo {
    type Response = Response<Vec<u8>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<u8>) -> Self::Future {
        assert!(request.extensions().get::<RequestSession>().is_some());
        ready(Ok(Response::new(vec![*request.body()])))
    }
}

#[tokio::test]
async fn bodies_are_of_any_type() {
    let server = Server::new();
    let mut service = SessionLayer::new(server.sessions.clone()).layer(Echo);
    let response = service.call(Request::new(7)).await.unwrap();
    assert_eq!(response.body(), &[7]);
    assert!(response.headers().is_empty());
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let server = Server::new();
    let layer = SessionLayer::new(server.sessions.clone());
    let printed = format!("{layer:?} {:?}", server.sessions.request("__Host-session=AAAA"));
    assert!(!printed.contains("csk1_") && !printed.contains("AAAA"), "{printed}");
}
