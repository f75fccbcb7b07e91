//! What was published before: the tags, and what has changed since.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;
use crate::steps::Outcome;
use crate::workspace::{Package, Workspace};

/// One sentence for each crate that has changed since the tag of its own version.
pub(super) fn stale(workspace: &Workspace) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for package in &workspace.crates {
        let Some(last) = last_tag(&workspace.root, package)? else { continue };
        if last != tag(package) {
            continue;
        }
        let mut diff = git(&workspace.root, &["diff", "--name-only", &last, "--"]);
        let changed = shell::read(diff.arg(package.root.join("src")))?;
        if let Some(file) = changed.lines().next() {
            wrong.push(format!("{file} has changed since {last}: choose the next version"));
        }
    }
    Ok(wrong)
}

/// The step: compares each crate with what was published of it last.
pub(super) fn semver(workspace: &Workspace) -> Result<Outcome> {
    let mut published = Vec::new();
    for package in &workspace.crates {
        if let Some(last) = last_tag(&workspace.root, package)? {
            published.push((package, last));
        }
    }
    if published.is_empty() {
        let why = "no crate has a tag yet, so there is nothing that could be broken";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    if shell::read(&mut shell::cargo(&workspace.root, &["semver-checks", "--version"])).is_err() {
        bail!("cargo-semver-checks is not installed: cargo install cargo-semver-checks --locked");
    }
    for (package, last) in published {
        let arguments = ["semver-checks", "--package", &package.name, "--baseline-rev", &last];
        shell::run(&mut shell::cargo(&workspace.root, &arguments))?;
    }
    Ok(Outcome::Passed)
}

fn tag(package: &Package) -> String {
    format!("{}-v{}", package.name, package.version)
}

/// The tag of the highest version of a crate.
fn last_tag(root: &Path, package: &Package) -> Result<Option<String>> {
    let pattern = format!("{}-v*", package.name);
    let tags =
        shell::read(&mut git(root, &["tag", "--sort=-version:refname", "--list", &pattern]))?;
    Ok(tags.lines().next().map(str::to_owned))
}

fn git(root: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.current_dir(root).args(arguments);
    git
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn repository() -> (std::path::PathBuf, Workspace) {
        let root = std::env::temp_dir().join(format!("xtask-tags-{}", std::process::id()));
        fs::create_dir_all(root.join("a/src")).unwrap();
        fs::write(root.join("a/src/lib.rs"), "//! A.").unwrap();
        let package = Package {
            name: "a".to_owned(),
            version: "0.10.0".to_owned(),
            root: root.join("a"),
            ..Package::default()
        };
        let workspace = Workspace {
            root: root.clone(),
            target: root.join("target"),
            crates: vec![package],
            ..Workspace::default()
        };
        (root, workspace)
    }

    #[test]
    fn what_was_published_is_known_by_its_tags() {
        let (root, workspace) = repository();
        let git = |arguments: &[&str]| {
            let mut identity = vec!["-c", "user.name=a", "-c", "user.email=a@example.org"];
            identity.extend(arguments);
            shell::read(&mut git(&root, &identity)).unwrap()
        };
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "one"]);
        assert!(matches!(semver(&workspace).unwrap(), Outcome::Skipped(_)));
        assert!(stale(&workspace).unwrap().is_empty());

        git(&["tag", "a-v0.9.0"]);
        git(&["tag", "ab-v7.0.0"]);
        assert_eq!(last_tag(&root, &workspace.crates[0]).unwrap().unwrap(), "a-v0.9.0");
        git(&["tag", "a-v0.10.0"]);
        assert_eq!(last_tag(&root, &workspace.crates[0]).unwrap().unwrap(), "a-v0.10.0");
        assert!(stale(&workspace).unwrap().is_empty());

        fs::write(root.join("a/src/lib.rs"), "//! Another.").unwrap();
        let wrong = stale(&workspace).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert!(wrong.len() == 1 && wrong[0].contains("choose the next version"), "{wrong:?}");
    }
}
