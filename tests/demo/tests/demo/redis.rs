//! The cache on a server, shared by two processes of the demo.

use std::thread;

use crate::app::App;
use crate::servers::{Kind, Options};

#[test]
fn two_processes_share_a_cache_and_elect_one_creator() {
    let Some(server) = Options::new(Kind::Redis).start() else { return };
    let url = server.url();
    let arguments = ["--fresh", "3600", "--redis", &url];
    let [one, other] = [(); 2].map(|()| App::start(&arguments));
    for app in [&one, &other] {
        app.press("database/slow");
    }
    let answers = thread::scope(|scope| {
        let asked = [&one, &other].map(|app| scope.spawn(|| app.queries_of("teapots", 10)));
        asked.map(|asked| asked.join().unwrap())
    });
    assert_eq!(answers, [[1; 10], [1; 10]]);
    let queries = [&one, &other].map(|app| app.state()["queries"].as_u64().unwrap());
    assert_eq!(queries[0] + queries[1], 1, "of both together, one asked the database");

    for app in [&one, &other] {
        app.press("database/quick");
    }
    one.get("/products/kites");
    let before = other.state()["queries"].clone();
    assert!(other.get("/products/kites").body.contains("kite"));
    assert_eq!(other.state()["queries"], before, "what one has made, the other finds");
    assert!(other.state()["nodes"].as_array().unwrap().iter().all(|node| node["kind"] == "redis"));
}

#[test]
fn without_its_server_the_shop_goes_on() {
    let Some(server) = Options::new(Kind::Redis).start() else { return };
    let app = App::start(&["--redis", &server.url()]);
    app.list("teapots");
    server.kill();
    let query = app.query_of("teapots");
    assert!(query > 1 && app.query_of("teapots") > query, "nothing is cached, and all is answered");
    assert_eq!(app.get("/products/kites").status, 200);
    assert_eq!(app.get("/dashboard").status, 200);
}
