//! An application of axum that says hello, with a session of 512 bytes, against the same application
//! without sessions, with the private jar of `axum-extra`, and with the least that a session has to do,
//! by hand.
//!
//! The server has one core, and connections enough to keep it busy; all get the same requests.

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use axum::routing::get;
use axum_extra::extract::cookie::{Cookie, Key, PrivateCookieJar};
use cookie_session::tower::SessionLayer;
use cookie_session::{KeyRing, RootKey, Session, SessionOptions, Sessions};
use serde_json::json;
use tower_layer::{Identity, Layer};
use tower_service::Service;

use super::Measured;
use super::hit::nanos;
use super::session_by_hand::{self, ByHand};
use super::session_client::Client;
use crate::arguments::Settings;
use crate::report::{Bar, Row};
use crate::timing::{self, Contestant, take_turns};

pub(super) const BYTES: usize = 512;
pub(super) const HELLO: &str = "hello, whoever it is";
/// How often a round calls a service.
const CALLS: u64 = 2_000;

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sessions = Sessions::new(KeyRing::new(RootKey::generate()?), SessionOptions::new())?;
    let ours = runtime.block_on(cookie(&sessions))?;
    let layer = SessionLayer::new(sessions);
    let mut rows = served(settings, &layer, &ours)?;

    // As hyper has it: a part of what was read from the connection, and shared.
    let ours = HeaderValue::from_maybe_shared(bytes::Bytes::from(ours).slice(..))?;
    _ = ours.clone();
    let router = || Router::new().route("/", get(hello));
    // A layer has a price in axum, whatever it does.
    let (plain, bare) = (router(), router().layer(Identity::new()));
    let (around, layered) = (layer.layer(router()), router().layer(layer));
    let untouched = take_turns(
        settings.rounds,
        vec![
            Contestant::new("no layer", || call(&runtime, &plain, &ours)),
            Contestant::new("around the router", || call(&runtime, &around, &ours)),
            Contestant::new("a layer of nothing", || call(&runtime, &bare, &ours)),
            Contestant::new("layered", || call(&runtime, &layered, &ours)),
        ],
    );
    let [plain, around, bare, layered] = &untouched[..] else { unreachable!() };
    let name = "axum, a session that nobody asks for";
    rows.push(more(name, layered, bare, Bar::AtMost(50.0)));
    rows.push(more(&format!("{name}, around the router"), around, plain, Bar::AtMost(50.0)));
    Ok(rows.into())
}

/// Servers have luck, or not, with where their memory is, which is worth a tenth: there are several.
fn served(
    settings: Settings,
    layer: &SessionLayer,
    ours: &str,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let key = Key::generate();
    let jar = PrivateCookieJar::new(key.clone()).add(Cookie::new("jar", "x".repeat(BYTES)));
    let jars =
        axum::response::IntoResponse::into_response(jar).headers()[header::SET_COOKIE].clone();
    let jars = jars.to_str()?.split(';').next().unwrap_or_default();
    let with_jar = |router: Router<Key>| router.with_state(key.clone());
    let hand = ByHand::new();
    let hands = hand.cookie(&"x".repeat(BYTES))?;
    let around = |router| layer.layer(router).into_make_service();

    let mut all: Vec<timing::Measured> = Vec::new();
    for _ in 0..settings.long_rounds() {
        let mut plain = Client::of(Router::new().route("/", get(hello)), ours)?;
        let mut read_in = Client::of(around(Router::new().route("/", get(read))), ours)?;
        let mut set_in = Client::of(around(Router::new().route("/", get(set))), ours)?;
        let layered = Router::new().route("/", get(read)).layer(layer.clone());
        let mut read = Client::of(layered, ours)?;
        let layered = Router::new().route("/", get(set)).layer(layer.clone());
        let mut set = Client::of(layered, ours)?;
        let mut hand_read = Client::of(hand.around(get(session_by_hand::read)), &hands)?;
        let mut hand_set = Client::of(hand.around(get(session_by_hand::set)), &hands)?;
        let mut jar_read = Client::of(with_jar(Router::new().route("/", get(read_jar))), jars)?;
        let mut jar_set = Client::of(with_jar(Router::new().route("/", get(set_jar))), jars)?;
        let contestants = vec![
            Contestant::new("without sessions", || plain.round()),
            Contestant::new("read", || read.round()),
            Contestant::new("read + set", || set.round()),
            Contestant::new("read", || read_in.round()),
            Contestant::new("read + set", || set_in.round()),
            Contestant::new("by hand", || hand_read.round()),
            Contestant::new("by hand", || hand_set.round()),
            Contestant::new("PrivateCookieJar", || jar_read.round()),
            Contestant::new("PrivateCookieJar", || jar_set.round()),
        ];
        timing::join(&mut all, take_turns(settings.rounds, contestants));
    }
    let [plain, read, set, read_in, set_in, hand_read, hand_set, jar_read, jar_set] = &all[..]
    else {
        unreachable!()
    };
    let row = |name: &str, measured, bar| rate(&format!("axum, {name}"), measured, plain, bar);
    Ok(vec![
        row("session of 512 B: read", read, Bar::AtLeast(0.9)),
        row("session of 512 B: read + set", set, Bar::AtLeast(0.75)),
        row("session of 512 B around the router: read", read_in, Bar::AtLeast(0.9)),
        row("session of 512 B around the router: read + set", set_in, Bar::AtLeast(0.75)),
        row("XAES-GCM by hand around the router: read", hand_read, Bar::None),
        row("XAES-GCM by hand around the router: read + set", hand_set, Bar::None),
        row("PrivateCookieJar: read", jar_read, Bar::None),
        row("PrivateCookieJar: read + set", jar_set, Bar::None),
    ])
}

async fn hello() -> &'static str {
    HELLO
}

async fn read(session: Session) -> cookie_session::Result<&'static str> {
    black_box(session.get::<String>("text")?);
    Ok(HELLO)
}

async fn set(session: Session) -> cookie_session::Result<&'static str> {
    black_box(session.get::<String>("text")?);
    session.insert("text", &another())?;
    Ok(HELLO)
}

async fn read_jar(jar: PrivateCookieJar) -> &'static str {
    black_box(jar.get("jar"));
    HELLO
}

async fn set_jar(jar: PrivateCookieJar) -> (PrivateCookieJar, &'static str) {
    black_box(jar.get("jar"));
    (jar.add(Cookie::new("jar", another())), HELLO)
}

/// A text that no session has held yet.
pub(super) fn another() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut text = "x".repeat(BYTES - 20);
    text += &format!("{:020}", COUNT.fetch_add(1, Ordering::Relaxed));
    text
}

/// The cookie of a session that holds that much.
async fn cookie(sessions: &Sessions) -> Result<String, Box<dyn Error>> {
    let request = sessions.request(None::<String>);
    request.session().await?.insert("text", &"x".repeat(BYTES))?;
    let headers = request.commit().await?;
    Ok(headers.set_cookie()[0].split(';').next().unwrap_or_default().to_owned())
}

/// Calls an application without a network.
fn call<S>(runtime: &tokio::runtime::Runtime, service: &S, cookie: &HeaderValue) -> u64
where
    S: Service<Request<Body>, Future: Future> + Clone,
{
    let mut service = service.clone();
    runtime.block_on(async {
        for _ in 0..CALLS {
            let mut request = Request::new(Body::empty());
            request.headers_mut().insert(header::COOKIE, cookie.clone());
            _ = black_box(service.call(request).await);
        }
    });
    CALLS
}

/// How many requests one serves in the time in which the other serves one.
fn rate(name: &str, ours: &timing::Measured, peer: &timing::Measured, bar: Bar) -> Row {
    row(name, ours, peer, (peer.ratio_to(ours), "x"), bar)
}

/// How much longer one takes than the other.
fn more(name: &str, ours: &timing::Measured, peer: &timing::Measured, bar: Bar) -> Row {
    row(name, ours, peer, (ours.median() - peer.median(), " ns"), bar)
}

fn row(
    name: &str,
    ours: &timing::Measured,
    peer: &timing::Measured,
    (figure, unit): (f64, &'static str),
    bar: Bar,
) -> Row {
    let quartiles = [ours, peer]
        .map(|measured| json!({ "name": measured.name, "quartiles_ns": measured.spread() }));
    let name = format!("{name} / {}", peer.name);
    let (ours, peer) = (nanos(ours.median()), nanos(peer.median()));
    Row { name, ours, peer, figure, unit, bar, details: json!(quartiles) }
}
