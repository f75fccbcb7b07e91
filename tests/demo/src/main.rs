//! A small web shop that uses every crate as a user would, and a dashboard that shows live what
//! happens: `cargo xtask demo`.

mod arguments;
mod dashboard;
mod database;
mod events;
mod fragments;
mod goods;
mod load;
mod login;
mod meters;
mod nodes;
mod pages;
mod products;
mod shop;
mod views;

use std::error::Error as StdError;
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cookie_session::tower::SessionLayer;
use cookie_session::{Session, Sessions};
use tokio::net::TcpListener;

use crate::arguments::{Arguments, Command};
use crate::shop::Shop;
use crate::views::{As, Failure, shown};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Command::Run(arguments)) => arguments,
        Ok(Command::Help) => {
            say(arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("demo: {what}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: &Arguments) -> Result<(), Box<dyn StdError>> {
    let folder = tempfile::Builder::new().prefix("dogpile-demo-").tempdir()?;
    let shop = Shop::open(arguments, folder.path()).await?;
    let listener = listen(arguments.port).await?;
    let address = listener.local_addr()?;
    say(&format!("the shop:      http://{address}/\nthe dashboard: http://{address}/dashboard"));
    say("Ctrl-C ends it.");

    let app = routes(Arc::clone(&shop), login::sessions(address.port())?);
    // Whatever comes first is the end: streams of events never end by themselves.
    tokio::select! {
        served = async { axum::serve(listener, app).await } => served?,
        () = events::tick(Arc::clone(&shop)) => {}
        () = load::drive(shop, address) => {}
        asked = asked_to_end() => asked?,
    }
    Ok(())
}

/// The whole shop. How the product list is shown is said here, and nowhere else.
fn routes(shop: Arc<Shop>, sessions: Sessions) -> Router {
    let data = "/api/products/{category}";
    Router::new()
        .route(data, shown(products::list, As::Json))
        .route("/products/{category}", shown(products::list, As::Page(pages::PAGE)))
        .route("/fragments/products/{category}", shown(products::list, As::Fragment(pages::GRID)))
        .route("/live/products/{category}", shown(products::list, As::InBrowser(data)))
        .route("/", get(home))
        .route("/account", get(login::account))
        .route("/basket", post(login::add))
        .route("/login", post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/logout-everywhere", post(login::log_out_everywhere))
        .route_layer(SessionLayer::new(sessions))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&shop), meters::measure))
        .merge(dashboard::routes())
        .layer(middleware::from_fn(among_ourselves))
        .with_state(shop)
}

async fn home(State(shop): State<Arc<Shop>>, session: Session) -> Result<Response, Failure> {
    let visitor = login::visitor(&session)?;
    Ok(views::page(&shop, "shop", &shop.templates.home()?, &visitor)?)
}

/// No page of another site sends our forms, holds our pages in a frame, or is asked for anything.
async fn among_ourselves(request: Request, next: Next) -> Response {
    const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'";
    let from = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    if request.method() == Method::POST && !matches!(from, None | Some(b"same-origin" | b"none")) {
        return (StatusCode::FORBIDDEN, "this form was sent by another site\n").into_response();
    }
    let mut response = next.run(request).await;
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// At this port, or at the first free one from 3000 on.
async fn listen(port: Option<u16>) -> Result<TcpListener, Box<dyn StdError>> {
    let ports = port.map_or(3_000..=3_099, |port| port..=port);
    let mut failure = None;
    for port in ports {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = Some((port, error)),
        }
    }
    let (port, error) = failure.unwrap_or((0, io::ErrorKind::AddrInUse.into()));
    Err(format!("port {port} cannot be used ({error}); choose another with --port").into())
}

/// Ctrl-C, or a polite kill.
async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut kill = signal(SignalKind::terminate())?;
        tokio::select! {
            asked = tokio::signal::ctrl_c() => asked,
            _ = kill.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

#[expect(clippy::print_stdout, reason = "this is a program for a terminal")]
fn say(what: &str) {
    println!("{what}");
}
