//! The cache on servers, shared by two processes of the demo.

use std::net::TcpStream;
use std::process::Command;
use std::thread;

use crate::app::App;
use crate::servers::process::{Process, free_port};
use crate::servers::{Folder, Kind, Options, wait_until};

#[test]
fn two_processes_share_redis_and_elect_one_creator() {
    let Some(server) = Options::new(Kind::Redis).start() else { return };
    two_processes_share("redis", &server.url());
}

#[test]
fn two_processes_share_memcached_and_elect_one_creator() {
    let Some((_process, url)) = memcached() else { return };
    two_processes_share("memcached", &url);
}

fn two_processes_share(kind: &str, url: &str) {
    let arguments = ["--fresh", "3600", &format!("--{kind}"), url];
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

    // A node goes with its keys, for both.
    for app in [&one, &other] {
        assert!(app.state()["nodes"].as_array().unwrap().iter().all(|node| node["kind"] == kind));
        for node in ["oak", "elm", "ash"] {
            app.press(&format!("nodes/{node}/kill"));
        }
        assert!(app.state()["owners"].as_str().unwrap().chars().all(|owner| owner == '3'));
        assert!(app.list("kites")["products"].is_array());
    }
}

#[test]
fn without_redis_the_shop_goes_on() {
    let Some(server) = Options::new(Kind::Redis).start() else { return };
    let app = App::start(&["--redis", &server.url()]);
    app.list("teapots");
    server.kill();
    goes_on(&app);
}

#[test]
fn without_memcached_the_shop_goes_on() {
    let Some((process, url)) = memcached() else { return };
    let app = App::start(&["--memcached", &url]);
    app.list("teapots");
    drop(process);
    goes_on(&app);
}

fn goes_on(app: &App) {
    let query = app.query_of("teapots");
    assert!(query > 1 && app.query_of("teapots") > query, "nothing is cached, and all is answered");
    assert_eq!(app.get("/products/teapots").status, 200);
    assert_eq!(app.get("/dashboard").status, 200);
}

/// A server and its address; `None` where there is none, which is said.
fn memcached() -> Option<(Process, String)> {
    if Command::new("memcached").arg("-V").output().is_err() {
        eprintln!("skipped: there is no memcached on the path");
        return None;
    }
    let folder = Folder::new();
    let port = free_port();
    let mut command = Command::new("memcached");
    // The user is taken by root only, who has to name one.
    command.args(["-l", "127.0.0.1", "-U", "0", "-u", "nobody", "-p", &port.to_string()]);
    let mut process = Process::start(&mut command, folder.path());
    wait_until("memcached", || {
        assert!(process.is_running(), "memcached ended: {command:?}");
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    Some((process, format!("memcached://127.0.0.1:{port}")))
}
