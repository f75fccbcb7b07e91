//! A browser and its server, in a few lines.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it"
)]

pub mod log;
pub mod store;

use std::time::Duration;

use cookie_session::generation::{Generations, MemoryStore, OverCounter};
use cookie_session::{KeyRing, RequestSession, Result, RootKey, Session, SessionOptions, Sessions};
use dogpile_conformance::ManualClock;
use dogpile_conformance::wrong::WrongCounter;
use dogpile_core::{Clock, SystemClock};

pub const IDLE: Duration = Duration::from_secs(30 * 60);
pub const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);

/// Sessions by a clock that is moved by hand.
pub struct Server {
    pub clock: ManualClock,
    pub sessions: Sessions,
}

impl Server {
    pub fn new() -> Self {
        Self::with(Generations::stateless())
    }

    pub fn with(generations: Generations) -> Self {
        Self::with_options(|options| options.with_generations(generations))
    }

    pub fn with_options(change: impl FnOnce(SessionOptions) -> SessionOptions) -> Self {
        // Of today, so that rows in memory, which goes by the clock on the wall, live as long as their sessions.
        let clock = ManualClock::at(SystemClock.now());
        Self::build(KeyRing::new(RootKey::generate().unwrap()), clock, change)
    }

    pub fn build(
        keys: KeyRing,
        clock: ManualClock,
        change: impl FnOnce(SessionOptions) -> SessionOptions,
    ) -> Self {
        log::listen();
        let options = change(SessionOptions::new().with_clock(clock.clone()));
        Self { sessions: Sessions::new(keys, options).unwrap(), clock }
    }

    /// A request with the cookies of a browser, which takes over what the response says.
    pub async fn visit<T>(
        &self,
        browser: &mut Browser,
        handler: impl AsyncFnOnce(Session) -> Result<T>,
    ) -> Result<T> {
        let request = self.arrive(browser);
        let answer = handler(request.session().await?).await?;
        browser.receive(request.commit().await?.set_cookie());
        Ok(answer)
    }

    /// A request that has arrived and was not answered yet.
    pub fn arrive(&self, browser: &Browser) -> RequestSession {
        self.sessions.request(browser.header())
    }
}

/// A jar of cookies, and nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Browser(pub Vec<(String, String)>);

impl Browser {
    pub fn new() -> Self {
        Self::default()
    }

    /// With one cookie of this value.
    pub fn holding(value: &str) -> Self {
        Self(vec![("__Host-session".to_owned(), value.to_owned())])
    }

    pub fn header(&self) -> Option<String> {
        let pairs: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub fn receive(&mut self, lines: &[String]) {
        for line in lines {
            let (pair, attributes) = line.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.0.retain(|(present, _)| present != name);
            if !attributes.contains("Max-Age=0") {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The value of its only cookie.
    pub fn value(&self) -> &str {
        assert_eq!(self.0.len(), 1);
        &self.0[0].1
    }
}

/// Counts visits, and answers how many there were.
pub async fn count(session: Session) -> Result<u64> {
    let count = session.get::<u64>("count")?.unwrap_or(0) + 1;
    session.insert("count", &count)?;
    Ok(count)
}

/// Reads what [`count`] counted.
pub async fn read(session: Session) -> Result<Option<u64>> {
    session.get("count")
}

/// Ends the session.
pub async fn log_out(session: Session) -> Result<()> {
    session.destroy();
    Ok(())
}

/// The modes with a generation a session, over each kind of store.
pub fn per_session() -> [Generations; 3] {
    [
        Generations::per_session(MemoryStore::new()),
        Generations::per_session(OverCounter::new(WrongCounter::new(None))),
        Generations::monotonic(MemoryStore::new()),
    ]
}

pub fn with_users() -> [Generations; 4] {
    let [memory, counter, monotonic] = per_session();
    [Generations::per_user(MemoryStore::new()), memory, counter, monotonic]
}

/// A request that has been served, but whose response is not made yet.
pub async fn served(server: &Server, browser: &Browser) -> RequestSession {
    let request = server.arrive(browser);
    count(request.session().await.unwrap()).await.unwrap();
    request
}
