//! Steps: each with a heading and its duration, all in a table at the end.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::shell::Tally;
use crate::workspace::Workspace;

/// One step of the gate.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// Whether the quick gate runs it.
    pub(crate) quick: bool,
    pub(crate) run: fn(&mut Gate<'_>) -> Result<Outcome>,
}

/// How a step ended, if it did not fail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    /// It passed, and somebody should read this.
    Warned(String),
    /// It had nothing to do, or not what it needs.
    Skipped(String),
}

/// What the steps share.
pub(crate) struct Gate<'w> {
    pub(crate) workspace: &'w Workspace,
    pub(crate) quick: bool,
    pub(crate) tests: Tally,
}

struct Report {
    name: &'static str,
    took: Duration,
    result: Result<Outcome>,
}

/// Runs the steps, all of them even if one fails, and prints the table. Whether all passed. `only` is
/// the command that runs the step whose name follows.
pub(crate) fn run(steps: &[&Step], gate: &mut Gate<'_>, only: &str) -> bool {
    let started = Instant::now();
    let mut reports = Vec::new();
    for step in steps {
        println!("\n{}", bold(&format!("== {}: {}", step.name, step.help)));
        let started = Instant::now();
        let result = (step.run)(gate);
        let report = Report { name: step.name, took: started.elapsed(), result };
        println!("{}", line(&report, 0));
        reports.push(report);
    }

    println!("\n{}", bold("== summary"));
    let width = reports.iter().map(|report| report.name.len()).max().unwrap_or(0);
    for report in &reports {
        println!("{}", line(report, width));
    }
    println!("{:width$}  {:>7}", "all", seconds(started.elapsed()));
    let failed: Vec<&Report> = reports.iter().filter(|report| report.result.is_err()).collect();
    if !failed.is_empty() {
        println!("\nEach failed step alone:");
    }
    for report in &failed {
        println!("  {only} {}", report.name);
    }
    println!("\n{} passed, {} failed", gate.tests.passed, gate.tests.failed);
    failed.is_empty() && gate.tests.failed == 0
}

fn line(report: &Report, width: usize) -> String {
    let (mark, said) = match &report.result {
        Ok(Outcome::Passed) => ("ok", String::new()),
        Ok(Outcome::Warned(what)) => ("warning", format!(": {what}")),
        Ok(Outcome::Skipped(why)) => ("skipped", format!(": {why}")),
        Err(error) => ("FAILED", format!(": {error:#}")),
    };
    format!("{:width$}  {:>7}  {mark}{said}", report.name, seconds(report.took))
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\u{1b}[1m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn step(run: fn(&mut Gate<'_>) -> Result<Outcome>) -> Step {
        Step { name: "step", help: "a step of a test", quick: false, run }
    }

    fn all_pass(steps: &[&Step]) -> bool {
        let workspace = Workspace::default();
        let mut gate = Gate { workspace: &workspace, quick: false, tests: Tally::default() };
        run(steps, &mut gate, "again")
    }

    #[test]
    fn warnings_and_skips_pass_and_errors_do_not() {
        let good = step(|_| Ok(Outcome::Passed));
        let warned = step(|_| Ok(Outcome::Warned("look".to_owned())));
        let skipped = step(|_| Ok(Outcome::Skipped("nothing to do".to_owned())));
        let bad = step(|_| bail!("no"));
        assert!(all_pass(&[&good, &warned, &skipped]));
        assert!(!all_pass(&[&good, &bad, &good]));
    }

    #[test]
    fn a_failed_test_fails_the_gate_whatever_its_step_says() {
        let lying = step(|gate| {
            gate.tests.failed += 1;
            Ok(Outcome::Passed)
        });
        assert!(!all_pass(&[&lying]));
    }
}
