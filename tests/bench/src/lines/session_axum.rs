//! An application of axum that says hello, with a session of 512 bytes, against the same application
//! without sessions, and with the private jar of `axum-extra`.
//!
//! The server has one core, and connections enough to keep it busy; all get the same requests.

use std::error::Error;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use axum::routing::get;
use axum_extra::extract::cookie::{Cookie, Key, PrivateCookieJar};
use cookie_session::tower::SessionLayer;
use cookie_session::{KeyRing, RootKey, Session, SessionOptions, Sessions};
use serde_json::json;
use tower_layer::Identity;
use tower_service::Service;

use super::Measured;
use super::hit::nanos;
use crate::arguments::Settings;
use crate::report::{Bar, Row};
use crate::timing::{self, Contestant, take_turns};

const BYTES: usize = 512;
const HELLO: &str = "hello, whoever it is";
const CONNECTIONS: usize = 32;
/// How often a round asks on each connection.
const REQUESTS: usize = 20;
/// How often a round calls a service.
const CALLS: u64 = 2_000;

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sessions = Sessions::new(KeyRing::new(RootKey::generate()?), SessionOptions::new())?;
    let key = Key::generate();
    let ours = runtime.block_on(cookie(&sessions))?;
    let jar = PrivateCookieJar::new(key.clone()).add(Cookie::new("jar", "x".repeat(BYTES)));
    let jars =
        axum::response::IntoResponse::into_response(jar).headers()[header::SET_COOKIE].clone();
    let jars = jars.to_str()?.split(';').next().unwrap_or_default().to_owned();

    let layer = SessionLayer::new(sessions);
    let with_jar = |router: Router<Key>| router.with_state(key.clone());
    let mut plain = Client::of(Router::new().route("/", get(hello)), &ours)?;
    let mut read = Client::of(Router::new().route("/", get(read)).layer(layer.clone()), &ours)?;
    let mut set = Client::of(Router::new().route("/", get(set)).layer(layer.clone()), &ours)?;
    let mut jar_read = Client::of(with_jar(Router::new().route("/", get(read_jar))), &jars)?;
    let mut jar_set = Client::of(with_jar(Router::new().route("/", get(set_jar))), &jars)?;
    let measured = take_turns(
        settings.rounds,
        vec![
            Contestant::new("without sessions", || plain.round()),
            Contestant::new("read", || read.round()),
            Contestant::new("read + set", || set.round()),
            Contestant::new("PrivateCookieJar", || jar_read.round()),
            Contestant::new("PrivateCookieJar", || jar_set.round()),
        ],
    );
    let [plain, read, set, jar_read, jar_set] = &measured[..] else { unreachable!() };

    // As hyper has it: a part of what was read from the connection, and shared.
    let ours = HeaderValue::from_maybe_shared(bytes::Bytes::from(ours).slice(..))?;
    _ = ours.clone();
    // A layer has a price in axum, whatever it does.
    let bare = Router::new().route("/", get(hello)).layer(Identity::new());
    let layered = Router::new().route("/", get(hello)).layer(layer);
    let untouched = take_turns(
        settings.rounds,
        vec![
            Contestant::new("no layer", || call(&runtime, bare.clone(), &ours)),
            Contestant::new("untouched", || call(&runtime, layered.clone(), &ours)),
        ],
    );
    let [bare, layered] = &untouched[..] else { unreachable!() };
    Ok(vec![
        rate("axum, session of 512 B: read", read, plain, Bar::AtLeast(0.9)),
        rate("axum, session of 512 B: read + set", set, plain, Bar::AtLeast(0.75)),
        rate("axum, PrivateCookieJar: read", jar_read, plain, Bar::None),
        rate("axum, PrivateCookieJar: read + set", jar_set, plain, Bar::None),
        more("axum, a session that nobody asks for", layered, bare, Bar::AtMost(50.0)),
    ]
    .into())
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
fn another() -> String {
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

/// A server in a thread of its own, and the connections to it.
struct Client {
    connections: Vec<TcpStream>,
    request: String,
    answer: Vec<u8>,
}

impl Client {
    fn of(router: Router, cookie: &str) -> Result<Self, Box<dyn Error>> {
        let address = serve(router)?;
        let connect = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        Ok(Self {
            connections: (0..CONNECTIONS).map(connect).collect::<io::Result<_>>()?,
            request: format!("GET / HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n"),
            answer: Vec::new(),
        })
    }

    fn round(&mut self) -> u64 {
        for _ in 0..REQUESTS {
            self.ask().unwrap_or_else(|error| panic!("the server hung up: {error}"));
        }
        (CONNECTIONS * REQUESTS) as u64
    }

    /// On all connections, and only then reads what comes.
    fn ask(&mut self) -> io::Result<()> {
        for connection in &mut self.connections {
            connection.write_all(self.request.as_bytes())?;
        }
        for connection in &mut self.connections {
            self.answer.clear();
            while !self.answer.ends_with(HELLO.as_bytes()) {
                let mut part = [0; 4096];
                match connection.read(&mut part)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    length => self.answer.extend_from_slice(&part[..length]),
                }
            }
        }
        Ok(())
    }
}

/// It ends with the process.
fn serve(router: Router) -> Result<SocketAddr, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || runtime.block_on(async { axum::serve(listener, router).await }));
    Ok(address)
}

/// Calls an application without a network.
fn call(runtime: &tokio::runtime::Runtime, mut router: Router, cookie: &HeaderValue) -> u64 {
    runtime.block_on(async {
        for _ in 0..CALLS {
            let mut request = Request::new(Body::empty());
            request.headers_mut().insert(header::COOKIE, cookie.clone());
            _ = black_box(router.call(request).await);
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
