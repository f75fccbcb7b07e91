//! What handlers do, for all frameworks, and what comes out of it.

use cookie_session::generation::Generations;
use cookie_session::{Result, Session, SessionData, Stored};
use serde::{Deserialize, Serialize};

use crate::support::log::Log;
use crate::support::store::{Shaky, Trouble};
use crate::support::{Browser, Server};

pub(crate) async fn count(session: Session) -> Result<String> {
    let visits = session.get::<u64>("count")?.unwrap_or(0) + 1;
    session.insert("count", &visits)?;
    Ok(format!("visit {visits}"))
}

pub(crate) async fn fill(session: Session) -> Result<&'static str> {
    session.insert("text", &"x".repeat(5_000))?;
    Ok("never seen")
}

#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Cart {
    pub(crate) items: Vec<u32>,
}

impl SessionData for Cart {
    const VERSION: u32 = 1;

    fn migrate(_: Stored<'_>) -> Option<Self> {
        None
    }
}

pub(crate) async fn add(session: Session<Cart>) -> Result<String> {
    session.update(|cart| cart.items.push(7))?;
    Ok(format!("{} items", session.data()?.items.len()))
}

/// A response, whoever made it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(present, _)| present == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The `Set-Cookie` lines of sessions.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let ours = |line: &&str| line.starts_with("__Host-session=");
        self.all("set-cookie").into_iter().filter(ours).map(str::to_owned).collect()
    }
}

/// Sessions whose store can be told to fail, and a browser with a session.
pub(crate) async fn with_store() -> (Server, Shaky, Browser) {
    let store = Shaky::new();
    let server = Server::with(Generations::monotonic(store.clone()));
    let mut browser = Browser::new();
    server.visit(&mut browser, crate::support::count).await.unwrap();
    server.visit(&mut browser, crate::support::read).await.unwrap();
    (server, store, browser)
}

pub(crate) fn break_down(store: &Shaky) {
    store.trouble(Trouble::Down);
}

/// What a client sees while the store is down: try again, with the cookie that it has.
pub(crate) fn expect_unavailable(seen: &Seen) {
    assert_eq!(seen.status, 503);
    assert_eq!(seen.all("retry-after"), ["5"]);
    assert_eq!(seen.all("cache-control"), ["no-store"]);
    assert_eq!(seen.cookies(), [""; 0]);
}

/// What a client sees of a mistake of the application: nothing.
pub(crate) fn expect_failed(seen: &Seen) {
    assert_eq!(seen.status, 500);
    assert_eq!(seen.cookies(), [""; 0]);
    assert!(!seen.body.contains("never seen") && !seen.body.contains("4096"), "{}", seen.body);
}

/// What the application's log has of it: how much too large the session was, and nothing of it.
pub(crate) fn expect_told(log: &Log) {
    let lines = log.take();
    let told: Vec<&String> =
        lines.iter().filter(|line| line.starts_with("cookie_session:")).collect();
    assert_eq!(told.len(), 1, "{lines:?}");
    for part in ["cookie_session: ERROR", "kind=TooLarge", "would take", "a browser keeps 4096"] {
        assert!(told[0].contains(part), "{part:?} is not in {told:?}");
    }
    assert!(!told[0].contains("never seen"), "{told:?}");
}
