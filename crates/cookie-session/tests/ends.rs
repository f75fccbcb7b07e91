//! A session that ends, or goes on under another id, while other requests of it are under way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::time::Duration;

use cookie_session::generation::{Generations, MemoryStore, Resolution};
use cookie_session::{ErrorKind, RequestSession, Session};
use support::store::Shaky;
use support::{Browser, IDLE, Server, count, log_out, per_session, read, served, with_users};

const GRACE: Duration = Duration::from_secs(30);

async fn log_in(session: Session) -> cookie_session::Result<()> {
    session.log_in("Ada")
}

/// A browser in which Ada is logged in, and counted once.
async fn logged_in(server: &Server) -> Browser {
    let mut browser = Browser::new();
    server.visit(&mut browser, log_in).await.unwrap();
    server.visit(&mut browser, count).await.unwrap();
    server.visit(&mut browser, read).await.unwrap();
    browser
}

/// The response of a request that came too late: it says nothing about the cookie.
async fn is_conflict(request: RequestSession) {
    let error = request.commit().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Conflict, 409));
}

async fn user(server: &Server, browser: &Browser) -> Option<String> {
    server.visit(&mut browser.clone(), async |session| Ok(session.user())).await.unwrap()
}

/// Whatever ends a session alone.
#[derive(Clone, Copy, Debug)]
enum End {
    Logout,
    Login,
    Renewal,
    ByHandle,
}

const ENDS: [End; 4] = [End::Logout, End::Login, End::Renewal, End::ByHandle];

impl End {
    async fn come(self, server: &Server, browser: &mut Browser) {
        match self {
            Self::Logout => server.visit(browser, log_out).await.unwrap(),
            Self::Login => server.visit(browser, log_in).await.unwrap(),
            Self::Renewal => {
                server.visit(browser, async |session| session.renew()).await.unwrap();
            }
            Self::ByHandle => {
                let handle = async |session: Session| Ok(session.handle().unwrap());
                let handle = server.visit(browser, handle).await.unwrap();
                server.sessions.end_session(&handle).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn no_hook_brings_back_a_session_that_has_ended() {
    for end in ENDS {
        for is_overtaken in [false, true] {
            let generations = Generations::monotonic(MemoryStore::new())
                .with_on_conflict(|_| Resolution::KeepOurs);
            let server = Server::with(generations);
            let mut browser = logged_in(&server).await;
            let copy = browser.clone();
            if is_overtaken {
                server.visit(&mut browser, count).await.unwrap();
            }
            let late = served(&server, &copy).await;
            end.come(&server, &mut browser).await;
            is_conflict(late).await;
            assert_eq!(user(&server, &copy).await, None, "{end:?}");
            let lives_on = matches!(end, End::Login | End::Renewal);
            assert_eq!(user(&server, &browser).await.is_some(), lives_on, "{end:?}");
        }
    }
}

/// A request has been under way since its session was good, and goes on under another id.
async fn renewed(server: &Server, browser: &Browser, is_elsewhere: bool) -> RequestSession {
    let request = server.arrive(browser);
    let session = request.session().await.unwrap();
    match is_elsewhere {
        true => session.log_out_elsewhere().unwrap(),
        false => session.renew().unwrap(),
    }
    request
}

#[tokio::test]
async fn a_renewal_does_not_outlive_what_ended_its_session() {
    for is_elsewhere in [false, true] {
        for end in ENDS {
            for generations in per_session() {
                let server = Server::with(generations);
                let (mut browser, other) = (logged_in(&server).await, logged_in(&server).await);
                let thief = browser.clone();
                let under_way = renewed(&server, &thief, is_elsewhere).await;
                // Also where each moment is one of its own.
                server.clock.advance(Duration::from_millis(5));
                end.come(&server, &mut browser).await;
                server.clock.advance(Duration::from_millis(5));
                is_conflict(under_way).await;
                assert_eq!(user(&server, &thief).await, None, "{end:?}");
                let lives_on = matches!(end, End::Login | End::Renewal);
                assert_eq!(user(&server, &browser).await.is_some(), lives_on, "{end:?}");
                assert!(user(&server, &other).await.is_some(), "it ended nobody else");
            }
        }
    }
}

#[tokio::test]
async fn a_renewal_does_not_outlive_the_end_of_its_user_or_of_all() {
    for is_elsewhere in [false, true] {
        for of_all in [false, true] {
            for generations in with_users() {
                let server = Server::with(generations);
                let thief = logged_in(&server).await;
                let under_way = renewed(&server, &thief, is_elsewhere).await;
                server.clock.advance(Duration::from_millis(5));
                match of_all {
                    true => server.sessions.end_all().await.unwrap(),
                    false => server.sessions.end_user("Ada").await.unwrap(),
                }
                server.clock.advance(Duration::from_millis(5));
                is_conflict(under_way).await;
                assert_eq!(user(&server, &thief).await, None);
            }
        }
    }
}

/// Between the comparison and what is written down there is a moment, too.
#[tokio::test]
async fn an_end_in_the_moment_of_a_renewal_wins() {
    type Mode = fn(Shaky) -> Generations;
    let modes: [(Mode, &[(&str, &str)]); 3] = [
        (Generations::per_user, &[("raise", "user")]),
        (Generations::per_session, &[("raise", "session"), ("raise", "user")]),
        (
            Generations::monotonic,
            &[("advance", "session"), ("raise", "session"), ("raise", "user")],
        ),
    ];
    for (mode, moments) in modes {
        for (call, scope) in moments {
            let store = Shaky::new();
            let server = Server::with(mode(store.clone()));
            let browser = logged_in(&server).await;
            let under_way = renewed(&server, &browser, true).await;
            server.clock.advance(Duration::from_millis(5));
            store.rival(call, scope);
            is_conflict(under_way).await;
            assert!(store.rival_came(), "{call} {scope}");
            assert_eq!(user(&server, &browser).await, None);
        }
    }
}

/// It came too late, and neither puts its cookie in the place of another one nor removes that.
async fn leaves_the_cookie_alone(server: &Server, late: &Browser, what: &str) {
    let request = server.arrive(late);
    let session = request.session().await.unwrap();
    assert!(session.is_new(), "{what}");
    session.csrf_token().unwrap();
    assert!(request.commit().await.unwrap().set_cookie().is_empty(), "{what}");
    session.destroy();
    assert!(request.commit().await.unwrap().set_cookie().is_empty(), "{what}");
    is_conflict(served(server, late).await).await;
    // Later it is a stranger with an old cookie.
    server.clock.advance(GRACE + Duration::from_millis(1));
    assert_eq!(server.visit(&mut late.clone(), count).await.unwrap(), 1, "{what}");
}

#[tokio::test]
async fn who_was_overtaken_by_two_saves_leaves_the_cookie_alone() {
    let server = Server::with(Generations::monotonic(MemoryStore::new()));
    let mut browser = logged_in(&server).await;
    server.clock.advance(IDLE / 2);
    let late = browser.clone();
    for _ in 0..2 {
        server.visit(&mut browser, count).await.unwrap();
        server.visit(&mut browser, read).await.unwrap();
        server.clock.advance(GRACE);
    }
    leaves_the_cookie_alone(&server, &late, "two saves").await;
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 4);
}

#[tokio::test]
async fn who_was_overtaken_by_an_end_leaves_the_cookie_alone() {
    for end in ["session", "elsewhere", "everywhere", "user", "all"] {
        for (generations, is_per_user) in with_users().into_iter().zip([true, false, false, false])
        {
            // With rows of users alone, these two are not told apart from what was long ago.
            if is_per_user && matches!(end, "session" | "elsewhere") {
                continue;
            }
            let server = Server::with(generations);
            let mut browser = logged_in(&server).await;
            server.clock.advance(IDLE / 2);
            let late = browser.clone();
            match end {
                "session" => server.visit(&mut browser, log_out).await.unwrap(),
                "elsewhere" => {
                    let elsewhere = async |session: Session| session.log_out_elsewhere();
                    server.visit(&mut browser, elsewhere).await.unwrap();
                }
                "everywhere" => {
                    let everywhere = async |session: Session| session.log_out_everywhere();
                    server.visit(&mut browser, everywhere).await.unwrap();
                }
                "user" => server.sessions.end_user("Ada").await.unwrap(),
                _ => server.sessions.end_all().await.unwrap(),
            }
            if end != "elsewhere" {
                server.visit(&mut browser, log_in).await.unwrap();
            }
            server.clock.advance(GRACE);
            leaves_the_cookie_alone(&server, &late, end).await;
            assert_eq!(user(&server, &browser).await.as_deref(), Some("Ada"), "{end}");
        }
    }
}

#[tokio::test]
async fn a_renewal_takes_nothing_from_a_save_at_the_same_time() {
    for generations in [
        Generations::monotonic(MemoryStore::new()),
        // What to do about changes says nothing about who goes on with the session.
        Generations::monotonic(MemoryStore::new()).with_on_conflict(|_| Resolution::KeepOurs),
    ] {
        let server = Server::with(generations);
        for is_elsewhere in [false, true] {
            let (mut browser, other) = (logged_in(&server).await, logged_in(&server).await);
            let late = browser.clone();
            let before = renewed(&server, &late, is_elsewhere).await;
            assert_eq!(server.visit(&mut browser, count).await.unwrap(), 2);
            let after = renewed(&server, &late, is_elsewhere).await;
            is_conflict(before).await;
            is_conflict(after).await;
            assert!(user(&server, &other).await.is_some());
            assert_eq!(server.visit(&mut browser, count).await.unwrap(), 3);
            // With the cookie of now it is made.
            server.visit(&mut browser, read).await.unwrap();
            let again = renewed(&server, &browser, is_elsewhere).await;
            browser.receive(again.commit().await.unwrap().set_cookie());
            assert_eq!(server.visit(&mut browser, count).await.unwrap(), 4);
        }
    }
}

#[tokio::test]
async fn a_login_is_made_though_another_request_saved() {
    let server = Server::with(Generations::monotonic(MemoryStore::new()));
    let mut browser = logged_in(&server).await;
    let late = browser.clone();
    let request = server.arrive(&late);
    log_in(request.session().await.unwrap()).await.unwrap();
    server.visit(&mut browser, count).await.unwrap();
    browser.receive(request.commit().await.unwrap().set_cookie());
    // It takes along what it had read.
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_session_whose_last_response_was_lost_can_be_renewed() {
    let server = Server::with(Generations::monotonic(MemoryStore::new()));
    let mut browser = logged_in(&server).await;
    let lost = served(&server, &browser).await.commit().await.unwrap();
    server.clock.advance(GRACE + Duration::from_millis(1));
    let request = server.arrive(&browser);
    let session = request.session().await.unwrap();
    session.renew().unwrap();
    browser.receive(request.commit().await.unwrap().set_cookie());
    // The same request goes on with what it was given.
    session.insert("count", &7).unwrap();
    browser.receive(request.commit().await.unwrap().set_cookie());
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(7));
    let mut found = Browser::new();
    found.receive(lost.set_cookie());
    assert_eq!(user(&server, &found).await, None);
}

#[tokio::test]
async fn what_took_the_place_of_a_lost_save_goes_on() {
    let server = Server::with(Generations::monotonic(MemoryStore::new()));
    let mut browser = logged_in(&server).await;
    served(&server, &browser).await.commit().await.unwrap();
    server.clock.advance(GRACE + Duration::from_millis(1));
    let request = served(&server, &browser).await;
    browser.receive(request.commit().await.unwrap().set_cookie());
    count(request.session().await.unwrap()).await.unwrap();
    browser.receive(request.commit().await.unwrap().set_cookie());
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(3));
}

#[tokio::test]
async fn a_logout_after_a_renewal_of_the_same_request_ends_the_session_whatever_became_of_it() {
    for generations in per_session() {
        let server = Server::with(generations);
        for is_elsewhere in [false, true] {
            let mut browser = logged_in(&server).await;
            let request = renewed(&server, &browser, is_elsewhere).await;
            server.visit(&mut browser.clone(), count).await.unwrap();
            request.session().await.unwrap().destroy();
            let copy = browser.clone();
            browser.receive(request.commit().await.unwrap().set_cookie());
            assert_eq!(browser, Browser::new());
            assert_eq!(user(&server, &copy).await, None);
        }
    }
}

#[tokio::test]
async fn a_second_cookie_does_not_vouch_for_the_one_that_is_renewed() {
    let generations = Generations::per_user(MemoryStore::new());
    let server = Server::with(generations.with_recheck_every(Duration::from_secs(10)));
    let mut both = logged_in(&server).await;
    let mut grace = Browser::new();
    server.visit(&mut grace, async |session| session.log_in("Grace")).await.unwrap();
    server.sessions.end_user("Ada").await.unwrap();
    both.0.append(&mut grace.0);
    // The comparison of the first one is put off, and the second is good.
    is_conflict(renewed(&server, &both, false).await).await;
}
