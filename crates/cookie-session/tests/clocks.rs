//! Idle, absolute and fresh: three clocks that are in the token, and kept by the server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::time::Duration;

use cookie_session::{Attributes, ErrorKind, KeyRing, RootKey, Session};
use dogpile_conformance::ManualClock;
use dogpile_core::{Clock, SystemClock};
use support::{ABSOLUTE, Browser, IDLE, Server, count, read};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn an_idle_session_ends() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    server.clock.advance(IDLE - MS);
    assert_eq!(server.visit(&mut browser.clone(), read).await.unwrap(), Some(1));
    server.clock.advance(MS);
    let before = browser.clone();
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), None);
    assert_eq!(browser, before, "what has ended is left alone");
}

#[tokio::test]
async fn a_session_in_use_ends_as_well() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    for _ in 1..24 {
        server.clock.advance(IDLE - MS);
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
    }
    server.clock.advance(IDLE / 2);
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
    server.clock.advance(IDLE / 2 + 22 * MS);
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
    server.clock.advance(MS);
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), None);
    assert_eq!(24 * IDLE, ABSOLUTE);
}

#[tokio::test]
async fn a_login_begins_anew_and_a_renewal_does_not() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    let ages = async |browser: &mut Browser| {
        let mut age = Duration::ZERO;
        while server.visit(browser, read).await.unwrap().is_some() {
            server.clock.advance(IDLE / 2);
            age += IDLE / 2;
        }
        age
    };
    server.clock.advance(IDLE / 2);
    let mut renewed = browser.clone();
    server.visit(&mut renewed, async |session| session.renew()).await.unwrap();
    assert_eq!(ages(&mut renewed).await, ABSOLUTE - IDLE / 2);

    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    server.clock.advance(IDLE / 2);
    server.visit(&mut browser, async |session| session.log_in("Ada")).await.unwrap();
    let mut age = Duration::ZERO;
    while server.visit(&mut browser, read).await.unwrap().is_some() {
        server.clock.advance(IDLE / 2);
        age += IDLE / 2;
    }
    assert_eq!(age, ABSOLUTE);
}

#[tokio::test]
async fn a_sensitive_act_asks_for_a_fresh_login() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let within = Duration::from_secs(300);
    let act = async |session: Session| session.require_fresh(within);
    let error = server.visit(&mut browser, act).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotFresh, 401));

    server.visit(&mut browser, async |session| session.log_in("Ada")).await.unwrap();
    server.visit(&mut browser, act).await.unwrap();
    server.clock.advance(within - MS);
    // Neither use nor another id makes it fresh.
    server.visit(&mut browser, async |session| session.renew()).await.unwrap();
    server.visit(&mut browser, act).await.unwrap();
    server.clock.advance(MS);
    assert_eq!(server.visit(&mut browser, act).await.unwrap_err().kind(), ErrorKind::NotFresh);
    server.visit(&mut browser, async |session| session.log_in("Ada")).await.unwrap();
    server.visit(&mut browser, act).await.unwrap();
}

#[tokio::test]
async fn a_minute_is_forgiven_to_a_token_from_the_future() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    let minute = Duration::from_secs(60);
    server.clock.step_back(minute);
    assert_eq!(server.visit(&mut browser.clone(), read).await.unwrap(), Some(1));
    server.clock.step_back(MS);
    assert_eq!(server.visit(&mut browser.clone(), read).await.unwrap(), None);
    // When the clock is right again, so is the session; and it was not prolonged.
    server.clock.advance(minute + MS);
    assert_eq!(server.visit(&mut browser.clone(), read).await.unwrap(), Some(1));
    server.clock.advance(IDLE);
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), None);
}

#[tokio::test]
async fn a_clock_that_steps_back_between_requests_breaks_nothing() {
    let (server, mut browser) = (Server::new(), Browser::new());
    for step in [0, 10, 59, 1, 30] {
        server.clock.step_back(Duration::from_secs(step));
        server.visit(&mut browser, count).await.unwrap();
    }
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(5));
    server.clock.set(dogpile_core::Timestamp::MIN);
    server.visit(&mut Browser::new(), count).await.unwrap();
    server.clock.set(dogpile_core::Timestamp::MAX);
    server.visit(&mut Browser::new(), count).await.unwrap();
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), None);
}

#[tokio::test]
async fn the_browser_is_told_to_keep_the_cookie_as_long_as_the_session() {
    let line = async |server: &Server| {
        let request = server.arrive(&Browser::new());
        count(request.session().await.unwrap()).await.unwrap();
        request.commit().await.unwrap().set_cookie()[0].clone()
    };
    let attributes = "; Path=/; Secure; HttpOnly; SameSite=Lax";
    assert!(line(&Server::new()).await.ends_with(attributes));
    let lasting = Server::with_options(|options| options.with_lasting_cookie());
    assert!(line(&lasting).await.ends_with(&format!("{attributes}; Max-Age=43200")));
    let years = Duration::from_secs(3 * 365 * 24 * 60 * 60);
    let very = Server::with_options(|options| options.with_lasting_cookie().with_absolute(years));
    assert!(
        line(&very).await.ends_with(&format!("{attributes}; Max-Age=34560000")),
        "400 days at most"
    );
    let strict = Attributes::host("session").unwrap().with_same_site_strict();
    let strict = Server::with_options(|options| options.with_cookie(strict));
    assert!(line(&strict).await.ends_with("; SameSite=Strict"));
}

#[tokio::test]
async fn shorter_lifetimes_bind_what_was_sealed_for_longer_ones() {
    let keys = KeyRing::new(RootKey::generate().unwrap());
    let clock = ManualClock::at(SystemClock.now());
    let within = |idle: Duration, absolute: Duration| {
        Server::build(keys.clone(), clock.clone(), |options| {
            options.with_idle(idle).with_absolute(absolute)
        })
    };
    let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
    let mut browser = Browser::new();
    within(day, 30 * day).visit(&mut browser, count).await.unwrap();
    clock.advance(hour);
    for (idle, absolute, read_there) in [(day, day, Some(1)), (hour, day, None), (hour, hour, None)]
    {
        let server = within(idle, absolute);
        assert_eq!(server.visit(&mut browser.clone(), read).await.unwrap(), read_there);
    }
}
