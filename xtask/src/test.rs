//! `cargo xtask test`: the gate.

use anyhow::Result;

use crate::shell;
use crate::steps::{self, Gate, Outcome, Step};
use crate::workspace::Workspace;
use crate::{Ending, arrows, deny, extras, features, msrv, package, servers, tidy, tools};

const STEPS: &[Step] = &[
    Step {
        name: "servers",
        help: "the servers that tests start are installed",
        quick: false,
        run: |gate| servers::install(gate.workspace),
    },
    Step {
        name: "extras",
        help: "what tests use where it can be had: Python packages, newer servers, a browser",
        quick: false,
        run: |gate| extras::install(gate.workspace),
    },
    Step { name: "format", help: "every file is as rustfmt writes it", quick: true, run: format },
    Step {
        name: "tidy",
        help: "the files every crate has, file sizes, facts that stand in two places",
        quick: true,
        run: |gate| tidy::check(gate.workspace),
    },
    Step {
        name: "arrows",
        help: "which crate may depend on which",
        quick: true,
        run: |gate| arrows::check(gate.workspace),
    },
    Step {
        name: "msrv",
        help: "no dependency needs a newer compiler than ours",
        quick: true,
        run: |gate| msrv::check(gate.workspace),
    },
    Step { name: "clippy", help: "no warnings in any target", quick: true, run: clippy },
    Step {
        name: "features",
        help: "each crate builds with each feature alone, with none and with all",
        quick: false,
        run: |gate| features::check(gate.workspace),
    },
    Step { name: "tests", help: "unit and integration tests", quick: true, run: tests },
    Step {
        name: "doctests",
        help: "every example in the documentation and the READMEs",
        quick: false,
        run: doctests,
    },
    Step {
        name: "docs",
        help: "the API documentation builds without warnings",
        quick: false,
        run: |gate| tools::build_docs(gate.workspace).map(|()| Outcome::Passed),
    },
    Step {
        name: "deny",
        help: "licences, duplicates and sources of dependencies",
        quick: false,
        run: |gate| deny::check_if_installed(gate.workspace),
    },
    Step {
        name: "package",
        help: "each crate can be published, and ships what it should",
        quick: false,
        run: |gate| package::check(gate.workspace),
    },
];

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result<Ending> {
    let mut quick = false;
    let mut only: Vec<&Step> = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--help" | "-h" => {
                print!("{}", help());
                return Ok(Ending::Done);
            }
            "--only" => {
                let name = arguments.next().map_or("", String::as_str);
                let Some(step) = STEPS.iter().find(|step| step.name == name) else {
                    return Ok(Ending::Usage(format!(
                        "no step `{name}`: the steps are {}",
                        STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ")
                    )));
                };
                only.push(step);
            }
            other => {
                return Ok(Ending::Usage(format!(
                    "unknown argument `{other}`: `cargo xtask test` takes --quick, --only STEP and --help"
                )));
            }
        }
    }
    let steps: Vec<&Step> = if only.is_empty() {
        STEPS.iter().filter(|step| step.quick || !quick).collect()
    } else {
        only
    };
    let workspace = Workspace::load()?;
    let mut gate = Gate { workspace: &workspace, quick, tests: shell::Tally::default() };
    Ok(if steps::run(&steps, &mut gate, "cargo xtask test --only") {
        Ending::Done
    } else {
        Ending::Failed
    })
}

fn help() -> String {
    let mut out = String::from(
        "cargo xtask test [--quick] [--only STEP]\n\n\
         Without arguments it runs every step; with --quick those marked *, on default features.\n\n",
    );
    for step in STEPS {
        let mark = if step.quick { '*' } else { ' ' };
        out.push_str(&format!("  {mark} {:10}{}\n", step.name, step.help));
    }
    out
}

fn format(gate: &mut Gate<'_>) -> Result<Outcome> {
    let root = &gate.workspace.root;
    shell::run(&mut shell::cargo(root, &["fmt", "--all", "--check"]))?;
    if root.join(tools::BENCH).is_file() {
        let arguments = ["fmt", "--manifest-path", tools::BENCH, "--check"];
        shell::run(&mut shell::cargo(root, &arguments))?;
    }
    Ok(Outcome::Passed)
}

fn clippy(gate: &mut Gate<'_>) -> Result<Outcome> {
    let mut arguments = vec!["clippy", "--workspace", "--all-targets"];
    if !gate.quick {
        arguments.push("--all-features");
    }
    arguments.extend(["--", "-D", "warnings"]);
    shell::run(&mut shell::cargo(&gate.workspace.root, &arguments))?;
    Ok(Outcome::Passed)
}

/// Test programs that spend nearly all their time waiting for leases to end on real servers: they run many
/// of their tests at a time.
const WAITING: &[&str] = &["memcached_conformance", "redis_conformance"];
const WAITING_THREADS: &str = "--test-threads=16";

fn tests(gate: &mut Gate<'_>) -> Result<Outcome> {
    let programs = gate.workspace.test_programs.iter();
    let (waiting, others): (Vec<_>, Vec<_>) = programs
        .filter(|(_, program)| program.by_default || !gate.quick)
        .map(|(name, _)| name.as_str())
        .partition(|name| WAITING.contains(name));
    // Examples are built too: tests start them.
    let all = [&["--lib", "--bins", "--examples"][..], &named(&others)].concat();
    let tested = cargo_test(gate, &all, &[]);
    if !waiting.is_empty() {
        cargo_test(gate, &named(&waiting), &[WAITING_THREADS])?;
    }
    tested
}

fn named<'n>(programs: &[&'n str]) -> Vec<&'n str> {
    programs.iter().flat_map(|name| ["--test", *name]).collect()
}

fn doctests(gate: &mut Gate<'_>) -> Result<Outcome> {
    cargo_test(gate, &["--doc"], &[])
}

fn cargo_test(gate: &mut Gate<'_>, targets: &[&str], options: &[&str]) -> Result<Outcome> {
    let mut arguments = vec!["test", "--workspace", "--no-fail-fast"];
    if !gate.quick {
        arguments.push("--all-features");
    }
    arguments.extend(targets);
    if !options.is_empty() {
        arguments.push("--");
        arguments.extend(options);
    }
    let mut command = shell::cargo(&gate.workspace.root, &arguments);
    shell::run_tests(&mut command, &mut gate.tests, &mut std::io::stdout())?;
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_there() {
        let workspace = Workspace::load().unwrap();
        assert!(!workspace.test_programs["machines"].by_default, "it needs a feature");
        for name in WAITING {
            assert!(workspace.test_programs[*name].by_default, "{name}");
        }
        assert_eq!(named(&["a", "b"]), ["--test", "a", "--test", "b"]);
    }

    #[test]
    fn help_names_every_step() {
        let help = help();
        for step in STEPS {
            assert!(help.contains(step.name) && help.contains(step.help));
        }
    }
}
