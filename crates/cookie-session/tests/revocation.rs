//! What the server ends stays ended, whatever copies of the cookie there are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::time::Duration;

use cookie_session::generation::{Generations, MemoryStore};
use cookie_session::{ErrorKind, Session};
use support::store::{Shaky, Trouble};
use support::{Browser, Server, count, log_out, per_session, read, with_users};

async fn log_in(session: Session) -> cookie_session::Result<()> {
    session.log_in("Ada")
}

/// A browser in which Ada is logged in, and counted once.
async fn logged_in(server: &Server) -> Browser {
    let mut browser = Browser::new();
    server.visit(&mut browser, log_in).await.unwrap();
    server.visit(&mut browser, count).await.unwrap();
    browser
}

/// Whether a copy of a cookie is accepted.
async fn is_accepted(server: &Server, copy: &Browser) -> bool {
    let seen = server
        .visit(&mut copy.clone(), async |session| Ok((session.user(), session.is_new())))
        .await;
    let (user, is_new) = seen.unwrap();
    assert_eq!(user.is_none(), is_new);
    !is_new
}

#[tokio::test]
async fn a_cookie_is_refused_after_its_logout() {
    for generations in per_session() {
        let server = Server::with(generations);
        let mut browser = logged_in(&server).await;
        let copy = browser.clone();
        assert!(is_accepted(&server, &copy).await);
        server.visit(&mut browser, log_out).await.unwrap();
        assert_eq!(browser, Browser::new());
        assert!(!is_accepted(&server, &copy).await);
        server.clock.advance(Duration::from_secs(3600));
        assert!(!is_accepted(&server, &copy).await);
    }
}

#[tokio::test]
async fn a_cookie_from_before_the_login_is_worth_nothing_after_it() {
    for generations in per_session() {
        let server = Server::with(generations);
        let mut browser = Browser::new();
        server.visit(&mut browser, count).await.unwrap();
        // An attacker gave it to her browser: it must not become hers.
        let planted = browser.clone();
        server.visit(&mut browser, log_in).await.unwrap();
        assert!(is_accepted(&server, &browser).await);
        assert!(!is_accepted(&server, &planted).await);
        assert_eq!(server.visit(&mut browser, count).await.unwrap(), 2, "her basket is kept");
    }
}

#[tokio::test]
async fn a_renewed_session_lives_under_its_new_id_only() {
    for generations in per_session() {
        let server = Server::with(generations);
        let mut browser = logged_in(&server).await;
        let copy = browser.clone();
        server.visit(&mut browser, async |session| session.renew()).await.unwrap();
        assert!(is_accepted(&server, &browser).await);
        assert!(!is_accepted(&server, &copy).await);
    }
}

#[tokio::test]
async fn one_of_a_users_sessions_is_ended_by_its_handle() {
    for generations in per_session() {
        let server = Server::with(generations);
        let handle = async |session: Session| Ok(session.handle().unwrap());
        let (mut here, mut there) = (logged_in(&server).await, logged_in(&server).await);
        let theirs = server.visit(&mut there, handle).await.unwrap();
        assert_ne!(server.visit(&mut here, handle).await.unwrap(), theirs);
        // It stays as the session is saved, and there is none without a session.
        server.visit(&mut there, count).await.unwrap();
        assert_eq!(server.visit(&mut there, handle).await.unwrap(), theirs);
        let nobody = server.arrive(&Browser::new()).session().await.unwrap();
        assert_eq!(nobody.handle(), None);

        server.sessions.end_session(&theirs).await.unwrap();
        server.sessions.end_session(&theirs).await.unwrap();
        assert!(!is_accepted(&server, &there).await);
        assert!(is_accepted(&server, &here).await);
        server.clock.advance(support::IDLE - Duration::from_secs(1));
        assert!(!is_accepted(&server, &there).await);
        assert!(is_accepted(&server, &here).await);

        // A renewed session has another, and that of before ends nothing.
        let before = server.visit(&mut here, handle).await.unwrap();
        server.visit(&mut here, async |session| session.renew()).await.unwrap();
        assert_ne!(server.visit(&mut here, handle).await.unwrap(), before);
        server.sessions.end_session(&before).await.unwrap();
        assert!(is_accepted(&server, &here).await);
    }
}

#[tokio::test]
async fn a_handle_is_known_at_the_login_and_is_no_cookie() {
    let server = Server::with(Generations::per_session(MemoryStore::new()));
    let mut browser = Browser::new();
    let log_in = async |session: Session| {
        session.log_in("Ada")?;
        Ok(session.handle().unwrap())
    };
    let handle = server.visit(&mut browser, log_in).await.unwrap();
    assert!(!is_accepted(&server, &Browser::holding(&handle)).await);
    server.sessions.end_session(&handle).await.unwrap();
    assert!(!is_accepted(&server, &browser).await);
}

#[tokio::test]
async fn what_is_no_handle_is_refused_and_so_are_sessions_that_cannot_be_ended_alone() {
    let server = Server::with(Generations::per_session(MemoryStore::new()));
    let long = "0".repeat(33);
    for text in ["", "Ada", &long, &long[..31], "0000000000000000000000000000000G"] {
        let refused = server.sessions.end_session(text).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused, "{text}");
    }
    for generations in [Generations::stateless(), Generations::per_user(MemoryStore::new())] {
        let server = Server::with(generations);
        let refused = server.sessions.end_session(&long[..32]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused);
    }
    let store = Shaky::new();
    let server = Server::with(Generations::per_session(store.clone()));
    store.trouble(Trouble::Down);
    let down = server.sessions.end_session(&long[..32]).await.unwrap_err();
    assert_eq!(down.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_save_that_ends_and_begins_nothing_asks_the_store_only_once() {
    let store = Shaky::new();
    let server = Server::with(Generations::per_session(store.clone()));
    let mut browser = logged_in(&server).await;
    store.calls();
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 2);
    assert_eq!(store.calls(), ["read"], "the comparison");
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_of_the_user() {
    for generations in with_users() {
        let server = Server::with(generations);
        let (mut one, two) = (logged_in(&server).await, logged_in(&server).await);
        let mut grace = Browser::new();
        server.visit(&mut grace, async |session| session.log_in("Grace")).await.unwrap();
        let copy = one.clone();
        server.visit(&mut one, async |session| session.log_out_everywhere()).await.unwrap();
        assert_eq!(one, Browser::new());
        assert!(!is_accepted(&server, &copy).await);
        assert!(!is_accepted(&server, &two).await);
        assert!(is_accepted(&server, &grace).await);
        assert!(is_accepted(&server, &logged_in(&server).await).await, "she may log in again");
    }
}

#[tokio::test]
async fn after_a_change_of_the_password_only_this_session_is_left() {
    for generations in with_users() {
        let server = Server::with(generations);
        let (mut one, two) = (logged_in(&server).await, logged_in(&server).await);
        let copy = one.clone();
        server.visit(&mut one, async |session| session.log_out_elsewhere()).await.unwrap();
        assert!(is_accepted(&server, &one).await);
        assert!(!is_accepted(&server, &copy).await);
        assert!(!is_accepted(&server, &two).await);
    }
}

#[tokio::test]
async fn an_administrator_ends_one_user_or_all() {
    for generations in with_users() {
        let server = Server::with(generations);
        let ada = logged_in(&server).await;
        let (mut grace, mut nobody) = (Browser::new(), Browser::new());
        server.visit(&mut grace, async |session| session.log_in("Grace")).await.unwrap();
        server.visit(&mut nobody, count).await.unwrap();
        server.sessions.end_user("Ada").await.unwrap();
        assert!(!is_accepted(&server, &ada).await);
        assert!(is_accepted(&server, &grace).await);
        server.sessions.end_all().await.unwrap();
        assert!(!is_accepted(&server, &grace).await);
        assert_eq!(server.visit(&mut nobody, read).await.unwrap(), None);
        assert!(is_accepted(&server, &logged_in(&server).await).await);
    }
}

#[tokio::test]
async fn stateless_sessions_say_what_they_cannot() {
    let server = Server::new();
    let mut browser = logged_in(&server).await;
    for result in [
        server.visit(&mut browser, async |session| session.log_out_everywhere()).await,
        server.visit(&mut browser, async |session| session.log_out_elsewhere()).await,
        server.sessions.end_user("Ada").await,
        server.sessions.end_all().await,
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Refused);
    }
    let server = Server::with(Generations::per_user(MemoryStore::new()));
    let nobody =
        server.visit(&mut Browser::new(), async |session| session.log_out_everywhere()).await;
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_row_that_is_lost_logs_out() {
    for scope in ["floor", "user", "session"] {
        let store = Shaky::new();
        let server = Server::with(Generations::per_session(store.clone()));
        let browser = logged_in(&server).await;
        assert!(is_accepted(&server, &browser).await);
        store.forget(scope);
        assert!(!is_accepted(&server, &browser).await, "without the row of its {scope}");
    }
}

#[tokio::test]
async fn a_store_that_lost_everything_revives_nothing() {
    let modes: [fn(Shaky) -> Generations; 3] =
        [Generations::per_user, Generations::per_session, Generations::monotonic];
    for mode in modes {
        let store = Shaky::new();
        let server = Server::with(mode(store.clone()));
        let (mut ended, kept) = (logged_in(&server).await, logged_in(&server).await);
        let copy = ended.clone();
        server.visit(&mut ended, async |session| session.log_out_everywhere()).await.unwrap();
        server.clock.advance(Duration::from_secs(60));
        store.wipe();
        for round in ["empty", "in use again"] {
            for old in [&copy, &kept] {
                assert!(!is_accepted(&server, old).await, "the store is {round}");
            }
            assert!(is_accepted(&server, &logged_in(&server).await).await);
            server.clock.advance(Duration::from_secs(60));
        }
    }
}

#[tokio::test]
async fn a_store_that_is_set_back_logs_out() {
    let store = Shaky::new();
    let server = Server::with(Generations::per_session(store.clone()));
    let mut browser = logged_in(&server).await;
    server.visit(&mut browser, async |session| session.log_out_elsewhere()).await.unwrap();
    assert!(is_accepted(&server, &browser).await);
    // The backup is from before; the floor is there, the session is not, the user is older.
    store.wipe();
    let yesterday = server.clock.clone();
    yesterday.step_back(Duration::from_secs(3600));
    logged_in(&server).await;
    yesterday.advance(Duration::from_secs(3600));
    assert!(!is_accepted(&server, &browser).await);
}

/// What a store loses is an end that it answered: no session can know. `end_all` is the remedy.
#[tokio::test]
async fn a_raise_that_the_store_lost_is_undone_until_all_are_ended() {
    let modes: [fn(Shaky) -> Generations; 2] = [Generations::per_session, Generations::monotonic];
    for mode in modes {
        let store = Shaky::new();
        let server = Server::with(mode(store.clone()));
        let mut browser = logged_in(&server).await;
        let copy = browser.clone();
        store.trouble(Trouble::LosesRaises);
        server.visit(&mut browser, log_out).await.unwrap();
        store.trouble(Trouble::None);
        assert!(is_accepted(&server, &copy).await);
        server.sessions.end_all().await.unwrap();
        assert!(!is_accepted(&server, &copy).await);
        assert!(is_accepted(&server, &logged_in(&server).await).await);
    }
}

#[tokio::test]
async fn without_a_valid_cookie_the_store_is_not_asked() {
    let store = Shaky::new();
    let server = Server::with(Generations::monotonic(store.clone()));
    let browser = logged_in(&server).await;
    let expired = browser.clone();
    server.clock.advance(support::IDLE);
    store.calls();
    for browser in [Browser::new(), Browser::holding("garbage"), expired] {
        server.visit(&mut browser.clone(), read).await.unwrap();
    }
    // Nor by a request that does not ask for its session.
    server.arrive(&logged_in(&server).await);
    store.calls();
    let request = server.arrive(&browser);
    request.commit().await.unwrap();
    assert_eq!(store.calls(), [""; 0]);
}

#[tokio::test]
async fn one_question_answers_for_session_user_and_all() {
    let store = Shaky::new();
    let server = Server::with(Generations::per_session(store.clone()));
    let mut browser = logged_in(&server).await;
    store.calls();
    server.visit(&mut browser, read).await.unwrap();
    assert_eq!(store.calls(), ["read"]);
    server.visit(&mut browser, count).await.unwrap();
    assert_eq!(store.calls(), ["read"], "a save is a matter of the cookie");
}

#[tokio::test]
async fn a_token_of_one_mode_does_not_slip_through_another() {
    let clock = Server::new().clock;
    let keys = cookie_session::KeyRing::new(cookie_session::RootKey::generate().unwrap());
    let store = MemoryStore::new();
    let server = |generations| {
        Server::build(keys.clone(), clock.clone(), |options| options.with_generations(generations))
    };
    let stateless = logged_in(&server(Generations::stateless())).await;
    let per_user = logged_in(&server(Generations::per_user(store.clone()))).await;
    assert!(is_accepted(&server(Generations::stateless()), &per_user).await);
    for stricter in [Generations::per_user(store.clone()), Generations::per_session(store.clone())]
    {
        assert!(!is_accepted(&server(stricter), &stateless).await);
    }
    assert!(!is_accepted(&server(Generations::per_session(store)), &per_user).await);
}

#[tokio::test]
async fn a_comparison_that_was_put_off_is_made_before_a_new_id() {
    const LATE: Duration = Duration::from_secs(10);
    for generations in per_session().into_iter().take(2) {
        let server = Server::with(generations.with_recheck_every(LATE));
        for everywhere in [false, true] {
            let mut browser = logged_in(&server).await;
            let copy = browser.clone();
            match everywhere {
                true => server.sessions.end_user("Ada").await.unwrap(),
                false => server.visit(&mut browser, log_out).await.unwrap(),
            }
            server.clock.advance(LATE / 2);
            let renew = async |session: Session| session.renew();
            let elsewhere = async |session: Session| session.log_out_elsewhere();
            for error in [
                server.visit(&mut copy.clone(), renew).await.unwrap_err(),
                server.visit(&mut copy.clone(), elsewhere).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Conflict);
            }
            server.clock.advance(LATE);
            assert!(!is_accepted(&server, &copy).await);
        }
    }
}

#[tokio::test]
async fn a_renewal_lifts_no_session_over_the_end_of_all() {
    for generations in per_session() {
        let server = Server::with(generations);
        let browser = logged_in(&server).await;
        let request = server.arrive(&browser);
        request.session().await.unwrap().renew().unwrap();
        server.sessions.end_all().await.unwrap();
        assert_eq!(request.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
        assert!(!is_accepted(&server, &browser).await);
    }
}
