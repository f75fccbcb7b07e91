//! What each crate ships, and whether that is enough to build it.

use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;
use crate::steps::Outcome;
use crate::workspace::{Package, Workspace};

/// What every package holds.
const MUST_SHIP: &[&str] =
    &["CHANGELOG.md", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"];
/// What else it may hold.
const MAY_SHIP: &[&str] = &["src/", "tests/", "examples/", "Cargo.lock", "Cargo.toml.orig"];
/// Written by cargo when the tree is clean.
const STAMP: &str = ".cargo_vcs_info.json";

/// The step.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let mut wrong = Vec::new();
    for Package { name, .. } in &workspace.crates {
        let arguments = ["package", "--allow-dirty", "--list", "--package", name];
        let list = shell::read(&mut shell::cargo(&workspace.root, &arguments))?;
        let files: Vec<&str> = list.lines().collect();
        wrong.extend(complaints(&files).into_iter().map(|what| format!("{name} {what}")));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    build_what_is_shipped(workspace)?;
    Ok(Outcome::Passed)
}

fn complaints(files: &[&str]) -> Vec<String> {
    let absent = MUST_SHIP
        .iter()
        .filter(|must| !files.contains(must))
        .map(|must| format!("does not ship {must}"));
    let allowed = |file: &str| {
        file == STAMP
            || MUST_SHIP.contains(&file)
            || MAY_SHIP
                .iter()
                .any(|&may| file == may || (may.ends_with('/') && file.starts_with(may)))
    };
    let foreign = files.iter().filter(|file| !allowed(file)).map(|file| format!("ships {file}"));
    absent.chain(foreign).collect()
}

/// Unpacks all packages side by side and builds them there, each finding the others.
///
/// Cargo's own check of several packages is of no use a second time: it takes the first one's
/// unpacked copy of a sibling for the present one, because the version is the same.
fn build_what_is_shipped(workspace: &Workspace) -> Result<()> {
    let mut package = shell::cargo(&workspace.root, &["package", "--allow-dirty", "--no-verify"]);
    for Package { name, .. } in &workspace.crates {
        package.args(["--package", name]);
    }
    shell::run(&mut package)?;

    let folder = workspace.target.join("package/unpacked");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut patches = String::new();
    for Package { name, version, .. } in &workspace.crates {
        let packed = workspace.target.join(format!("package/{name}-{version}.crate"));
        // Touched, because all files of a package bear the same old date.
        let mut tar = Command::new("tar");
        tar.arg("--extract").arg("--touch").arg("--directory").arg(&folder);
        shell::read(tar.arg("--file").arg(packed))?;
        patches.push_str(&format!("{name} = {{ path = \"{name}-{version}\" }}\n"));
    }
    let profiles = profiles(&fs::read_to_string(workspace.root.join("Cargo.toml"))?);
    let workspace_table = "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n";
    let manifest = format!("{workspace_table}\n[patch.crates-io]\n{patches}\n{profiles}");
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let check = ["check", "--workspace", "--all-features", "--target-dir"];
    shell::run(shell::cargo(&folder, &check).arg(&workspace.target))
}

/// The profiles of a manifest: with the same ones, dependencies that are built need not be again.
fn profiles(manifest: &str) -> String {
    let mut inside = false;
    let lines = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            inside = line.starts_with("[profile.");
        }
        inside
    });
    lines.flat_map(|line| [line, "\n"]).collect()
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

    #[test]
    fn profiles_are_taken_from_the_manifest_and_nothing_else_is() {
        let manifest = "[workspace]\na = 1\n\n[profile.dev]\nb = 2\n\n[lints]\nc = 3\n";
        assert_eq!(profiles(manifest), "[profile.dev]\nb = 2\n\n");
    }
}
