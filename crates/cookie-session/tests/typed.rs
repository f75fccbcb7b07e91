//! Sessions of a type of the application's own, which changes from release to release.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use cookie_session::generation::{Generations, MemoryStore, Resolution};
use cookie_session::{ErrorKind, KeyRing, RootKey, Session, SessionData, Stored};
use serde::{Deserialize, Serialize};
use support::log::Log;
use support::{Browser, Server};

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct First {
    cart: Vec<u64>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Second {
    currency: String,
    cart: Vec<u64>,
}

/// Cannot read what came before it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Third {
    total: u64,
}

impl SessionData for First {
    const VERSION: u32 = 1;

    fn migrate(stored: Stored<'_>) -> Option<Self> {
        assert_eq!(stored.version(), 0);
        assert!(stored.decode::<Self>().is_none(), "a map is not of a type");
        Some(Self { cart: stored.get("cart")? })
    }
}

impl SessionData for Second {
    const VERSION: u32 = 2;

    fn migrate(stored: Stored<'_>) -> Option<Self> {
        assert!(stored.get::<Vec<u64>>("cart").is_none(), "what is of a type is no map");
        let First { cart } = stored.decode()?;
        Some(Self { currency: "EUR".into(), cart })
    }
}

impl SessionData for Third {
    const VERSION: u32 = 3;

    fn migrate(_: Stored<'_>) -> Option<Self> {
        None
    }
}

async fn visit<T: SessionData, U>(
    server: &Server,
    browser: &mut Browser,
    handler: impl FnOnce(Session<T>) -> cookie_session::Result<U>,
) -> cookie_session::Result<U> {
    let request = server.arrive(browser);
    let answer = handler(request.typed().await?)?;
    browser.receive(request.commit().await?.set_cookie());
    Ok(answer)
}

#[expect(clippy::needless_pass_by_value, reason = "it is a handler")]
fn data<T: SessionData>(session: Session<T>) -> cookie_session::Result<T> {
    session.data()
}

#[tokio::test]
async fn a_type_goes_from_request_to_request() {
    let (server, mut browser) = (Server::new(), Browser::new());
    let empty: First = visit(&server, &mut browser, data).await.unwrap();
    assert_eq!(empty, First::default());
    assert_eq!(browser, Browser::new());
    for item in 1..=3 {
        let count = visit(&server, &mut browser, |session: Session<First>| {
            session.update(|first| {
                first.cart.push(item);
                first.cart.len()
            })
        });
        assert_eq!(count.await.unwrap() as u64, item);
    }
    let before = browser.clone();
    let same = visit(&server, &mut browser, |session: Session<First>| {
        session.set(&First { cart: vec![1, 2, 3] })
    });
    same.await.unwrap();
    assert_eq!(browser, before);
    visit(&server, &mut browser, |session: Session<First>| session.log_in("Ada")).await.unwrap();
    let seen = visit(&server, &mut browser, |session: Session<First>| {
        Ok((session.user(), session.data()?))
    });
    assert_eq!(seen.await.unwrap(), (Some("Ada".into()), First { cart: vec![1, 2, 3] }));
}

#[tokio::test]
async fn an_older_version_is_migrated_and_its_cookie_set_anew() {
    for generations in [Generations::stateless(), Generations::monotonic(MemoryStore::new())] {
        let (server, mut browser) = (Server::with(generations), Browser::new());
        server.visit(&mut browser, async |session| session.insert("cart", &[7_u64])).await.unwrap();
        let before = browser.clone();
        let first: First = visit(&server, &mut browser, data).await.unwrap();
        assert_eq!(first, First { cart: vec![7] });
        assert_ne!(browser, before);
        let second: Second = visit(&server, &mut browser, data).await.unwrap();
        assert_eq!(second, Second { currency: "EUR".into(), cart: vec![7] });
        let before = browser.clone();
        visit(&server, &mut browser, data::<Second>).await.unwrap();
        assert_eq!(browser, before);
    }
}

#[tokio::test]
async fn what_cannot_be_migrated_is_no_session() {
    let (server, mut browser) = (Server::new(), Browser::new());
    visit(&server, &mut browser, |session: Session<First>| session.set(&First { cart: vec![7] }))
        .await
        .unwrap();
    visit(&server, &mut browser, |session: Session<First>| session.log_in("Ada")).await.unwrap();
    let before = browser.clone();
    let seen = visit(&server, &mut browser, |session: Session<Third>| {
        Ok((session.is_new(), session.user(), session.data()?))
    });
    assert_eq!(seen.await.unwrap(), (true, None, Third::default()));
    assert_eq!(browser, before, "its cookie is left alone");
}

#[tokio::test]
async fn a_newer_version_is_no_session_and_not_touched() {
    let clock = Server::new().clock;
    let keys = KeyRing::new(RootKey::generate().unwrap());
    // Two releases at once, as while one is rolled out.
    let [new, old] =
        [(); 2].map(|()| Server::build(keys.clone(), clock.clone(), |options| options));
    let mut browser = Browser::new();
    visit(&new, &mut browser, |session: Session<Third>| session.set(&Third { total: 7 }))
        .await
        .unwrap();
    let before = browser.clone();
    let seen = visit(&old, &mut browser, |session: Session<Second>| {
        Ok((session.is_new(), session.data()?))
    });
    assert_eq!(seen.await.unwrap(), (true, Second::default()));
    assert_eq!(browser, before);
    let third: Third = visit(&new, &mut browser, data).await.unwrap();
    assert_eq!(third, Third { total: 7 });
}

#[tokio::test]
async fn a_program_that_knows_only_maps_sees_no_session_where_a_type_is() {
    for generations in [Generations::stateless(), Generations::per_session(MemoryStore::new())] {
        // The release before, while the one with the type is rolled out.
        let (server, mut browser) = (Server::with(generations), Browser::new());
        visit(&server, &mut browser, |session: Session<First>| session.log_in("Ada"))
            .await
            .unwrap();
        visit(&server, &mut browser, |session: Session<First>| {
            session.set(&First { cart: vec![7] })
        })
        .await
        .unwrap();
        let (log, before) = (Log::default(), browser.clone());
        let guard = tracing::subscriber::set_default(log.clone());
        let seen = server.visit(&mut browser, async |session| {
            Ok((session.user(), session.is_new(), session.keys()))
        });
        assert_eq!(seen.await.unwrap(), (None, true, vec![]));
        drop(guard);
        // It may as well be a mistake in the program, so it is told where it is seen.
        let lines = log.take();
        assert!(lines.iter().any(|line| line.starts_with("cookie_session: WARN")), "{lines:?}");
        assert_eq!(browser, before);
        let first: First = visit(&server, &mut browser, data).await.unwrap();
        assert_eq!(first, First { cart: vec![7] });
    }
}

#[tokio::test]
async fn what_asks_only_for_its_user_does_not_mind_the_type() {
    let (server, mut browser) = (Server::new(), Browser::new());
    visit(&server, &mut browser, |session: Session<First>| session.set(&First { cart: vec![7] }))
        .await
        .unwrap();
    let any = server.arrive(&browser).any().await.unwrap();
    assert_eq!((any.user(), any.is_new()), (None, false));
    assert_eq!(any.as_typed::<First>().unwrap().data().unwrap(), First { cart: vec![7] });
}

#[tokio::test]
async fn a_type_that_this_request_put_is_not_dropped_for_a_map() {
    let (server, browser) = (Server::new(), Browser::new());
    let request = server.arrive(&browser);
    request.typed::<First>().await.unwrap().set(&First { cart: vec![7] }).unwrap();
    assert_eq!(request.session().await.unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(request.commit().await.unwrap().set_cookie().len(), 1);
}

#[tokio::test]
async fn what_was_ended_stays_ended_though_the_session_cannot_be_migrated() {
    for generations in [
        Generations::per_user(MemoryStore::new()),
        Generations::per_session(MemoryStore::new()),
        Generations::monotonic(MemoryStore::new()),
    ] {
        let server = Server::with(generations);
        let mut browsers = [Browser::new(), Browser::new()];
        for browser in &mut browsers {
            visit(&server, browser, |session: Session<First>| session.log_in("Ada")).await.unwrap();
            visit(&server, browser, |session: Session<First>| {
                session.set(&First { cart: vec![7] })
            })
            .await
            .unwrap();
        }
        let request = server.arrive(&browsers[0]);
        // A middleware does that, and then the handler asks for what it knows.
        request.any().await.unwrap().log_out_elsewhere().unwrap();
        assert!(request.typed::<Third>().await.unwrap().is_new());
        request.commit().await.unwrap();
        for browser in &browsers {
            assert!(server.arrive(browser).any().await.unwrap().is_new());
        }
    }
}

#[tokio::test]
async fn a_conflict_may_be_resolved_in_a_newer_type() {
    let generations = Generations::monotonic(MemoryStore::new()).with_on_conflict(|conflict| {
        let ours = conflict.session().as_typed::<Second>().unwrap();
        ours.update(|second| second.currency = "CHF".into()).unwrap();
        Resolution::KeepOurs
    });
    let (server, mut browser) = (Server::with(generations), Browser::new());
    let put =
        |item: u64| move |session: Session<First>| session.update(|first| first.cart.push(item));
    visit(&server, &mut browser, put(1)).await.unwrap();
    let late = server.arrive(&browser);
    put(2)(late.typed().await.unwrap()).unwrap();
    visit(&server, &mut browser, put(3)).await.unwrap();
    browser.receive(late.commit().await.unwrap().set_cookie());
    let second: Second = visit(&server, &mut browser, data).await.unwrap();
    assert_eq!(second, Second { currency: "CHF".into(), cart: vec![1, 2] });
}

#[tokio::test]
async fn what_was_changed_and_then_migrated_is_still_a_change() {
    let (server, mut browser) =
        (Server::with(Generations::monotonic(MemoryStore::new())), Browser::new());
    let put =
        |item: u64| move |session: Session<First>| session.update(|first| first.cart.push(item));
    visit(&server, &mut browser, put(1)).await.unwrap();
    let late = server.arrive(&browser);
    put(2)(late.typed().await.unwrap()).unwrap();
    late.typed::<Second>().await.unwrap();
    visit(&server, &mut browser, put(3)).await.unwrap();
    assert_eq!(late.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
}

/// Says that it is the version that it is not.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Liar {
    cart: String,
}

impl SessionData for Liar {
    const VERSION: u32 = 1;

    fn migrate(_: Stored<'_>) -> Option<Self> {
        None
    }
}

#[tokio::test]
async fn a_type_that_changed_and_kept_its_version_is_told() {
    let (server, mut browser) = (Server::new(), Browser::new());
    visit(&server, &mut browser, |session: Session<First>| session.set(&First { cart: vec![7] }))
        .await
        .unwrap();
    let data = visit(&server, &mut browser, data::<Liar>).await;
    assert_eq!(data.unwrap_err().kind(), ErrorKind::Decode);
}
