//! Sessions of a type of the application's own, which changes from release to release.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use cookie_session::generation::{Generations, MemoryStore};
use cookie_session::{ErrorKind, KeyRing, RootKey, Session, SessionData, Stored};
use serde::{Deserialize, Serialize};
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
async fn a_type_is_not_a_map_and_a_map_not_a_type() {
    let (server, mut browser) = (Server::new(), Browser::new());
    visit(&server, &mut browser, |session: Session<First>| session.set(&First { cart: vec![7] }))
        .await
        .unwrap();
    let as_map = server.visit(&mut browser.clone(), async |session| Ok(session.keys())).await;
    assert_eq!(as_map.unwrap_err().kind(), ErrorKind::Decode);
    // What asks only for its user does not mind.
    let any = server.arrive(&browser).any().await.unwrap();
    assert_eq!((any.user(), any.is_new()), (None, false));
    assert_eq!(any.as_typed::<First>().unwrap().data().unwrap(), First { cart: vec![7] });
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
