//! The documentation as docs.rs builds it: with all features, and with a mark on what one of them gates.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::shell;
use crate::steps::Outcome;
use crate::workspace::{Package, Workspace};

/// What turns the marks on, in a crate's root.
const MARKS: &str = "#![cfg_attr(docsrs, feature(doc_cfg))]";
const ARGUMENTS: [&str; 2] = ["--cfg", "docsrs"];

/// The step.
pub(super) fn check(workspace: &Workspace) -> Result<Outcome> {
    let mut wrong = Vec::new();
    for package in workspace.crates.iter().filter(|package| !package.features.is_empty()) {
        let root = fs::read_to_string(package.root.join("src/lib.rs"))?;
        let readme = fs::read_to_string(package.root.join("README.md"))?;
        let what = complaints(package, &root, &readme);
        wrong.extend(what.into_iter().map(|what| format!("{} {what}", package.name)));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }

    // The marks are a feature of nightly compilers, on which docs.rs builds.
    let target = workspace.target.join("docs-rs");
    let mut doc = shell::cargo(&workspace.root, &["doc", "--no-deps", "--all-features"]);
    workspace.crates.iter().for_each(|package| _ = doc.args(["--package", &package.name]));
    doc.env("RUSTC_BOOTSTRAP", "1");
    doc.env("RUSTDOCFLAGS", format!("-D warnings {}", ARGUMENTS.join(" ")));
    shell::run(doc.arg("--target-dir").arg(&target))?;
    for package in &workspace.crates {
        let pages = target.join("doc").join(package.name.replace('-', "_"));
        if gates(package) && !marked(&pages)? {
            bail!("{} gates items by features, and no page of it says so", package.name);
        }
    }
    Ok(Outcome::Passed)
}

/// What is missing before the documentation need be built.
fn complaints(package: &Package, root: &str, readme: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !package.docs_rs.all_features {
        wrong.push("does not tell docs.rs to build it with all features".to_owned());
    }
    if package.docs_rs.rustdoc_args != ARGUMENTS {
        wrong.push(format!("has not {ARGUMENTS:?} as rustdoc-args of docs.rs"));
    }
    if !root.contains(MARKS) {
        wrong.push(format!("does not begin its src/lib.rs with {MARKS}"));
    }
    let untold = package
        .features
        .iter()
        .filter(|feature| *feature != "default" && !readme.contains(&format!("`{feature}`")));
    wrong.extend(
        untold.map(|feature| format!("does not tell of its feature `{feature}` in its README")),
    );
    wrong
}

/// Whether something in the source of a crate is there with a feature only.
fn gates(package: &Package) -> bool {
    package.features.iter().any(|feature| feature != "default")
}

/// Whether a page of the documentation has the mark of a feature.
fn marked(folder: &Path) -> Result<bool> {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let found = match path.is_dir() {
            true => marked(&path)?,
            false => {
                path.extension().is_some_and(|extension| extension == "html")
                    && fs::read_to_string(&path)?.contains("crate feature")
            }
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::DocsRs;

    #[test]
    fn a_feature_has_to_be_documented_everywhere() {
        let good = Package {
            features: vec!["default".to_owned(), "json".to_owned()],
            docs_rs: DocsRs {
                all_features: true,
                rustdoc_args: ARGUMENTS.map(str::to_owned).to_vec(),
            },
            ..Package::default()
        };
        assert!(complaints(&good, MARKS, "| `json` | JSON |").is_empty());
        assert_eq!(complaints(&good, "", "JSON").len(), 2);
        let bare = Package { docs_rs: DocsRs::default(), ..good };
        assert_eq!(complaints(&bare, MARKS, "`json`").len(), 2);
    }
}
