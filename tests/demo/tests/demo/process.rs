//! The program: its arguments, its port, its end.

use std::net::TcpListener;
use std::process::Output;

use crate::app::{App, command};
use crate::servers::wait_until;

fn run(arguments: &[&str]) -> (Output, String) {
    let output = command().args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
}

#[test]
fn a_wrong_argument_is_told_in_one_line() {
    for (arguments, why) in [
        (&["--port"][..], "demo: --port needs a value; see --help\n"),
        (&["--load", "-1"], "demo: --load takes a whole number from 0 to 5000, not \"-1\"\n"),
        (&["--colour"], "demo: there is no option --colour; see --help\n"),
    ] {
        let (output, said) = run(arguments);
        assert_eq!((output.status.code(), said.as_str()), (Some(2), why));
    }
    let (output, said) = run(&["--help"]);
    assert!(output.status.success() && said.is_empty());
    for option in ["--port", "--load", "--fresh", "--redis", "--memcached"] {
        assert!(String::from_utf8_lossy(&output.stdout).contains(option), "{option}");
    }
}

#[test]
fn what_it_cannot_have_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (output, said) = run(&["--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&port) && said.contains("--port"), "{said}");

    for (option, url, example) in [
        ("--redis", "redis://127.0.0.1:1", ""),
        ("--redis", "nonsense", "redis://"),
        ("--memcached", "memcached://127.0.0.1:1", ""),
        ("--memcached", "nonsense://", "memcached://"),
    ] {
        let (output, said) = run(&["--port", "0", option, url]);
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(example), "{said}");
    }
}

#[test]
fn the_next_free_port_is_taken() {
    let [first, second] = [(); 2].map(|()| {
        let app = App::start_by_itself();
        let port: u16 = app.address.rsplit(':').next().unwrap().parse().unwrap();
        (app, port)
    });
    assert!((3_000..3_100).contains(&first.1) && second.1 > first.1, "{} {}", first.1, second.1);
    assert_eq!(first.0.get("/").status, 200);
}

#[cfg(unix)]
#[test]
fn it_ends_when_it_is_told_to_and_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let mut app = App::start(&["--load", "100"]);
        app.press("database/slow");
        wait_until("requests", || (app.state()["requests"]["done"] != 0).then_some(()));
        assert_eq!(app.left_behind().len(), 2, "the database, and the nodes in files");
        app.process.signal(signal);
        wait_until("its end", || (!app.process.is_running()).then_some(()));
        assert_eq!(app.left_behind(), [""; 0]);
    }
}
