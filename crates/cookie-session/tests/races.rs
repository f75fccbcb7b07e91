//! Requests of one session at the same time, and cookies that come twice, with a generation a save.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cookie_session::generation::{Generations, MemoryStore, Resolution};
use cookie_session::{Error, ErrorKind, Flash, ResponseHeaders, Result, Session};
use dogpile_conformance::Subject;
use support::store::{Shaky, Trouble};
use support::{Browser, IDLE, Server, count, read, served};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const GRACE: Duration = Duration::from_secs(30);

fn monotonic() -> Server {
    Server::with(Generations::monotonic(MemoryStore::new()))
}

async fn with_count(server: &Server) -> Browser {
    let mut browser = Browser::new();
    server.visit(&mut browser, count).await.unwrap();
    server.visit(&mut browser, read).await.unwrap();
    browser
}

fn conflict(result: Result<ResponseHeaders>) -> Error {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Conflict, 409));
    error
}

#[tokio::test]
async fn every_cookie_but_the_last_is_refused() {
    let (server, mut browser) = (monotonic(), Browser::new());
    let mut copies = Vec::new();
    for visit in 1..=5 {
        assert_eq!(server.visit(&mut browser, count).await.unwrap(), visit);
        copies.push(browser.clone());
    }
    // The last has come back, and the time for what was under way is over.
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(5));
    server.clock.advance(GRACE + Duration::from_millis(1));
    copies.pop();
    for copy in copies {
        assert_eq!(server.visit(&mut copy.clone(), read).await.unwrap(), None);
    }
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 6);
}

#[tokio::test]
async fn of_two_requests_that_save_one_is_a_conflict_and_the_cookie_is_kept() {
    let server = monotonic();
    let mut browser = with_count(&server).await;
    let (one, two) = (served(&server, &browser).await, served(&server, &browser).await);
    browser.receive(two.commit().await.unwrap().set_cookie());
    conflict(one.commit().await);
    // Made again, with the cookie that the browser has now, it succeeds.
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 3);
}

#[tokio::test]
async fn a_request_that_was_under_way_reads_and_does_not_save() {
    let server = monotonic();
    let mut browser = with_count(&server).await;
    let late = browser.clone();
    server.visit(&mut browser, count).await.unwrap();
    for is_acknowledged in [false, true] {
        let request = server.arrive(&late);
        let session = request.session().await.unwrap();
        assert_eq!(
            session.get::<u64>("count").unwrap(),
            Some(1),
            "acknowledged: {is_acknowledged}"
        );
        // Reading messages and making a form are no reason to fail.
        let _ = session.take_flashes();
        session.csrf_token().unwrap();
        assert!(request.commit().await.unwrap().set_cookie().is_empty());
        conflict(served(&server, &late).await.commit().await);
        assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(2));
    }
    server.clock.advance(GRACE + Duration::from_millis(1));
    assert_eq!(server.visit(&mut late.clone(), read).await.unwrap(), None);
}

#[tokio::test]
async fn a_response_that_never_arrived_locks_nobody_out() {
    let server = monotonic();
    let mut browser = with_count(&server).await;
    // It is saved, and lost on the way.
    let lost = served(&server, &browser).await.commit().await.unwrap();
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
    conflict(served(&server, &browser).await.commit().await);
    server.clock.advance(GRACE + Duration::from_millis(1));
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 2);
    // Whoever found it has found nothing.
    let mut found = Browser::new();
    found.receive(lost.set_cookie());
    server.visit(&mut browser, read).await.unwrap();
    server.clock.advance(GRACE + Duration::from_millis(1));
    assert_eq!(server.visit(&mut found, read).await.unwrap(), None);
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 3);
}

#[tokio::test]
async fn an_answer_of_the_store_that_was_lost_is_like_a_lost_response() {
    let store = Shaky::new();
    let server = Server::with(Generations::monotonic(store.clone()));
    let mut browser = with_count(&server).await;
    let request = served(&server, &browser).await;
    store.trouble(Trouble::LosesAnswers);
    assert_eq!(request.commit().await.unwrap_err().kind(), ErrorKind::Unavailable);
    store.trouble(Trouble::None);
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(1));
    server.clock.advance(GRACE + Duration::from_millis(1));
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 2);
}

#[tokio::test]
async fn a_conflict_is_resolved_by_the_application() {
    for (resolution, expected) in [(Resolution::KeepOurs, 102), (Resolution::KeepTheirs, 2)] {
        let generations =
            Generations::monotonic(MemoryStore::new()).with_on_conflict(move |conflict| {
                assert!(conflict.loaded_generation() < conflict.present_generation());
                let ours = conflict.session().as_map().unwrap();
                let count = ours.get::<u64>("count").unwrap().unwrap();
                ours.insert("count", &(count + 100)).unwrap();
                resolution
            });
        let server = Server::with(generations);
        for is_known_at_once in [false, true] {
            let mut browser = with_count(&server).await;
            let late = browser.clone();
            let early = served(&server, &late).await;
            let before = if is_known_at_once { None } else { Some(served(&server, &late).await) };
            browser.receive(early.commit().await.unwrap().set_cookie());
            let ours = match before {
                Some(request) => request,
                None => served(&server, &late).await,
            };
            browser.receive(ours.commit().await.unwrap().set_cookie());
            assert_eq!(
                server.visit(&mut browser, read).await.unwrap(),
                Some(expected),
                "{resolution:?}"
            );
        }
    }
}

#[tokio::test]
async fn who_comes_too_late_after_a_login_or_logout_does_not_touch_the_cookie() {
    for generations in
        [Generations::per_session(MemoryStore::new()), Generations::monotonic(MemoryStore::new())]
    {
        let server = Server::with(generations);
        let mut browser = with_count(&server).await;
        let late = browser.clone();
        server.visit(&mut browser, async |session| session.log_in("Ada")).await.unwrap();

        let request = server.arrive(&late);
        let session = request.session().await.unwrap();
        assert!(session.is_new());
        session.csrf_token().unwrap();
        assert!(request.commit().await.unwrap().set_cookie().is_empty());
        session.destroy();
        assert!(request.commit().await.unwrap().set_cookie().is_empty());
        conflict(served(&server, &late).await.commit().await);
        // To log in is something else.
        let mut again = late.clone();
        server.visit(&mut again, async |session| session.log_in("Ada")).await.unwrap();
        assert_ne!(again, late);
        // Later it is a stranger with an old cookie.
        server.clock.advance(GRACE + Duration::from_secs(1));
        assert_eq!(server.visit(&mut late.clone(), count).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_logout_wins_over_what_is_saved_at_the_same_time() {
    let server = monotonic();
    let mut browser = with_count(&server).await;
    // It was overtaken, and ends the session all the same.
    let late = server.arrive(&browser);
    let session = late.session().await.unwrap();
    server.visit(&mut browser, count).await.unwrap();
    session.destroy();
    let under_way = served(&server, &browser).await;
    browser.receive(late.commit().await.unwrap().set_cookie());
    assert_eq!(browser, Browser::new());
    conflict(under_way.commit().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_one_saves() {
    let server = monotonic();
    let mut browser = with_count(&server).await;
    let server = Subject::new(server);
    for round in 0..20 {
        let (mut tasks, all_are_served) = (JoinSet::new(), Arc::new(Barrier::new(8)));
        for _ in 0..8 {
            let (server, browser) = (server.clone(), browser.clone());
            let all_are_served = Arc::clone(&all_are_served);
            tasks.spawn(async move {
                let request = served(&server, &browser).await;
                all_are_served.wait().await;
                request.commit().await
            });
        }
        let (saved, refused): (Vec<_>, Vec<_>) =
            tasks.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!((saved.len(), refused.len()), (1, 7), "round {round}");
        refused.into_iter().for_each(|result| drop(conflict(result)));
        browser.receive(saved[0].as_ref().unwrap().set_cookie());
        server.visit(&mut browser, async |_: Session| Ok(())).await.unwrap();
    }
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(21));
}

#[tokio::test]
async fn a_request_that_comes_late_and_is_sealed_anew_ends_the_cookie_before_it() {
    let (server, mut browser) = (monotonic(), Browser::new());
    server.visit(&mut browser, count).await.unwrap();
    let copy = browser.clone();
    server.visit(&mut browser, count).await.unwrap();
    server.clock.advance(IDLE / 10);
    let before = browser.clone();
    assert_eq!(server.visit(&mut browser, read).await.unwrap(), Some(2));
    assert_ne!(browser, before, "it is due");
    assert_eq!(server.visit(&mut copy.clone(), read).await.unwrap(), None);
}

#[tokio::test]
async fn a_token_sealed_for_its_clocks_takes_the_place_of_no_newer_one() {
    let server = monotonic();
    let mut browser = with_count(&server).await;
    server.clock.advance(IDLE / 10);
    let request = server.arrive(&browser);
    read(request.session().await.unwrap()).await.unwrap();
    // Meanwhile another request is answered, with a newer generation.
    server.visit(&mut browser, count).await.unwrap();
    assert!(request.commit().await.unwrap().set_cookie().is_empty());
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 3);
}

#[tokio::test]
async fn messages_that_two_requests_take_are_no_conflict() {
    let server = monotonic();
    let mut browser = with_count(&server).await;
    let flash = async |session: Session| session.flash(Flash::new("info", "saved"));
    server.visit(&mut browser, flash).await.unwrap();
    let (one, two) = (server.arrive(&browser), server.arrive(&browser));
    for request in [&one, &two] {
        assert_eq!(request.session().await.unwrap().take_flashes().len(), 1);
    }
    browser.receive(two.commit().await.unwrap().set_cookie());
    assert!(one.commit().await.unwrap().set_cookie().is_empty());
    assert_eq!(server.visit(&mut browser, count).await.unwrap(), 2);
}
