//! `cargo xtask release --dry-run`: whether the crates could be published as they are.
//!
//! Publishing itself is done by a person, one crate at a time: `docs/releasing.md`.

mod changelog;
mod docs;
mod order;
mod tags;

use anyhow::{Result, bail};

use crate::steps::{self, Gate, Outcome, Step};
use crate::workspace::Workspace;
use crate::{Ending, deny, package, shell, tidy, tools};

const STEPS: &[Step] = &[
    Step {
        name: "versions",
        help: "what depends on a crate asks for the version it has; a changed crate has a new one",
        quick: true,
        run: versions,
    },
    Step {
        name: "changelogs",
        help: "each crate tells what its version changes",
        quick: true,
        run: |gate| found(&changelog::check(gate.workspace)?),
    },
    Step {
        name: "order",
        help: "each crate can be published after those it depends on",
        quick: true,
        run: |gate| order::check(gate.workspace),
    },
    Step {
        name: "tidy",
        help: "licences, descriptions, links and facts that stand in two places",
        quick: true,
        run: |gate| tidy::check(gate.workspace),
    },
    Step {
        name: "docs",
        help: "the documentation as docs.rs builds it, every feature with what it gates",
        quick: false,
        run: |gate| docs::check(gate.workspace),
    },
    Step {
        name: "licences",
        help: "licences and sources of what the crates depend on",
        quick: false,
        run: |gate| deny::check_if_installed(gate.workspace),
    },
    Step {
        name: "semver",
        help: "nothing breaks that the version does not say",
        quick: false,
        run: |gate| tags::semver(gate.workspace),
    },
    Step {
        name: "package",
        help: "each crate ships what it should, and builds from that",
        quick: false,
        run: |gate| package::check(gate.workspace),
    },
    Step {
        name: "pages",
        help: "the code of other crates that the book shows",
        quick: false,
        run: pages,
    },
];

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result<Ending> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let steps: Vec<&Step> = match arguments[..] {
        ["--dry-run"] => STEPS.iter().collect(),
        ["--dry-run", "--only", name] => STEPS.iter().filter(|step| step.name == name).collect(),
        _ => Vec::new(),
    };
    if steps.is_empty() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Ok(Ending::Usage(format!(
            "`cargo xtask release` takes --dry-run, and --only with one of {}; to publish, see docs/releasing.md",
            names.join(", ")
        )));
    }
    let workspace = Workspace::load()?;
    let mut gate = Gate { workspace: &workspace, quick: false, tests: shell::Tally::default() };
    let all = steps::run(&steps, &mut gate, "cargo xtask release --dry-run --only");
    Ok(if all { Ending::Done } else { Ending::Failed })
}

fn versions(gate: &mut Gate<'_>) -> Result<Outcome> {
    let mut wrong = order::wrong_requirements(&gate.workspace.crates);
    wrong.extend(tags::stale(gate.workspace)?);
    found(&wrong)
}

fn pages(gate: &mut Gate<'_>) -> Result<Outcome> {
    let mut test = shell::cargo(&gate.workspace.root, &["test", "--manifest-path", tools::BENCH]);
    test.arg("--target-dir").arg(&gate.workspace.target).args(["--test", "coming_from"]);
    shell::run_tests(&mut test, &mut gate.tests, &mut std::io::stdout())?;
    Ok(Outcome::Passed)
}

/// A failure with all that was found.
fn found(wrong: &[String]) -> Result<Outcome> {
    match wrong.is_empty() {
        true => Ok(Outcome::Passed),
        false => bail!("{}", wrong.join("; ")),
    }
}
