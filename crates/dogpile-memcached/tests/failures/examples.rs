//! The examples, as their users run them.

use std::process::{Command, Output, Stdio};

use crate::support::{Server, example};

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn once(servers: &str, arguments: &[&str]) -> Command {
    let mut command = example("once");
    command.args(["--servers", servers]).args(arguments);
    command
}

fn line(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", text(output));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

#[test]
fn once_creates_then_finds() {
    let server = Server::start();
    let arguments = ["--key", "page", "--value", "text"];
    let first = line(&once(&server.name(), &arguments).output().unwrap());
    assert_eq!((&first["value"], &first["outcome"]), (&"text".into(), &"created".into()));
    assert_eq!(first["round_trips"], 2, "the question and the fill");
    let second = line(&once(&server.name(), &["--key", "page", "--value", "no"]).output().unwrap());
    assert_eq!((&second["value"], &second["outcome"]), (&"text".into(), &"fresh".into()));
    assert_eq!(second["round_trips"], 1);
    assert!(second["ms"].as_f64().unwrap() < 1_000.0);
}

#[test]
fn once_many_times_is_one_creation() {
    let servers: Vec<Server> = (0..3).map(|_| Server::start()).collect();
    let names = servers.iter().map(Server::name).collect::<Vec<_>>().join(",");
    let arguments = ["--group", "g", "--field", "f", "--sleep-ms", "300"];
    let children: Vec<_> =
        (0..6).map(|_| once(&names, &arguments).stdout(Stdio::piped()).spawn().unwrap()).collect();
    let lines: Vec<_> =
        children.into_iter().map(|child| line(&child.wait_with_output().unwrap())).collect();
    let count = |outcome: &str| lines.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!(count("created"), 1, "{lines:?}");
    assert_eq!(count("created") + count("waited") + count("fresh"), 6, "{lines:?}");
    assert!(lines.iter().all(|line| line["value"] == "text"));
    let items: u64 = servers.iter().map(|server| server.stat("curr_items")).sum();
    assert_eq!(items, 1, "on one of the three");
}

#[cfg(feature = "classic")]
#[test]
fn once_by_the_classic_protocol_is_one_creation_too() {
    let server = Server::start();
    let arguments = ["--key", "k", "--sleep-ms", "300", "--protocol", "classic"];
    let children: Vec<_> = (0..4)
        .map(|_| once(&server.name(), &arguments).stdout(Stdio::piped()).spawn().unwrap())
        .collect();
    let lines: Vec<_> =
        children.into_iter().map(|child| line(&child.wait_with_output().unwrap())).collect();
    let created = lines.iter().filter(|line| line["outcome"] == "created").count();
    assert_eq!(created, 1, "{lines:?}");
}

#[test]
fn fleet_survives_its_own_demonstration() {
    let output = example("fleet").output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for said in ["killed", "started again", "0 wrong"] {
        assert!(text.contains(said), "no {said:?} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours but on a terminal");
}

#[test]
fn large_values_tells_its_story() {
    let output = example("large_values").output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for said in ["TooLarge", "compressed", "split", "missing", "read back whole"] {
        assert!(text.contains(said), "no {said:?} in {text}");
    }
}

#[test]
fn what_is_wrong_is_said_in_a_line() {
    for (name, arguments) in [
        ("once", &["--sleep-ms", "soon"][..]),
        ("once", &["--key"]),
        ("once", &["--key", "k", "--group", "g"]),
        ("once", &["--nonsense", "1"]),
        ("fleet", &["--keys", "many"]),
        ("fleet", &["--nonsense"]),
        ("large_values", &["--nonsense"]),
    ] {
        let output = example(name).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name} {arguments:?}: {}", text(&output));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!error.lines().next().unwrap().is_empty(), "{name} {arguments:?}");
    }
    let nowhere = once("127.0.0.1:1", &["--key", "k"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1), "{}", text(&nowhere));
    assert_eq!(text(&nowhere).lines().count(), 1, "{}", text(&nowhere));
    for name in ["once", "fleet", "large_values"] {
        let help = example(name).arg("--help").output().unwrap();
        assert!(help.status.success() && !help.stdout.is_empty());
    }
}
