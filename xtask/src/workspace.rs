//! What `cargo metadata` says of this workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;

/// The workspace.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// The published crates, by name.
    pub(crate) crates: Vec<Package>,
    /// The test programs of all packages, by name.
    pub(crate) test_programs: BTreeMap<String, TestProgram>,
}

/// A file or folder of tests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TestProgram {
    /// It is built without more than the default features.
    pub(crate) by_default: bool,
}

/// One published crate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its folder.
    pub(crate) root: PathBuf,
    pub(crate) rust_version: String,
    pub(crate) description: String,
    pub(crate) keywords: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) docs_rs: DocsRs,
}

/// How the documentation of a crate is built where it is published.
#[derive(Clone, Debug, Default)]
pub(crate) struct DocsRs {
    pub(crate) all_features: bool,
    pub(crate) rustdoc_args: Vec<String>,
}

/// One dependency of a crate.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
    /// Which versions it may be; `*` where only its path is named, which is not published.
    pub(crate) requirement: String,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        // The folder of this package, as the build knew it: the workspace is one above.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent")?;
        let metadata = shell::read(&mut shell::cargo(
            root,
            &["metadata", "--format-version", "1", "--no-deps"],
        ))?;
        Self::from_metadata(&serde_json::from_str(&metadata)?)
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let packages = metadata["packages"].as_array().context("cargo metadata: no packages")?;
        let mut crates: Vec<Package> = packages
            .iter()
            .filter(|package| package["publish"] != Value::Array(Vec::new()))
            .map(Package::from_metadata)
            .collect();
        crates.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            root: text(&metadata["workspace_root"]).into(),
            target: text(&metadata["target_directory"]).into(),
            crates,
            test_programs: packages.iter().flat_map(test_programs).collect(),
        })
    }

    /// Whether a crate of this name is here.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.crates.iter().any(|package| package.name == name)
    }
}

impl Package {
    fn from_metadata(package: &Value) -> Self {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let mut features: Vec<String> =
            package["features"].as_object().into_iter().flatten().map(|(f, _)| f.clone()).collect();
        features.sort();
        Self {
            name: text(&package["name"]),
            version: text(&package["version"]),
            root: manifest.parent().map(Path::to_path_buf).unwrap_or_default(),
            rust_version: text(&package["rust_version"]),
            description: text(&package["description"]),
            keywords: texts(&package["keywords"]),
            categories: texts(&package["categories"]),
            features,
            dependencies: package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|dependency| Dependency {
                    name: text(&dependency["name"]),
                    dev: dependency["kind"] == "dev",
                    requirement: text(&dependency["req"]),
                })
                .collect(),
            docs_rs: DocsRs {
                all_features: package["metadata"]["docs"]["rs"]["all-features"] == true,
                rustdoc_args: texts(&package["metadata"]["docs"]["rs"]["rustdoc-args"]),
            },
        }
    }
}

fn test_programs(package: &Value) -> Vec<(String, TestProgram)> {
    let default = texts(&package["features"]["default"]);
    let targets = package["targets"].as_array().into_iter().flatten();
    targets
        .filter(|target| texts(&target["kind"]).iter().any(|kind| kind == "test"))
        .map(|target| {
            let needed = texts(&target["required-features"]);
            let by_default = needed.iter().all(|feature| default.contains(feature));
            (text(&target["name"]), TestProgram { by_default })
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_published_crates_and_no_others() {
        let workspace = Workspace::load().unwrap();
        assert!(workspace.has("dogpile-core"));
        assert!(!workspace.has("xtask"));
        let core = workspace.crates.iter().find(|p| p.name == "dogpile-core").unwrap();
        assert!(core.dependencies.iter().any(|d| d.name == "bytes" && !d.dev));
        assert!(core.root.join("src/lib.rs").is_file());
    }
}
