//! Login with actix-web: `cargo run --example actix_login --features actix -- --help`.

#![allow(unreachable_pub, reason = "modules of a program")]

mod support;

use std::error::Error as StdError;
use std::net::TcpListener;
use std::process::ExitCode;

use actix_web::http::header;
use actix_web::web::{Form, Json, ServiceConfig, get, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use cookie_session::actix::SessionMiddleware;
use cookie_session::{Result, Session};
use support::app::{self, Login, Next, Note, View};
use support::options::Options;
use support::page;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => app::give_up(&*error),
    }
}

fn run() -> Result<(), Box<dyn StdError>> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else { return Ok(()) };
    let sessions = options.sessions()?;
    let listener = TcpListener::bind(options.address())?;
    app::announce(listener.local_addr()?, &sessions);
    let sessions = SessionMiddleware::new(sessions);
    let server = HttpServer::new(move || App::new().wrap(sessions.clone()).configure(routes))
        .workers(1)
        .listen(listener)?;
    Ok(actix_web::rt::System::new().block_on(server.run())?)
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/", get().to(home))
        .route("/session", get().to(show))
        .route("/login", post().to(log_in))
        .route("/count", post().to(count))
        .route("/logout", post().to(log_out))
        .route("/logout-everywhere", post().to(log_out_everywhere))
        .route("/form", post().to(note));
}

async fn home(session: Session) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY))
        .body(page::page(&session)?))
}

async fn show(session: Session) -> Result<Json<View>> {
    app::view(&session).map(Json)
}

async fn log_in(session: Session, form: Form<Login>) -> Result<HttpResponse> {
    app::log_in(&session, &form).map(answer)
}

async fn count(session: Session) -> Result<HttpResponse> {
    app::count(&session).map(answer)
}

async fn log_out(session: Session) -> HttpResponse {
    answer(app::log_out(&session))
}

async fn log_out_everywhere(session: Session) -> Result<HttpResponse> {
    app::log_out_everywhere(&session).map(answer)
}

async fn note(session: Session, request: HttpRequest, form: Form<Note>) -> Result<HttpResponse> {
    let token = request.headers().get("x-csrf-token").and_then(|token| token.to_str().ok());
    app::note(&session, &form, token).map(answer)
}

fn answer(next: Next) -> HttpResponse {
    match next {
        Next::Home => HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).finish(),
        Next::Refused(why) => HttpResponse::BadRequest().body(why),
        Next::NotHere(why) => HttpResponse::NotImplemented().body(why),
    }
}
