//! One function, shown in four ways.

use crate::app::App;

const VIEWS: [&str; 4] = ["/api/products", "/products", "/fragments/products", "/live/products"];

#[test]
fn four_routes_show_what_one_function_answers() {
    let app = App::start(&["--fresh", "3600"]);
    let list = app.list("teapots");
    let page = app.get("/products/teapots").body;
    let fragment = app.get("/fragments/products/teapots").body;
    let live = app.get("/live/products/teapots").body.replace("&#x2f;", "/");

    assert_eq!(list["products"].as_array().unwrap().len(), 8);
    for product in list["products"].as_array().unwrap() {
        let cents = product["price"].as_u64().unwrap();
        let price = format!("€ {}.{:02}", cents / 100, cents % 100);
        for text in [product["name"].as_str().unwrap(), &price] {
            assert!(page.contains(text) && fragment.contains(text), "{text}");
        }
    }
    let query = format!("data-query=\"{}\"", list["query"]);
    assert!(page.contains(&query) && fragment.contains(&query));
    assert!(page.contains(&fragment), "the page holds what the fragment is");
    assert!(page.starts_with("<!doctype html>") && fragment.starts_with("<ul"));
    // The fourth is rendered by the browser, from the first.
    assert!(live.contains("data-from=\"/api/products/teapots\"") && !live.contains("data-query"));
    assert_eq!(app.state()["queries"], 1, "of the database, one was made for all of them");
}

#[test]
fn fragments_are_cached_under_the_template_engine() {
    let app = App::start(&["--fresh", "3600"]);
    for view in ["/products", "/fragments/products"] {
        assert_eq!(app.get(&format!("{view}/kites")).status, 200);
        let fragments = &app.state()["fragments"];
        assert_eq!(fragments["created"], 8, "a card for each product, once: {fragments}");
    }
    assert_eq!(app.state()["fragments"]["hits"], 8, "the second view found them");
}

#[test]
fn what_there_is_not_is_not_asked_for() {
    let app = App::start(&[]);
    for view in VIEWS {
        for name in ["unicorns", "Teapots", "%00", "teapots%2F..", "..%2f..%2fetc"] {
            assert_eq!(app.get(&format!("{view}/{name}")).status, 404, "{view}/{name}");
        }
    }
    assert_eq!(app.get("/nowhere").status, 404);
    assert_eq!(app.state()["queries"], 0);
}

#[test]
fn keys_lie_where_the_ring_says() {
    let app = App::start(&["--fresh", "3600"]);
    app.list("teapots");
    app.get("/products/teapots");
    let state = app.state();
    let (keys, owners) = (state["keys"].as_array().unwrap(), state["owners"].as_str().unwrap());
    assert_eq!(keys.len(), 24 * 3 + 24 * 8);
    for (key, owner) in keys.iter().zip(owners.chars()) {
        let turn = key["turn"].as_f64().unwrap();
        let mut arcs = state["arcs"].as_array().unwrap().iter();
        let arc = arcs.rfind(|arc| arc[0].as_f64().unwrap() <= turn).unwrap();
        assert_eq!(arc[2].as_u64(), owner.to_digit(10).map(u64::from), "{key}");
    }
    let fresh = state["states"].as_str().unwrap().matches('f').count();
    assert_eq!(fresh, 1 + 1 + 8, "a list, a page, and its cards: {state}");
}
