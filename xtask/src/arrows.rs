//! The arrow check: crates meet through dogpile-core and not otherwise.

use anyhow::{Result, bail};

use crate::steps::Outcome;
use crate::workspace::{Package, Workspace};

const CORE: &str = "dogpile-core";
/// What core itself may depend on.
const CORE_MAY_USE: &[&str] = &["bytes"];

/// The step.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let wrong = wrong_arrows(&workspace.crates);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(Outcome::Passed)
}

/// Whether a crate may have this sibling among its normal dependencies.
fn allowed(from: &str, to: &str) -> bool {
    // A macro crate serves one face, and is reached through it only. The suites for stores of sessions
    // test a contract that is the sessions' own, behind a feature.
    (to == CORE && from != "dogpile-macros")
        || (from, to) == ("dogpile-cache", "dogpile-macros")
        || (from, to) == ("dogpile-conformance", "cookie-session")
}

/// One sentence for each dependency that should not be there. Dev-dependencies are free.
fn wrong_arrows(crates: &[Package]) -> Vec<String> {
    let ours = |name: &str| crates.iter().any(|package| package.name == name);
    let mut wrong = Vec::new();
    for package in crates {
        let from = package.name.as_str();
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.dev) {
            let to = dependency.name.as_str();
            if ours(to) && !allowed(from, to) {
                wrong.push(format!("{from} -> {to}: siblings meet through {CORE} only"));
            }
            if from == CORE && !ours(to) && !CORE_MAY_USE.contains(&to) {
                wrong
                    .push(format!("{from} -> {to}: core may use only {}", CORE_MAY_USE.join(", ")));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    /// A graph from lines such as `cache: core, (lock)`, where brackets mark a dev-dependency.
    fn graph(lines: &[&str]) -> Vec<Package> {
        lines
            .iter()
            .map(|line| {
                let (name, rest) = line.split_once(':').unwrap();
                let dependencies = rest
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(|name| Dependency {
                        name: name.trim_matches(['(', ')']).to_owned(),
                        dev: name.starts_with('('),
                        requirement: "^0.1.0".to_owned(),
                    })
                    .collect();
                Package { name: name.to_owned(), dependencies, ..Package::default() }
            })
            .collect()
    }

    #[test]
    fn the_arrows_of_the_design_pass() {
        let wrong = wrong_arrows(&graph(&[
            "dogpile-core: bytes, (tokio)",
            "dogpile-macros: syn, quote",
            "dogpile-lock: dogpile-core, tokio, (dogpile-conformance)",
            "dogpile-cache: dogpile-core, dogpile-macros, quick_cache, (dogpile-lock)",
            "dogpile-conformance: dogpile-core, cookie-session, tokio",
            "cookie-session: dogpile-core, (dogpile-conformance)",
        ]));
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn each_wrong_arrow_is_named() {
        let wrong = wrong_arrows(&graph(&[
            "dogpile-core: bytes, tokio, dogpile-lock",
            "dogpile-macros: dogpile-core",
            "dogpile-lock: dogpile-core, dogpile-macros, dogpile-conformance",
            "dogpile-cache: dogpile-core, dogpile-lock",
            "dogpile-conformance: dogpile-core",
            "cookie-session: dogpile-core, dogpile-conformance",
        ]));
        let arrows: Vec<&str> =
            wrong.iter().map(|sentence| sentence.split(':').next().unwrap()).collect();
        assert_eq!(
            arrows,
            [
                "dogpile-core -> tokio",
                "dogpile-core -> dogpile-lock",
                "dogpile-macros -> dogpile-core",
                "dogpile-lock -> dogpile-macros",
                "dogpile-lock -> dogpile-conformance",
                "dogpile-cache -> dogpile-lock",
                "cookie-session -> dogpile-conformance",
            ]
        );
    }

    #[test]
    fn this_workspace_passes() {
        let wrong = wrong_arrows(&Workspace::load().unwrap().crates);
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
