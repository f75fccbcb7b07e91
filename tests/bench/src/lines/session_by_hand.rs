//! The least that a session in a cookie has to do, by hand: something that the layer and the handler
//! share, XAES-256-GCM with the associated data of a token, and the headers that keep the answer out of
//! caches. No clocks, no ring of keys, no search among cookies, no map, no revocation: what no session of
//! this construction can do without.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aes_gcm::KeyInit;
use aes_gcm::aead::AeadInOut;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{MethodRouter, future::RouteFuture};
use base64_simd::URL_SAFE_NO_PAD;
use tower_service::Service;
use xaes_256_gcm::Xaes256Gcm;

use super::session_axum::{HELLO, another};

const NAME: &str = "__Host-session=";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Version, key id, and the name of the cookie, the purpose and the audience with their lengths.
const ASSOCIATED: &[u8; 37] = b"\x010123456789abcdef\0\x0e__Host-session\0\0\0\0";

/// The line that a handler wants to be sent.
type Line = Arc<Mutex<Option<String>>>;

#[derive(Clone)]
pub(super) struct ByHand(Arc<Xaes256Gcm>);

impl ByHand {
    pub(super) fn new() -> Self {
        Self(Arc::new(Xaes256Gcm::new(&[7; 32].into())))
    }

    pub(super) fn cookie(&self, text: &str) -> Result<String, Box<dyn Error>> {
        let line = self.seal(text)?;
        Ok(line.split(';').next().unwrap_or_default().to_owned())
    }

    pub(super) fn around(&self, route: MethodRouter<Self>) -> MakeAround {
        MakeAround(Around(Router::new().route("/", route).with_state(self.clone())))
    }

    fn open(&self, request: &Request) -> Option<String> {
        let token = request.headers()[header::COOKIE].to_str().ok()?.strip_prefix(NAME)?;
        let mut raw = URL_SAFE_NO_PAD.decode_to_vec(token).ok()?;
        let (nonce, sealed) = raw.split_first_chunk_mut::<NONCE_BYTES>()?;
        let (text, tag) = sealed.split_last_chunk_mut::<TAG_BYTES>()?;
        self.0
            .decrypt_inout_detached(
                (&*nonce).into(),
                ASSOCIATED,
                (&mut *text).into(),
                (&*tag).into(),
            )
            .ok()?;
        str::from_utf8(text).ok().map(str::to_owned)
    }

    fn seal(&self, text: &str) -> Result<String, Box<dyn Error>> {
        let mut raw = Vec::with_capacity(NONCE_BYTES + text.len() + TAG_BYTES);
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        raw.extend_from_slice(&nonce);
        raw.extend_from_slice(text.as_bytes());
        let sealed = (&mut raw[NONCE_BYTES..]).into();
        let tag = self.0.encrypt_inout_detached((&nonce).into(), ASSOCIATED, sealed);
        raw.extend_from_slice(&tag.map_err(|_| "too long")?);
        let mut line = String::with_capacity(1000);
        line.push_str(NAME);
        URL_SAFE_NO_PAD.encode_append(&raw, &mut line);
        line.push_str("; Path=/; Secure; HttpOnly; SameSite=Lax");
        Ok(line)
    }
}

pub(super) async fn read(State(hand): State<ByHand>, request: Request) -> &'static str {
    black_box(hand.open(&request));
    black_box(request.extensions().get::<Line>());
    HELLO
}

pub(super) async fn set(State(hand): State<ByHand>, request: Request) -> &'static str {
    black_box(hand.open(&request));
    let line = request.extensions().get::<Line>().expect("the layer puts it there");
    *line.lock().unwrap_or_else(PoisonError::into_inner) = hand.seal(&another()).ok();
    HELLO
}

#[derive(Clone)]
pub(super) struct Around(Router);

impl Service<Request> for Around {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Answer {
        let line = Line::default();
        request.extensions_mut().insert(Arc::clone(&line));
        Answer { handler: self.0.call(request), line }
    }
}

pub(super) struct Answer {
    handler: RouteFuture<Infallible>,
    line: Line,
}

impl Future for Answer {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answer = std::task::ready!(Pin::new(&mut self.handler).poll(cx))?;
        let headers = answer.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("cookie"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(line) = line.and_then(|line| HeaderValue::try_from(line).ok()) {
            headers.append(header::SET_COOKIE, line);
        }
        Poll::Ready(Ok(answer))
    }
}

#[derive(Clone)]
pub(super) struct MakeAround(Around);

impl<Connection> Service<Connection> for MakeAround {
    type Response = Around;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Around, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Connection) -> Self::Future {
        std::future::ready(Ok(self.0.clone()))
    }
}
