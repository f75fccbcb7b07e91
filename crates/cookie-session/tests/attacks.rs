//! Whatever comes as a cookie: no session, no panic, one answer to all, and no secret in any text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::fmt::Write;
use std::time::Duration;

use cookie_session::generation::{Generations, MemoryStore};
use cookie_session::{
    Attributes, KeyRing, KeyState, RootKey, Session, SessionData, Sessions, Stored,
};
use serde::{Deserialize, Serialize};
use support::log::Log;
use support::store::{Shaky, Trouble};
use support::{Browser, Server, count, log_out, read};

const SECRET: &str = "attack at dawn";

/// What an attacker learns: everything that the response says.
async fn answer(
    server: &Server,
    cookie: impl Into<Vec<u8>>,
) -> (Option<u64>, bool, Vec<String>, bool) {
    let request = server.sessions.request(vec![cookie.into()]);
    let session = request.session().await.unwrap();
    let headers = request.commit().await.unwrap();
    (
        session.get("count").unwrap(),
        session.is_new(),
        headers.set_cookie().to_vec(),
        headers.is_touched(),
    )
}

fn nothing() -> (Option<u64>, bool, Vec<String>, bool) {
    (None, true, vec![], true)
}

fn named(value: impl AsRef<[u8]>) -> Vec<u8> {
    [b"__Host-session=", value.as_ref()].concat()
}

#[tokio::test]
async fn every_changed_bit_and_every_cut_is_no_session() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    let token = browser.value().as_bytes();
    assert_eq!(answer(&server, named(token)).await.0, Some(1));
    for at in 0..token.len() {
        assert_eq!(answer(&server, named(&token[..at])).await, nothing(), "cut at {at}");
        for bit in 0..8 {
            let mut changed = token.to_vec();
            changed[at] ^= 1 << bit;
            assert_eq!(answer(&server, named(&changed)).await, nothing(), "bit {bit} of byte {at}");
        }
    }
}

#[tokio::test]
async fn garbage_is_no_session() {
    let server = Server::new();
    let megabyte = vec![b'A'; 1 << 20];
    let duplicates = "__Host-session=AAAA; ".repeat(1000).into_bytes();
    for cookie in [
        b"".to_vec(),
        b"=".to_vec(),
        b";;;===;;".to_vec(),
        named(""),
        named("null"),
        named(" "),
        named("\"\""),
        named("\u{e9}\u{1f36a}"),
        named([0xff, 0, 1, 0x80]),
        named(&megabyte),
        megabyte,
        duplicates,
    ] {
        let (content, is_new, set, is_touched) = answer(&server, cookie).await;
        assert_eq!((content, is_new, set, is_touched), nothing());
    }
}

#[tokio::test]
async fn among_several_cookies_of_its_name_the_valid_one_wins() {
    let (server, mut browser) = (Server::new(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    let old = browser.value().to_owned();
    server.clock.advance(support::IDLE - Duration::from_secs(60));
    server.visit(&mut browser, count).await.unwrap();
    server.clock.advance(Duration::from_secs(120));
    let valid = browser.value();
    let name = "__Host-session";
    for cookie in [
        format!("{name}=garbage; {name}={valid}"),
        format!("{name}={valid}; {name}=garbage"),
        // One that opens, and has expired.
        format!("{name}={old}; {name}={valid}"),
        format!("{name}=1; {name}=2; {name}=3; {name}={valid}"),
        format!("__host-session={old}; __HOST-SESSION={old}; {name}={valid}"),
    ] {
        assert_eq!(answer(&server, cookie.clone()).await.0, Some(2), "{cookie}");
    }
    let fifth = format!("{name}=1; {name}=2; {name}=3; {name}=4; {name}={valid}");
    assert_eq!(answer(&server, fifth).await, nothing(), "a fifth is not tried");
}

#[tokio::test]
async fn a_token_is_worth_nothing_elsewhere() {
    let keys = KeyRing::new(RootKey::generate().unwrap());
    let clock = Server::new().clock;
    let build =
        |keys: &KeyRing,
         change: fn(cookie_session::SessionOptions) -> cookie_session::SessionOptions| {
            Server::build(keys.clone(), clock.clone(), change)
        };
    let home = build(&keys, |options| options);
    let mut browser = Browser::new();
    home.visit(&mut browser, count).await.unwrap();
    let same = build(&keys, |options| options);
    assert_eq!(answer(&same, named(browser.value())).await.0, Some(1));
    for elsewhere in [
        build(&keys, |options| options.with_purpose("admin")),
        build(&keys, |options| options.with_audience("other.example.org")),
        build(&KeyRing::new(RootKey::generate().unwrap()), |options| options),
    ] {
        assert_eq!(answer(&elsewhere, named(browser.value())).await, nothing());
    }
    let other_name =
        build(&keys, |options| options.with_cookie(Attributes::host("other").unwrap()));
    let moved = format!("__Host-other={}", browser.value());
    assert_eq!(answer(&other_name, moved).await, nothing());
}

#[tokio::test]
async fn all_that_is_refused_is_answered_alike() {
    let (old, new) = (RootKey::generate().unwrap(), RootKey::generate().unwrap());
    let keys = KeyRing::new(old.clone());
    let store = MemoryStore::new();
    let server = Server::build(keys.clone(), Server::new().clock, |options| {
        options.with_generations(Generations::monotonic(store))
    });
    let mut refused = vec![Browser::holding("garbage"), Browser::holding("")];

    let mut revoked = Browser::new();
    server.visit(&mut revoked, count).await.unwrap();
    let [active, dead] = [(KeyState::Active, new), (KeyState::Revoked, old)];
    keys.replace(&KeyRing::from_keys([active, dead]).unwrap());
    refused.push(revoked);

    let mut ended = Browser::new();
    server.visit(&mut ended, count).await.unwrap();
    refused.push(ended.clone());
    server.visit(&mut ended, log_out).await.unwrap();

    let mut browser = Browser::new();
    for _ in 0..3 {
        server.visit(&mut browser, count).await.unwrap();
        refused.push(browser.clone());
        server.visit(&mut browser, read).await.unwrap();
    }
    refused.pop();
    server.clock.advance(Duration::from_secs(31));

    let mut future = Browser::new();
    server.clock.advance(Duration::from_secs(61));
    server.visit(&mut future, count).await.unwrap();
    server.clock.step_back(Duration::from_secs(61));
    refused.push(future);

    for browser in refused {
        assert_eq!(answer(&server, browser.header().unwrap()).await, nothing());
    }
    assert_eq!(answer(&server, browser.header().unwrap()).await.0, Some(3));
}

/// A server with a secret in its key, its session and its browser, and all those texts.
async fn with_secrets() -> (Server, Browser, Vec<String>) {
    let key = RootKey::generate().unwrap();
    let text = key.expose().to_string();
    let server = Server::build(KeyRing::new(key), Server::new().clock, |options| {
        options.with_generations(Generations::monotonic(MemoryStore::new()))
    });
    let mut browser = Browser::new();
    let put = async |session: Session| {
        session.log_in(SECRET)?;
        session.insert(SECRET, SECRET)
    };
    server.visit(&mut browser, put).await.unwrap();
    let secrets = vec![SECRET.to_owned(), text[5..].to_owned(), browser.value().to_owned()];
    (server, browser, secrets)
}

/// No part of a secret is in a text, nor its bytes as numbers.
#[track_caller]
fn is_clean(text: &str, secrets: &[String]) {
    for secret in secrets {
        for at in 0..=secret.len() - 8 {
            let part = &secret[at..at + 8];
            let numbers = format!("{:?}", part.as_bytes());
            let is_in = text.contains(part) || text.contains(&numbers[1..numbers.len() - 1]);
            assert!(!is_in, "there is a secret in: {text}");
        }
    }
}

#[tokio::test]
async fn no_text_for_people_holds_a_secret() {
    let (server, browser, mut secrets) = with_secrets().await;
    let request = server.arrive(&browser);
    let session = request.session().await.unwrap();
    secrets.push(session.csrf_token().unwrap());
    session.insert("count", &1).unwrap();
    let headers = request.commit().await.unwrap();
    let mut next = Browser::new();
    next.receive(headers.set_cookie());
    secrets.push(next.value().to_owned());
    let sessions: &Sessions = &server.sessions;
    let huge = async |session: Session| session.insert(SECRET, &SECRET.repeat(500));
    let too_large = server.visit(&mut next, huge).await;
    let decode = session.get::<u8>(SECRET).unwrap_err();
    let mut texts = format!("{request:?} {session:?} {sessions:?} {:?}", request.any().await);
    write!(texts, "{headers:?}").unwrap();
    for error in [too_large.unwrap_err(), session.check_csrf(SECRET).unwrap_err()] {
        write!(texts, "{error} {error:?}").unwrap();
    }
    is_clean(&texts, &secrets);
    // The name of a key is the program's own, and its value is not shown.
    assert_eq!(decode.to_string(), format!("the value of {SECRET} is of another type"));
    assert!(format!("{decode:?}").matches(SECRET).count() <= 1, "{decode:?}");
}

#[tokio::test]
async fn every_refusal_has_its_reason_in_the_log_and_no_secret() {
    let (server, mut browser, secrets) = with_secrets().await;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let reason = async |server: &Server, browser: &Browser, expected: &str| {
        assert!(server.arrive(browser).session().await.unwrap().is_new());
        let lines = log.take();
        let line = lines.iter().find(|line| line.contains(expected));
        let line = line.unwrap_or_else(|| panic!("{expected:?} is not in the log, but {lines:?}"));
        assert!(line.starts_with("cookie_session: DEBUG"), "{line}");
        is_clean(&lines.concat(), &secrets);
    };

    let mut forged = browser.value().to_owned();
    forged.replace_range(60..61, if &forged[60..61] == "A" { "B" } else { "A" });
    reason(&server, &Browser::holding("*"), "base64").await;
    reason(&server, &Browser::holding("AAAA"), "version").await;
    reason(&server, &Browser::holding(&forged), "changed").await;
    reason(&server, &Browser::holding(&browser.value()[..40]), "short").await;
    reason(&Server::new(), &browser, "key id").await;
    reason(&server, &Browser::holding(&browser.value().repeat(30)), "longer than a cookie").await;
    reason(&server, &Browser::holding("2.AAAA"), "more cookies than are allowed").await;

    let before = browser.clone();
    server.clock.step_back(Duration::from_secs(61));
    reason(&server, &browser, "future").await;
    server.clock.advance(Duration::from_secs(61) + support::IDLE);
    reason(&server, &browser, "idle").await;
    server.clock.advance(support::ABSOLUTE);
    reason(&server, &browser, "lived its time").await;
    server.clock.step_back(support::ABSOLUTE + support::IDLE);
    server.visit(&mut browser, count).await.unwrap();
    server.visit(&mut browser, count).await.unwrap();
    reason(&server, &before, "newer generation").await;
    server.sessions.end_user(SECRET).await.unwrap();
    reason(&server, &browser, "its user").await;
    server.sessions.end_all().await.unwrap();
    reason(&server, &browser, "all sessions").await;
}

#[tokio::test(start_paused = true)]
async fn the_store_and_the_schema_have_their_reasons_in_the_log_and_no_secret() {
    let store = Shaky::new();
    let server = Server::with(Generations::per_session(store.clone()));
    let (mut browser, log) = (Browser::new(), Log::default());
    let put = async |session: Session| {
        session.log_in(SECRET)?;
        session.insert(SECRET, SECRET)
    };
    server.visit(&mut browser, put).await.unwrap();
    let secrets = [SECRET.to_owned(), browser.value().to_owned()];
    let _guard = tracing::subscriber::set_default(log.clone());
    let told = |level: &str, expected: &str| {
        let lines = log.take();
        let found = lines.iter().any(|line| {
            line.starts_with(&format!("cookie_session: {level}")) && line.contains(expected)
        });
        assert!(found, "{level} {expected:?} is not in the log, but {lines:?}");
        is_clean(&lines.concat(), &secrets);
    };
    for (trouble, expected) in [(Trouble::Down, "is down"), (Trouble::Hangs, "250ms")] {
        store.trouble(trouble);
        assert!(server.arrive(&browser).session().await.is_err());
        told("WARN", expected);
        assert!(server.visit(&mut Browser::new(), count).await.is_err());
        told("WARN", expected);
        assert!(server.sessions.end_user(SECRET).await.is_err());
        told("WARN", expected);
    }
    store.trouble(Trouble::None);

    // The release before does not know the schema of this one.
    let request = server.arrive(&browser);
    assert!(request.typed::<Newer>().await.unwrap().is_new());
    told("DEBUG", "stored=0 expected=7");
    let mut newer = Browser::new();
    let request = server.arrive(&newer);
    request.typed::<Newer>().await.unwrap().set(&Newer { text: SECRET.to_owned() }).unwrap();
    newer.receive(request.commit().await.unwrap().set_cookie());
    log.take();
    assert!(server.arrive(&newer).typed::<Older>().await.unwrap().is_new());
    told("DEBUG", "stored=7 expected=1");

    for (scope, expected) in
        [("session", "of its session"), ("user", "of its user"), ("floor", "the store is empty")]
    {
        store.forget(scope);
        assert!(server.arrive(&browser).session().await.unwrap().is_new());
        told("DEBUG", expected);
    }
}

#[derive(Default, Deserialize, Serialize)]
struct Newer {
    text: String,
}

#[derive(Default, Deserialize, Serialize)]
struct Older {}

impl SessionData for Newer {
    const VERSION: u32 = 7;

    fn migrate(_: Stored<'_>) -> Option<Self> {
        None
    }
}

impl SessionData for Older {
    const VERSION: u32 = 1;

    fn migrate(_: Stored<'_>) -> Option<Self> {
        None
    }
}
