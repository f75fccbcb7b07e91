//! The first program of the README, on any free port.
//!
//! `cargo run --example readme_login --features axum`

use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use cookie_session::generation::{Generations, MemoryStore};
use cookie_session::tower::SessionLayer;
use cookie_session::{Attributes, KeyRing, Result, RootKey, Session, SessionOptions, Sessions};

async fn home(session: Session) -> Result<String> {
    let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
    session.insert("visits", &visits)?;
    Ok(format!("Visit {visits} of {}", session.user().unwrap_or("a stranger".into())))
}

#[derive(serde::Deserialize)]
struct Login {
    user: String,
    password: String,
}

async fn log_in(session: Session, Form(form): Form<Login>) -> Result<Redirect> {
    // Your check of the password.
    if form.password == "correct horse" {
        session.log_in(&form.user)?; // a new id; the clocks begin anew
    }
    Ok(Redirect::to("/"))
}

async fn log_out(session: Session) -> Redirect {
    session.destroy(); // a copy of the cookie is worth nothing from now on
    Redirect::to("/")
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let keys = KeyRing::new(RootKey::generate()?); // once it matters: KeyRing::from_file("session.keys")
    let options = SessionOptions::new()
        .with_cookie(Attributes::insecure_for_development("session")?) // without it: __Host-session, https only
        .with_generations(Generations::per_session(MemoryStore::new()));
    let sessions = Sessions::new(keys, options)?;
    let app = Router::new()
        .route("/", get(home))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .layer(SessionLayer::new(sessions));
    let listener = listen().await?;
    Ok(axum::serve(listener, app).await?)
}

async fn listen() -> std::io::Result<tokio::net::TcpListener> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    Ok(listener)
}
