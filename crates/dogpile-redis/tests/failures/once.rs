//! The example `once`, as its users run it: a process for each call.

use std::process::{Command, Output, Stdio};

use crate::support::programs::example;
use crate::support::{Server, wait_until};

const PLAIN: [&str; 2] = ["--key", "k"];
const FIELD: [&str; 4] = ["--group", "g", "--field", "f"];
/// What a lease of `k` is called, by the kind of lock.
const LOCKS: [(&str, &str); 2] = [("native", "{k}:lease"), ("redis-py", "_lockk")];

fn once(server: &Server, arguments: &[&str]) -> Command {
    let mut command = example("once");
    command.args(["--url", &server.url()]).args(arguments);
    command
}

fn said(output: &Output) -> String {
    let both = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn line(output: &Output) -> (String, String, u64) {
    assert!(output.status.success(), "{}", said(output));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)));
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    assert!(line["ms"].as_f64().unwrap() > 0.0);
    (text("value"), text("outcome"), line["round_trips"].as_u64().unwrap())
}

/// The value, what became of the call, and its round trips.
fn call(server: &Server, arguments: &[&[&str]]) -> (String, String, u64) {
    line(&once(server, &arguments.concat()).output().unwrap())
}

fn expected(value: &str, outcome: &str, trips: u64) -> (String, String, u64) {
    (value.to_owned(), outcome.to_owned(), trips)
}

#[test]
fn in_every_form_it_creates_then_finds() {
    let server = Server::start().unwrap();
    for envelope in ["full", "compact", "raw", "dogpile-cache"] {
        for (place, lock) in [(&PLAIN[..], "native"), (&FIELD, "native"), (&PLAIN, "redis-py")] {
            let form = ["--envelope", envelope, "--lock", lock];
            let first = call(&server, &[place, &form]);
            assert_eq!(first, expected("text", "created", 3), "{place:?} {form:?}");
            let second = call(&server, &[place, &form, &["--value", "no"]]);
            assert_eq!(second, expected("text", "fresh", 1), "{place:?} {form:?}");
            server.ask(&["FLUSHALL"]);
        }
    }
}

#[test]
fn a_stale_value_is_served_while_another_process_creates() {
    let server = Server::start().unwrap();
    for (lock, lease) in LOCKS {
        let form = ["--lock", lock, "--envelope", "dogpile-cache"];
        let old = call(&server, &[&PLAIN, &form, &["--value", "old"]]);
        assert_eq!(old, expected("old", "created", 3));
        let soon = ["--expires-ms", "1"];
        let slow = [&PLAIN[..], &form, &soon, &["--value", "new", "--sleep-ms", "700"]].concat();
        let creator = once(&server, &slow).stdout(Stdio::piped()).spawn().unwrap();
        wait_until("the lease", || (server.ask(&["EXISTS", lease]).number() == 1).then_some(()));
        let meanwhile = call(&server, &[&PLAIN, &form, &soon]);
        assert_eq!(meanwhile, expected("old", "stale", 1), "{lock}");
        let new = line(&creator.wait_with_output().unwrap());
        assert_eq!(new, expected("new", "created", 3), "{lock}");
        assert_eq!(call(&server, &[&PLAIN, &form]), expected("new", "fresh", 1), "{lock}");
        server.ask(&["FLUSHALL"]);
    }
}

#[test]
fn many_processes_make_one_creation() {
    let server = Server::start().unwrap();
    for (place, lock) in [(&PLAIN[..], "native"), (&FIELD, "native"), (&PLAIN, "redis-py")] {
        let arguments = [place, &["--lock", lock, "--sleep-ms", "300"]].concat();
        let children: Vec<_> = (0..6)
            .map(|_| once(&server, &arguments).stdout(Stdio::piped()).spawn().unwrap())
            .collect();
        let lines: Vec<_> =
            children.into_iter().map(|child| line(&child.wait_with_output().unwrap())).collect();
        let count = |wanted| lines.iter().filter(|(_, outcome, _)| outcome == wanted).count();
        assert_eq!(count("created"), 1, "{place:?} {lock}: {lines:?}");
        assert!(count("waited") > 0, "{place:?} {lock}: {lines:?}");
        assert_eq!(count("waited") + count("fresh"), 5, "{place:?} {lock}: {lines:?}");
        assert!(lines.iter().all(|(value, ..)| value == "text"), "{lines:?}");
        server.ask(&["FLUSHALL"]);
    }
}

/// A raw value knows no age, so it has to go when it has expired.
#[test]
fn a_raw_value_goes_when_it_has_expired() {
    let server = Server::start().unwrap();
    for (place, key) in [(&PLAIN[..], "k"), (&FIELD, "g:fields")] {
        let raw = ["--envelope", "raw", "--expires-ms", "100"];
        assert_eq!(call(&server, &[place, &raw]).1, "created", "{key}");
        wait_until(key, || (server.ask(&["EXISTS", key]).number() == 0).then_some(()));
        assert_eq!(call(&server, &[place, &raw]).1, "created", "{key}");
    }
}

#[test]
fn what_is_wrong_is_said_in_a_line() {
    for arguments in [
        &["--sleep-ms", "soon"][..],
        &["--key"],
        &["--key", "k", "--group", "g"],
        &["--key", "k", "--envelope", "brown"],
        &["--key", "k", "--lock", "none"],
        &["--nonsense", "1"],
    ] {
        let output = example("once").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(!said(&output).lines().next().unwrap().is_empty(), "{arguments:?}");
    }
    let nowhere = example("once").args(["--url", "redis://127.0.0.1:1"]).args(PLAIN).output();
    let nowhere = nowhere.unwrap();
    assert_eq!(nowhere.status.code(), Some(1), "{}", said(&nowhere));
    assert_eq!(said(&nowhere).lines().count(), 1, "{}", said(&nowhere));
    let help = example("once").arg("--help").output().unwrap();
    assert!(help.status.success() && said(&help).contains("--expires-ms"));
}
