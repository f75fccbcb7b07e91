//! The shop and its dashboard in a browser.

use serde_json::Value;

use crate::app::App;
use crate::servers::wait_until;
use crate::webdriver::Browser;

#[test]
fn a_visitor_buys_and_leaves() {
    let Some(browser) = Browser::start() else { return };
    let app = App::start(&[]);
    browser.go(&format!("http://{}/live/products/teapots", app.address));
    // The fourth view says what the first does.
    let list = app.list("teapots");
    let names = || {
        browser.run("return [...document.querySelectorAll('.grid strong')].map(e => e.textContent)")
    };
    let wanted: Value = list["products"]
        .as_array()
        .unwrap()
        .iter()
        .map(|product| product["name"].clone())
        .collect();
    wait_until("the list", || (names() == wanted).then_some(()));
    assert_eq!(browser.text(".query"), Some(list["query"].to_string()));

    browser.type_into("#user-name", "Ada & <Grace>");
    browser.follow("#login");
    assert_eq!(browser.text("#user").as_deref(), Some("Ada & <Grace>"));
    assert_eq!(browser.text(".message").as_deref(), Some("Welcome, Ada & <Grace>."));
    browser.go(&format!("http://{}/products/teapots", app.address));
    assert_eq!(names(), wanted);
    browser.follow(".grid button");
    assert_eq!(browser.text("#basket").as_deref(), Some("1"));
    assert_eq!(browser.text("h1").as_deref(), Some("Teapots"), "back on the page of the button");

    let copy = browser.cookies().remove(0);
    browser.follow("#everywhere");
    assert_eq!(browser.text("#user"), None);
    browser.set_cookie(&copy);
    browser.reload();
    assert_eq!(browser.text("#user"), None, "a copy of the cookie is worth nothing");
}

#[test]
fn the_dashboard_shows_what_happens() {
    let Some(browser) = Browser::start_sized(1280, 880) else { return };
    let app = App::start(&["--fresh", "3600"]);
    browser.go(&format!("http://{}/dashboard", app.address));
    let shows = |what: &str, script: &str| {
        wait_until(what, || (browser.run(script) == true).then_some(()));
    };
    let pressed = |selector: &str| {
        format!("return document.querySelector('{selector}').ariaPressed === 'true'")
    };
    let story = |words: &str| {
        format!("return document.querySelector('#story').textContent.includes('{words}')")
    };

    browser.click("[data-load='300']");
    shows("the load", &pressed("[data-load=\"300\"]"));
    shows(
        "requests",
        "return parseInt(document.querySelector('#tile-requests').textContent) > 100",
    );
    shows(
        "the plot of requests",
        "return document.querySelectorAll('.line.requests, .area.requests').length === 2",
    );
    let path = || browser.run("return document.querySelector('.line.requests').getAttribute('d')");
    let before = path();
    wait_until("the plot to change", || (path() != before).then_some(()));
    shows("the keys", "return document.querySelectorAll('.dot.is-fresh').length > 100");

    browser.click("#slow");
    shows("the switch", &pressed("#slow"));
    browser.click("#expire");
    shows(
        "stale answers",
        "return parseInt(document.querySelector('#tile-stale').textContent) > 0",
    );
    shows(
        "stale answers in the plot",
        "return document.querySelectorAll('.area.stale').length === 1",
    );
    shows("the story", &story("teapots expired"));
    browser.click("#slow");
    browser.click("#delete");
    shows("the next story", &story("teapots deleted"));
    shows("who waited", "return document.querySelectorAll('.area.waited').length === 1");

    browser.click("#node-elm");
    shows("the dead node", "return document.querySelectorAll('.arc.is-down').length > 5");
    shows("the story of the node", &story("elm killed"));
    shows("where keys went", "return document.querySelectorAll('.dot.node-1').length === 0");
    browser.click("#node-elm");
    shows("the node", "return document.querySelectorAll('.arc.is-down').length === 0");

    // A list that is missing while the database is broken cannot be had.
    shows("all lists", "return document.querySelectorAll('.dot.is-missing[r=\"5\"]').length === 0");
    browser.click("#break");
    shows("the switch", &pressed("#break"));
    browser.click("#expire-all");
    shows("failed queries", "return document.querySelectorAll('.bar.failed').length > 0");
    browser.click("#break");
    shows("the end of it", "return document.querySelector('#break').ariaPressed === 'false'");
    assert_eq!(app.state()["requests"]["failed"], 0, "and nobody noticed");

    let unnamed = "return [...document.querySelectorAll('button')]
        .filter(button => !button.textContent.trim() && !button.ariaLabel).length";
    assert_eq!(browser.run(unnamed), 0);
    drop(app);
    shows("that the demo has ended", "return !document.querySelector('#lost').hidden");
}
