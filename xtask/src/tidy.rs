//! Cheap checks of what no compiler sees: files that must exist, sizes, facts stated twice.

mod book;
mod links;
mod manifest;
mod prose;
mod source;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// What a check has to say.
#[derive(Debug, Default)]
struct Findings {
    wrong: Vec<String>,
    /// Worth a look, but no reason to fail.
    odd: Vec<String>,
}

/// The step.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let mut findings = Findings::default();
    for package in &workspace.crates {
        manifest::check(&workspace.root, package, &mut findings)?;
    }
    let files = files(&workspace.root)?;
    for file in &files {
        // Deleted, and not yet committed.
        let Ok(text) = fs::read_to_string(workspace.root.join(file)) else { continue };
        if file.ends_with(".rs") {
            source::check(file, &text, &mut findings);
        }
        if file.ends_with(".md") {
            prose::check(workspace, file, &text, &mut findings);
            links::check(&workspace.root, file, &text, &mut findings);
        }
        source::check_paths(file, &text, &mut findings);
    }
    let summary = fs::read_to_string(workspace.root.join("docs/SUMMARY.md")).unwrap_or_default();
    book::check(&files, &summary, &mut findings);
    if !shell::read(git(&workspace.root).args(["status", "--short", "--", "Cargo.lock"]))?
        .is_empty()
    {
        findings.odd.push("Cargo.lock: not as it is committed".to_owned());
    }
    let Findings { wrong, odd } = findings;
    for what in odd.iter().chain(&wrong) {
        println!("{what}");
    }
    if !wrong.is_empty() {
        bail!("{} things to put right, see above", wrong.len());
    }
    Ok(match odd.len() {
        0 => Outcome::Passed,
        n => Outcome::Warned(format!("{n} worth a look, see above")),
    })
}

/// The text files of the repository that people write, tracked or about to be, relative to its root.
fn files(root: &Path) -> Result<Vec<String>> {
    let mut list = git(root);
    list.args(["ls-files", "--cached", "--others", "--exclude-standard", "--"]);
    let list = shell::read(list.args(["*.md", "*.rs", "*.sh", "*.toml"]))
        .context("tidy asks git which files there are")?;
    Ok(list.lines().map(str::to_owned).collect())
}

fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(root);
    git
}
