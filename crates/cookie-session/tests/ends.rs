//! A session that ends, or goes on under another id, while other requests of it are under way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use cookie_session::generation::{Generations, MemoryStore, Resolution};
use cookie_session::{ErrorKind, RequestSession, Session};
use support::{Browser, Server, count, log_out, read};

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

/// A request that has been served, but whose response is not made yet.
async fn served(server: &Server, browser: &Browser) -> RequestSession {
    let request = server.arrive(browser);
    count(request.session().await.unwrap()).await.unwrap();
    request
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
