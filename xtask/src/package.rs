//! What each crate ships.

use anyhow::{Result, bail};

use crate::shell;
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// What every package holds.
const MUST_SHIP: &[&str] =
    &["CHANGELOG.md", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"];
/// What else it may hold.
const MAY_SHIP: &[&str] = &["src/", "tests/", "examples/", "Cargo.lock", "Cargo.toml.orig"];
/// Written by cargo when the tree is clean.
const STAMP: &str = ".cargo_vcs_info.json";

/// The step: what is in each package, and whether each builds from what is in it.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let mut wrong = Vec::new();
    for package in &workspace.crates {
        let arguments = ["package", "--allow-dirty", "--list", "--package", &package.name];
        let list = shell::read(&mut shell::cargo(&workspace.root, &arguments))?;
        let files: Vec<&str> = list.lines().collect();
        wrong
            .extend(complaints(&files).into_iter().map(|what| format!("{}: {what}", package.name)));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }

    // All at once: cargo lets the packages find each other although none is published.
    let mut command = shell::cargo(&workspace.root, &["package", "--allow-dirty"]);
    for package in &workspace.crates {
        command.args(["--package", &package.name]);
    }
    // Otherwise each package is built in a folder of its own, with all its dependencies again.
    shell::run(command.env("CARGO_TARGET_DIR", &workspace.target))?;
    Ok(Outcome::Passed)
}

fn complaints(files: &[&str]) -> Vec<String> {
    let absent = MUST_SHIP
        .iter()
        .filter(|must| !files.contains(must))
        .map(|must| format!("does not ship {must}"));
    let foreign = files
        .iter()
        .filter(|&&file| {
            file != STAMP
                && !MUST_SHIP.contains(&file)
                && !MAY_SHIP
                    .iter()
                    .any(|may| file == *may || (may.ends_with('/') && file.starts_with(may)))
        })
        .map(|file| format!("ships {file}"));
    absent.chain(foreign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_absent_and_what_is_foreign() {
        let mut files = MUST_SHIP.to_vec();
        files.extend([STAMP, "src/a/b.rs", "tests/ui/x.stderr", "Cargo.lock"]);
        assert!(complaints(&files).is_empty());

        files.retain(|&file| file != "LICENSE-MIT");
        files.push("notes.txt");
        assert_eq!(complaints(&files), ["does not ship LICENSE-MIT", "ships notes.txt"]);
    }
}
