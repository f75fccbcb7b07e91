//! What happens while the generation store does not answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cookie_session::generation::{Generations, Outage, Timer};
use cookie_session::{ErrorKind, KeyRing, Result, RootKey, Session, SessionOptions, Sessions};
use support::store::{Shaky, Trouble};
use support::{Browser, Server, count, read};

async fn log_in(session: Session) -> Result<()> {
    session.log_in("Ada")
}

fn modes() -> [fn(Shaky) -> Generations; 3] {
    [Generations::per_user, Generations::per_session, Generations::monotonic]
}

/// A server of each mode, its store, and a browser in which Ada is logged in and counted once.
async fn servers(outage: Outage) -> Vec<(Server, Shaky, Browser)> {
    let mut servers = Vec::new();
    for mode in modes() {
        let store = Shaky::new();
        let server = Server::with(mode(store.clone()).with_outage(outage));
        let mut browser = Browser::new();
        server.visit(&mut browser, log_in).await.unwrap();
        server.visit(&mut browser, count).await.unwrap();
        servers.push((server, store, browser));
    }
    servers
}

#[track_caller]
fn is_unavailable<T>(result: Result<T>) {
    let error = result.err().expect("it cannot succeed without its store");
    assert_eq!(
        (error.kind(), error.status(), error.retry_after()),
        (ErrorKind::Unavailable, 503, Some(5))
    );
}

#[tokio::test]
async fn closed_is_the_default_and_keeps_the_cookie() {
    for (server, store, mut browser) in servers(Outage::default()).await {
        let before = browser.clone();
        store.trouble(Trouble::Down);
        is_unavailable(server.visit(&mut browser, read).await);
        assert_eq!(browser, before);
        store.trouble(Trouble::None);
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn who_has_no_session_needs_no_store() {
    for outage in [Outage::FailClosed, Outage::StaleFor(Duration::from_secs(60)), Outage::FailOpen]
    {
        for (server, store, _) in servers(outage).await {
            store.trouble(Trouble::Down);
            for mut browser in [Browser::new(), Browser::holding("garbage")] {
                assert_eq!(server.visit(&mut browser, read).await.unwrap(), None);
                is_unavailable(server.visit(&mut browser, log_in).await);
            }
        }
    }
}

#[tokio::test]
async fn an_end_that_is_not_written_down_is_an_error() {
    for outage in [Outage::FailClosed, Outage::StaleFor(Duration::from_secs(60)), Outage::FailOpen]
    {
        for (server, store, mut browser) in servers(outage).await {
            let before = browser.clone();
            let request = server.arrive(&browser);
            request.session().await.unwrap().log_out_everywhere().unwrap();
            store.trouble(Trouble::Down);
            is_unavailable(request.commit().await);
            is_unavailable(server.sessions.end_user("Ada").await);
            is_unavailable(server.sessions.end_all().await);
            if outage == Outage::FailOpen {
                is_unavailable(
                    server.visit(&mut browser, async |session| session.log_out_everywhere()).await,
                );
            }
            assert_eq!(browser, before);
        }
    }
}

#[tokio::test]
async fn a_session_that_was_checked_lately_is_read_and_not_saved() {
    for (server, store, mut browser) in servers(Outage::StaleFor(Duration::from_secs(60))).await {
        store.trouble(Trouble::Down);
        server.clock.advance(Duration::from_secs(60));
        let before = browser.clone();
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
        is_unavailable(server.visit(&mut browser, count).await);
        is_unavailable(server.visit(&mut browser, async |session| session.renew()).await);
        assert_eq!(browser, before, "the moment of the check must not move on its own");
        server.clock.advance(Duration::from_millis(1));
        is_unavailable(server.visit(&mut browser, read).await);
        assert_eq!(browser, before);
    }
}

#[tokio::test]
async fn the_moment_of_the_check_is_kept_fresh() {
    for (server, store, mut browser) in servers(Outage::StaleFor(Duration::from_secs(60))).await {
        for _ in 0..10 {
            server.clock.advance(Duration::from_secs(30));
            server.visit(&mut browser, read).await.unwrap();
        }
        store.trouble(Trouble::Down);
        server.clock.advance(Duration::from_secs(30));
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn open_lets_in_and_saves() {
    for (server, store, mut browser) in servers(Outage::FailOpen).await {
        store.trouble(Trouble::Down);
        server.clock.advance(Duration::from_secs(600));
        assert_eq!(server.visit(&mut browser, count).await.unwrap(), 2);
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(2));
        store.trouble(Trouble::None);
        assert_eq!(server.visit(&mut browser, count).await.unwrap(), 3);
    }
}

#[tokio::test]
async fn a_renewal_that_was_let_in_gets_its_generation_when_the_store_is_back() {
    for (server, store, mut browser) in servers(Outage::FailOpen).await {
        let before = browser.clone();
        let request = server.arrive(&browser);
        store.trouble(Trouble::Down);
        request.session().await.unwrap().renew().unwrap();
        store.trouble(Trouble::None);
        browser.receive(request.commit().await.unwrap().set_cookie());
        assert_ne!(browser, before);
        let user = async |session: Session| Ok(session.user());
        assert_eq!(server.visit(&mut browser, user).await.unwrap().as_deref(), Some("Ada"));
    }
}

/// A token from a server without a store has no generations, and may be let in unchecked.
#[tokio::test]
async fn a_renewal_gives_no_generation_to_what_was_never_compared() {
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Renew,
        RenewAsNobody,
        LogOutElsewhere,
    }
    for mode in modes() {
        for act in [Act::Renew, Act::RenewAsNobody, Act::LogOutElsewhere] {
            let (keys, clock) = (KeyRing::new(RootKey::generate().unwrap()), Server::new().clock);
            let stateless = Server::build(keys.clone(), clock.clone(), |options| options);
            let store = Shaky::new();
            let generations = mode(store.clone()).with_outage(Outage::FailOpen);
            let server =
                Server::build(keys, clock, |options| options.with_generations(generations));
            // The store is in use already, and knows nothing of Ada.
            let grace = async |session: Session| session.log_in("Grace");
            server.visit(&mut Browser::new(), grace).await.unwrap();
            server.clock.advance(Duration::from_secs(120));

            let mut browser = Browser::new();
            match act {
                Act::RenewAsNobody => _ = stateless.visit(&mut browser, count).await.unwrap(),
                _ => stateless.visit(&mut browser, log_in).await.unwrap(),
            }
            let is_new =
                async |browser: &Browser| server.arrive(browser).session().await.unwrap().is_new();
            let was_new = is_new(&browser).await;
            store.trouble(Trouble::ReadsNothing);
            let request = server.arrive(&browser);
            let session = request.session().await.unwrap();
            match act {
                Act::LogOutElsewhere => session.log_out_elsewhere().unwrap(),
                _ => session.renew().unwrap(),
            }
            if let Ok(headers) = request.commit().await {
                browser.receive(headers.set_cookie());
            }
            store.trouble(Trouble::None);
            assert_eq!(is_new(&browser).await, was_new, "{act:?}");
        }
    }
}

#[tokio::test]
async fn a_renewal_that_was_let_in_is_compared_as_soon_as_the_store_is_back() {
    const EVERY: Duration = Duration::from_secs(10);
    let store = Shaky::new();
    let generations = Generations::per_user(store.clone())
        .with_outage(Outage::FailOpen)
        .with_recheck_every(EVERY);
    let (server, mut browser) = (Server::with(generations), Browser::new());
    server.visit(&mut browser, log_in).await.unwrap();
    server.clock.advance(EVERY);
    server.sessions.end_user("Ada").await.unwrap();
    store.trouble(Trouble::Down);
    server.visit(&mut browser, async |session| session.renew()).await.unwrap();
    store.trouble(Trouble::None);
    assert!(server.arrive(&browser).session().await.unwrap().is_new());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_given_up() {
    for mode in modes() {
        let store = Shaky::new();
        let server = Server::with(mode(store.clone()).with_timeout(Duration::from_millis(300)));
        let mut browser = Browser::new();
        server.visit(&mut browser, log_in).await.unwrap();
        store.trouble(Trouble::Hangs);
        let began = tokio::time::Instant::now();
        is_unavailable(server.visit(&mut browser, read).await);
        assert_eq!(began.elapsed(), Duration::from_millis(300));
        is_unavailable(server.visit(&mut Browser::new(), log_in).await);
    }
}

#[tokio::test]
async fn a_timer_of_ones_own_needs_no_runtime_of_ours() {
    let rung = Arc::new(std::sync::Mutex::new(Vec::new()));
    let bell = Arc::clone(&rung);
    let timer = Timer::new(move |d| {
        bell.lock().unwrap().push(d);
        Box::pin(std::future::ready(()))
    });
    let store = Shaky::new();
    let server = Server::with(Generations::per_user(store.clone()).with_timer(timer));
    let mut browser = Browser::new();
    server.visit(&mut browser, log_in).await.unwrap();
    assert!(rung.lock().unwrap().is_empty(), "a store that answers at once needs no timer");
    store.trouble(Trouble::Hangs);
    is_unavailable(server.visit(&mut browser, read).await);
    assert_eq!(*rung.lock().unwrap(), [Duration::from_millis(250)]);
}

#[tokio::test]
async fn a_revocation_is_seen_at_most_so_much_later() {
    const EVERY: Duration = Duration::from_secs(10);
    for mode in [Generations::per_user, Generations::per_session] {
        let store = Shaky::new();
        let server = Server::with(mode(store.clone()).with_recheck_every(EVERY));
        let mut browser = Browser::new();
        server.visit(&mut browser, log_in).await.unwrap();
        store.calls();
        server.clock.advance(EVERY - Duration::from_millis(1));
        server.visit(&mut browser, count).await.unwrap();
        assert_eq!(store.calls(), [""; 0]);
        // A save does not count as a check.
        server.clock.advance(Duration::from_millis(1));
        server.visit(&mut browser, read).await.unwrap();
        assert_eq!(store.calls(), ["read"]);
        server.visit(&mut browser, read).await.unwrap();
        assert_eq!(store.calls(), [""; 0], "the moment of the check is in the cookie");

        server.sessions.end_user("Ada").await.unwrap();
        server.clock.advance(EVERY - Duration::from_millis(1));
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
        server.clock.advance(Duration::from_millis(1));
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), None);
    }
}

#[test]
fn what_cannot_be_together_is_refused() {
    let keys = KeyRing::new(RootKey::generate().unwrap());
    for generations in [
        Generations::monotonic(Shaky::new()).with_recheck_every(Duration::from_secs(1)),
        Generations::per_user(Shaky::new()).with_timeout(Duration::ZERO),
    ] {
        let options = SessionOptions::new().with_generations(generations);
        assert_eq!(Sessions::new(keys.clone(), options).unwrap_err().kind(), ErrorKind::Refused);
    }
    for (idle, absolute) in [(0, 10), (10, 9)] {
        let [idle, absolute] = [idle, absolute].map(Duration::from_secs);
        let options = SessionOptions::new().with_idle(idle).with_absolute(absolute);
        assert_eq!(Sessions::new(keys.clone(), options).unwrap_err().kind(), ErrorKind::Refused);
    }
}
