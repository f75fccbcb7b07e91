//! `axum_login` in a browser.

use std::thread::sleep;
use std::time::Duration;

use crate::app::{App, Framework};
use crate::webdriver::Browser;

#[test]
fn login_reload_and_logout() {
    let Some(browser) = Browser::start() else { return };
    let app = App::start(Framework::Axum, &["--mode", "per-session"]);
    browser.go(&app.url("/"));
    assert_eq!(browser.title(), "cookie-session");
    assert!(browser.cookies().is_empty());
    assert_eq!(browser.text("#user"), None);

    log_in(&browser, "Ada & <Grace>");
    assert_eq!(browser.text(".message").as_deref(), Some("Welcome, Ada & <Grace>."));
    assert_eq!(browser.text("#user").as_deref(), Some("Ada & <Grace>"));
    assert_eq!(browser.run("return document.cookie"), "", "no script reads the session");
    let cookie = browser.cookies().remove(0);
    assert_eq!(
        (&cookie["httpOnly"], &cookie["sameSite"], &cookie["path"]),
        (&true.into(), &"Lax".into(), &"/".into())
    );
    assert!(cookie.get("expiry").is_none(), "it goes with the browser");

    browser.reload();
    assert_eq!(browser.text("#user").as_deref(), Some("Ada & <Grace>"));
    assert_eq!(browser.text(".message"), None);
    browser.follow("#add");
    browser.follow("#add");
    browser.reload();
    assert_eq!(browser.text("#count").as_deref(), Some("2"));

    let old = browser.cookies().remove(0);
    browser.follow("#logout");
    assert_eq!(browser.text("#user"), None);
    assert!(browser.cookies().is_empty());

    // A copy of the cookie is worth nothing any more.
    browser.set_cookie(&old);
    browser.reload();
    assert_eq!(browser.text("#user"), None);
    assert_eq!(browser.text("#count").as_deref(), Some("0"));
}

#[test]
fn two_tabs_are_one_session() {
    let Some(browser) = Browser::start() else { return };
    let app = App::start(Framework::Axum, &["--mode", "monotonic"]);
    let left = browser.tab();
    browser.go(&app.url("/"));
    let right = browser.open_tab();
    browser.go(&app.url("/"));
    log_in(&browser, "Ada");

    browser.switch_to(&left);
    browser.reload();
    assert_eq!(browser.text("#user").as_deref(), Some("Ada"));
    for count in ["1", "2", "3", "4"] {
        browser.follow("#add");
        assert_eq!(browser.text("#count").as_deref(), Some(count), "none is lost");
        browser.switch_to(if browser.tab() == left { &right } else { &left });
    }

    browser.follow("#logout");
    browser.switch_to(&right);
    browser.reload();
    assert_eq!(browser.text("#user"), None);
}

#[test]
fn many_requests_at_once_do_not_log_a_page_out() {
    let Some(browser) = Browser::start() else { return };
    let app = App::start(Framework::Axum, &["--mode", "monotonic"]);
    browser.go(&app.url("/"));
    log_in(&browser, "Ada");
    let script = "
        const one = () => fetch('/count', { method: 'POST', redirect: 'manual' });
        return Promise.all(Array.from({ length: 12 }, one)).then(all => all.map(each => each.status))";
    let statuses = browser.run(script);
    let statuses: Vec<u64> =
        statuses.as_array().unwrap().iter().map(|status| status.as_u64().unwrap()).collect();
    // A redirect that is not followed has no status for a script.
    let saved = statuses.iter().filter(|&&status| status == 0).count();
    assert_eq!(
        statuses.iter().filter(|&&status| status == 409).count(),
        statuses.len() - saved,
        "{statuses:?}"
    );
    browser.reload();
    assert_eq!(browser.text("#user").as_deref(), Some("Ada"));
    assert_eq!(browser.text("#count"), Some(saved.to_string()), "each knows whether it counted");
}

#[test]
fn an_idle_session_ends() {
    let Some(browser) = Browser::start() else { return };
    let app = App::start(Framework::Axum, &["--idle", "2"]);
    browser.go(&app.url("/"));
    log_in(&browser, "Ada");
    assert_eq!(browser.cookies().len(), 1);
    // By the clock on the wall: nothing of a process can be waited for.
    sleep(Duration::from_millis(2_100));
    browser.reload();
    assert_eq!(browser.text("#user"), None);
}

#[test]
fn a_form_is_sent_by_its_own_page_only() {
    let Some(browser) = Browser::start() else { return };
    let app = App::start(Framework::Axum, &[]);
    browser.go(&app.url("/"));
    log_in(&browser, "Ada");
    browser.type_into("#note", "mine");
    browser.follow("#keep");
    assert_eq!(browser.text(".message").as_deref(), Some("The note is kept."));

    // A page that was built by somebody else does not know the token.
    browser.run("document.querySelector('[name=csrf_token]').value = 'guessed'");
    browser.type_into("#note", " and yours");
    browser.follow("#keep");
    assert_eq!(browser.text("body").as_deref(), Some("reload the page and send the form again"));
    browser.go(&app.url("/"));
    assert_eq!(browser.run("return document.querySelector('#note').value"), "mine");
    if let Some(file) = std::env::var_os("COOKIE_SESSION_SCREENSHOT") {
        std::fs::write(file, browser.screenshot()).unwrap();
    }
}

fn log_in(browser: &Browser, user: &str) {
    browser.type_into("#user-name", user);
    browser.follow("#login");
}
