//! What the README shows is what somebody sees who copies it.

use std::io::Write as _;
use std::process::{Command, Output};

use crate::app::{App, example};

const README: &str = include_str!("../../README.md");

/// The blocks of code in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&*fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The commands that talk to the login.
fn commands() -> Vec<&'static str> {
    blocks("sh").into_iter().flat_map(str::lines).filter(|line| line.starts_with("curl ")).collect()
}

#[test]
fn what_is_shown_is_all_there_is() {
    for block in [blocks("rust"), blocks("rust,no_run")].concat() {
        let hidden = block.lines().find(|line| *line == "#" || line.starts_with("# "));
        assert_eq!(
            hidden, None,
            "who copies this from a page that hides nothing cannot compile it"
        );
    }
}

#[test]
fn the_example_is_the_program() {
    let (_, program) = include_str!("../../examples/readme_login.rs").split_once("\n\n").unwrap();
    let shown = blocks("rust,no_run")[0];
    let bind = r#"tokio::net::TcpListener::bind("127.0.0.1:8080")"#;
    assert_eq!(shown.matches(bind).count(), 1);
    assert!(program.starts_with(&shown.replace(bind, "listen()")), "{program}");
}

#[test]
fn the_login_answers_what_the_commands_say() {
    if Command::new("curl").arg("--version").output().is_err() {
        // Not `eprintln`, which the harness swallows in tests that pass.
        std::io::stderr().write_all(b"skipped: there is no curl\n").unwrap();
        return;
    }
    let app = App::run(&mut example("readme_login"));
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for line in commands() {
        let (command, says) = line.split_once('#').unwrap_or((line, ""));
        assert_eq!(command.matches("localhost:8080").count(), 1, "{line}");
        let command = command.replace("localhost:8080", &app.address);
        let Output { stdout, status, .. } = Command::new("sh")
            .args(["-c", &format!("{command} --silent --show-error --fail")])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(status.success(), "{command}");
        if says.starts_with(" Visit") {
            assert_eq!(String::from_utf8(stdout).unwrap(), says.trim(), "{line}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2, "{:?}", commands());
}

#[test]
fn the_example_of_a_store_logs_out() {
    let Output { stdout, status, .. } = example("sqlite").output().unwrap();
    assert!(status.success());
    let said = String::from_utf8(stdout).unwrap();
    let [first, rest @ ..] = &said.lines().collect::<Vec<_>>()[..] else { panic!("it is silent") };
    assert!(first.starts_with("logged in, with a cookie of "), "{first}");
    assert_eq!(
        rest,
        [
            "with that cookie comes Some(\"Ada\")",
            "after the logout comes None, though the cookie is the same",
        ]
    );
}
