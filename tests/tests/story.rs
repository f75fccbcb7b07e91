//! The numbers of docs/story.md are those that come out when the story is lived through.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use serde_json::Value;

/// The page tells of 1,000 products. Products have nothing to do with each other, so a 50th of them
/// makes a 50th of every number, exactly.
const PRODUCTS: u64 = 20;
const SCALE: u64 = 50;

/// The rows of the page's table: what a stage is called, and its numbers.
fn told() -> BTreeMap<String, Vec<u64>> {
    let page = support::read("docs/story.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| **")?.split_once("** |"));
    rows.map(|(stage, numbers)| {
        let number = |cell: &str| cell.trim().replace(',', "").parse().unwrap();
        (stage.to_owned(), numbers.trim_end_matches([' ', '|']).split('|').map(number).collect())
    })
    .collect()
}

#[test]
fn the_numbers_on_the_page_are_those_of_a_run() {
    let output = support::example("tests", "story")
        .args(["--json", "--products", &PRODUCTS.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stages: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let (told, chart) = (told(), support::read("docs/story.svg"));
    let minute = |calls: &Value| (calls.as_u64().unwrap() * SCALE).to_string();
    for stage in &stages {
        let name = stage["stage"].as_str().unwrap();
        assert_eq!(stage["requests"].as_u64().unwrap() * SCALE, 3_000_000, "{name}");
        let lived = ["queries", "waited", "waited_long", "failed"]
            .map(|number| stage[number].as_u64().unwrap() * SCALE);
        let told = told.get(name).unwrap_or_else(|| panic!("the page says nothing of `{name}`"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(*told, lived, "{name}: what the page says, and what was counted\n{said}");

        let minutes: Vec<String> =
            stage["minutes"].as_array().unwrap().iter().map(minute).collect();
        let drawn = format!("{name}: {}.", minutes.join(" "));
        assert!(name.contains("Redis") || chart.contains(&drawn), "the chart does not say {drawn}");
    }
    let without_server = String::from_utf8_lossy(&output.stderr).contains("left out");
    if without_server {
        println!("skipped: without redis-server, its row is not checked");
    }
    assert_eq!(told.len(), stages.len() + usize::from(without_server));
}

#[test]
fn bad_input_is_one_clear_line_and_exit_code_2() {
    for (arguments, says) in [
        (&["--products", "0"][..], "takes a whole number from 1"),
        (&["--products"], "takes a whole number from 1"),
        (&["--rounds", "2"], "there is no option --rounds"),
        (&["--chart"], "--chart takes the file"),
    ] {
        let output = support::example("tests", "story").args(arguments).output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(line.contains(says) && line.lines().count() == 1, "{line}");
    }
}
