//! What may go wrong, and what it costs.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::servers::wait_until;

/// Values do not expire by themselves while a test looks.
const LASTING: [&str; 2] = ["--fresh", "86400"];

#[test]
fn a_slow_database_is_asked_once() {
    let app = App::start(&LASTING);
    app.press("database/slow");
    assert_eq!(app.queries_of("teapots", 40), [1; 40]);
    let state = app.state();
    assert_eq!((&state["queries"], &state["products"]["created"]), (&1.into(), &1.into()));
    // Who came last may have come late.
    let served = ["waited", "hits"].map(|how| state["products"][how].as_u64().unwrap());
    assert_eq!(served.iter().sum::<u64>(), 39, "{state}");
    assert!(served[0] > 0);
}

#[test]
fn an_expired_list_is_served_while_the_next_one_is_made() {
    let app = App::start(&LASTING);
    app.list("teapots");
    app.press("database/slow");
    app.press("expire");
    let began = Instant::now();
    let answers = app.queries_of("teapots", 20);
    // The query takes 1.5 s.
    assert!(began.elapsed() > Duration::from_millis(1_200) || answers == [1; 20], "{answers:?}");
    wait_until("the next list", || (app.query_of("teapots") == 2).then_some(()));
    let state = app.state();
    assert_eq!((&state["queries"], &state["products"]["waited"]), (&2.into(), &0.into()));
    assert!(state["products"]["stale"].as_u64().unwrap() >= 1);
}

#[test]
fn a_deleted_list_is_waited_for() {
    let app = App::start(&LASTING);
    app.list("teapots");
    app.press("delete");
    assert_eq!(app.queries_of("teapots", 20), [2; 20]);
    let state = app.state();
    assert_eq!((&state["queries"], &state["products"]["stale"]), (&2.into(), &0.into()));
}

#[test]
fn everything_expires_at_once_and_is_made_once() {
    let app = App::start(&LASTING);
    app.get("/products/teapots");
    app.list("kites");
    app.press("expire-all");
    assert!(!app.state()["states"].as_str().unwrap().contains('f'));
    for category in ["teapots", "kites"] {
        wait_until("the next list", || (app.query_of(category) > 2).then_some(()));
    }
    assert_eq!(app.state()["queries"], 4);
}

#[test]
fn a_broken_database_takes_no_page_away_that_was_cached() {
    let app = App::start(&LASTING);
    app.list("teapots");
    app.get("/products/teapots");
    app.press("database/broken");
    app.press("expire-all");
    for _ in 0..5 {
        assert_eq!(app.queries_of("teapots", 10), [1; 10], "the stale list is served");
        assert!(app.get("/products/teapots").body.contains("data-query=\"1\""));
    }
    wait_until("a failed query", || (app.state()["failures"].as_u64() > Some(0)).then_some(()));
    assert_eq!(app.state()["requests"]["failed"], 0);

    // What was never cached cannot be had, and that is said.
    let answer = app.get("/api/products/kites");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.body.contains("the database is broken"), "{answer:?}");
    let answer = app.get("/products/kites");
    assert_eq!(answer.status, 503);
    assert!(answer.body.starts_with("<!doctype html>"), "{answer:?}");
    assert!(answer.body.contains("the database is broken"), "{answer:?}");
    assert_eq!(app.get("/fragments/products/kites").status, 503);

    app.press("database/mended");
    app.list("kites");
    wait_until("a new list", || (app.query_of("teapots") > 1).then_some(()));
    assert_eq!(app.get("/products/kites").status, 200);
}

#[test]
fn a_killed_node_takes_only_its_own_keys_along() {
    let app = App::start(&LASTING);
    let state = app.state();
    let names: Vec<String> = state["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["kind"] == "products")
        .map(|key| key["name"].as_str().unwrap().split([',', '(', ')']).nth(2).unwrap().to_owned())
        .collect();
    let all = || -> Vec<u64> { names.iter().map(|name| app.query_of(name)).collect() };
    // The keys of lists stand first for each category, before those of its two pages.
    let owners: Vec<usize> = state["owners"].as_str().unwrap()[..names.len() * 3]
        .chars()
        .step_by(3)
        .map(|digit| digit.to_digit(10).unwrap() as usize)
        .collect();
    let mut before = all();
    assert_eq!(all(), before, "everything is cached");

    for (number, node) in ["oak", "elm", "ash", "fir"].into_iter().enumerate() {
        for what in ["kill", "revive"] {
            app.press(&format!("nodes/{node}/{what}"));
            let after = all();
            for (at, name) in names.iter().enumerate() {
                let is_anew = after[at] != before[at];
                assert_eq!(is_anew, owners[at] == number, "{name}, after the {what} of {node}");
            }
            before = after;
        }
    }
}

#[test]
fn the_last_node_stays_and_others_are_unknown() {
    let app = App::start(&LASTING);
    for node in ["oak", "ash", "fir"] {
        app.press(&format!("nodes/{node}/kill"));
    }
    for (what, why) in [
        ("nodes/elm/kill", "the last node has to stay"),
        ("nodes/yew/kill", "there is no node \"yew\""),
        ("nodes/elm/paint", "a node is killed or revived"),
        ("database/gone", "it is slow, quick, broken or mended"),
        ("load/6000", "at most 5000 requests a second"),
    ] {
        let answer = app.client().post(&format!("/dashboard/{what}"), "");
        assert_eq!((answer.status, answer.body.trim_end()), (409, why), "{what}");
    }
    let answer = app.client().post("/dashboard/expire", "");
    assert_eq!(answer.status, 409, "nothing is cached yet: {answer:?}");
    assert_eq!(app.query_of("teapots"), 1);
    assert!(app.state()["owners"].as_str().unwrap().chars().all(|owner| owner == '1'));
}

#[test]
fn it_drives_itself() {
    let app = App::start(&["--load", "200"]);
    let done = |at_least: u64| {
        wait_until("requests", || {
            let done = app.state()["requests"]["done"].as_u64().unwrap();
            (done >= at_least).then_some(done)
        })
    };
    done(200);
    let state = app.state();
    assert_eq!(state["requests"]["failed"], 0);
    let queries = state["queries"].as_u64().unwrap();
    assert!(queries < 60, "24 lists, and what expired: {state}");
    app.press("load/0");
}
