//! Login with axum: `cargo run --example axum_login --features axum -- --help`.

#![allow(unreachable_pub, reason = "modules of a program")]

mod support;

use std::error::Error as StdError;
use std::process::ExitCode;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use cookie_session::tower::SessionLayer;
use cookie_session::{Result, Session, Sessions};
use support::app::{self, Login, Next, Note, View};
use support::options::Options;
use support::page;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => app::give_up(&*error),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), Box<dyn StdError>> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else { return Ok(()) };
    let sessions = options.sessions()?;
    let listener = tokio::net::TcpListener::bind(options.address()).await?;
    app::announce(listener.local_addr()?, &sessions);
    axum::serve(listener, router(sessions)).await?;
    Ok(())
}

fn router(sessions: Sessions) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/session", get(show))
        .route("/login", post(log_in))
        .route("/count", post(count))
        .route("/logout", post(log_out))
        .route("/logout-everywhere", post(log_out_everywhere))
        .route("/form", post(note))
        .layer(SessionLayer::new(sessions))
}

async fn home(session: Session) -> Result<impl IntoResponse> {
    let policy = [(header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY)];
    Ok((policy, Html(page::page(&session)?)))
}

async fn show(session: Session) -> Result<Json<View>> {
    app::view(&session).map(Json)
}

async fn log_in(session: Session, Form(form): Form<Login>) -> Result<Answer> {
    app::log_in(&session, &form).map(Answer)
}

async fn count(session: Session) -> Result<Answer> {
    app::count(&session).map(Answer)
}

async fn log_out(session: Session) -> Answer {
    Answer(app::log_out(&session))
}

async fn log_out_everywhere(session: Session) -> Result<Answer> {
    app::log_out_everywhere(&session).map(Answer)
}

async fn note(session: Session, headers: HeaderMap, Form(form): Form<Note>) -> Result<Answer> {
    let token = headers.get("x-csrf-token").and_then(|token| token.to_str().ok());
    app::note(&session, &form, token).map(Answer)
}

struct Answer(Next);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self.0 {
            Next::Home => Redirect::to("/").into_response(),
            Next::Refused(why) => (StatusCode::BAD_REQUEST, why).into_response(),
            Next::NotHere(why) => (StatusCode::NOT_IMPLEMENTED, why).into_response(),
        }
    }
}
