//! What a session costs a request, beyond sealing and opening it.

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cookie_session::generation::{Generations, MemoryStore};
use cookie_session::{KeyRing, RootKey, SessionOptions, Sessions};
use serde_json::json;

use super::Measured;
use super::hit::time;
use crate::arguments::Settings;
use crate::report::{Bar, Row};
use crate::timing::{Contestant, take_turns};

/// How often a round makes a request.
const CALLS: u64 = 400;

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let [stateless, store] =
        [Generations::stateless(), Generations::per_session(MemoryStore::new())]
            .map(with_a_session);
    let (stateless, store) = (stateless?, store?);
    let calls = |call: &dyn Fn()| {
        (0..CALLS).for_each(|_| call());
        CALLS
    };
    let measured = take_turns(
        settings.rounds,
        vec![
            Contestant::new("untouched", || calls(&|| untouched(&stateless))),
            Contestant::new("read", || calls(&|| read(&stateless))),
            Contestant::new("read and checked", || calls(&|| read(&store))),
        ],
    );
    let [untouched, read, checked] = &measured[..] else {
        return Err("a contestant is missing".into());
    };
    let check = Row {
        name: "session of 512 B: generation check in memory".to_owned(),
        ours: format!("{:.1} ns", checked.median()),
        peer: format!("{:.1} ns", read.median()),
        figure: checked.median() - read.median(),
        unit: " ns",
        bar: Bar::AtMost(1_000.0),
        details: json!({ "rounds": checked.nanos.len() }),
    };
    Ok(vec![
        time("session of 512 B: untouched", untouched, Bar::AtMost(50.0)),
        time("session of 512 B: read", read, Bar::None),
        check,
    ]
    .into())
}

/// Sessions, and the cookie of one that is logged in.
fn with_a_session(generations: Generations) -> Result<(Sessions, &'static str), Box<dyn Error>> {
    let keys = KeyRing::new(RootKey::generate()?);
    let sessions = Sessions::new(keys, SessionOptions::new().with_generations(generations))?;
    let request = sessions.request(None::<String>);
    let session = at_once(request.session()).ok_or("the store waited")??;
    session.log_in("Ada")?;
    session.insert("text", &"x".repeat(440))?;
    let headers = at_once(request.commit()).ok_or("the store waited")??;
    let line = headers.set_cookie().first().ok_or("no cookie was set")?;
    let cookie = line.split(';').next().unwrap_or_default().to_owned();
    Ok((sessions, cookie.leak()))
}

fn untouched((sessions, cookie): &(Sessions, &'static str)) {
    let request = sessions.request(black_box(*cookie));
    _ = black_box(at_once(request.commit()));
}

fn read((sessions, cookie): &(Sessions, &'static str)) {
    let request = sessions.request(black_box(*cookie));
    let user = at_once(request.session()).and_then(Result::ok).and_then(|session| session.user());
    assert!(black_box(user).is_some(), "the session was refused");
    _ = black_box(at_once(request.commit()));
}

/// What a future answers that waits for nothing.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
