//! What the registry shows of a crate, and the files that have to be in it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Findings;
use crate::workspace::Package;

const LICENCES: &[&str] = &["LICENSE-MIT", "LICENSE-APACHE"];

pub(super) fn check(root: &Path, package: &Package, findings: &mut Findings) -> Result<()> {
    let name = &package.name;
    let mut wrong = facts(package);
    for file in ["README.md", "CHANGELOG.md"] {
        if !package.root.join(file).is_file() {
            wrong.push(format!("has no {file}"));
        }
    }
    for licence in LICENCES {
        let ours = fs::read(root.join(licence)).with_context(|| format!("no {licence}"))?;
        if fs::read(package.root.join(licence)).ok() != Some(ours) {
            wrong.push(format!("has no {licence}, or another one than the workspace"));
        }
    }
    let manifest = fs::read_to_string(package.root.join("Cargo.toml"))?;
    wrong.extend(uncommented(&manifest, &package.features));
    findings.wrong.extend(wrong.into_iter().map(|what| format!("{name} {what}")));
    Ok(())
}

fn facts(package: &Package) -> Vec<String> {
    let mut wrong = Vec::new();
    if package.description.is_empty() {
        wrong.push("has no description".to_owned());
    }
    if !(1..=5).contains(&package.keywords.len()) {
        wrong.push(format!("has {} keywords, not 1 to 5", package.keywords.len()));
    }
    if !(1..=5).contains(&package.categories.len()) {
        wrong.push(format!("has {} categories, not 1 to 5", package.categories.len()));
    }
    if package.version.is_empty() || package.version == "0.0.0" {
        wrong.push("has no version".to_owned());
    }
    if package.rust_version.is_empty() {
        wrong.push("has no rust-version".to_owned());
    }
    wrong
}

/// The features that no comment in the manifest explains: one above, or at the end of the line.
/// A feature that cargo makes of an optional dependency is not in the list, and so not explained;
/// `default` is explained by what it is made of.
fn uncommented(manifest: &str, features: &[String]) -> Vec<String> {
    let lines: Vec<&str> = manifest
        .lines()
        .skip_while(|line| line.trim() != "[features]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .collect();
    let explained = |feature: &str| {
        lines.iter().enumerate().any(|(at, line)| {
            line.split_once('=').is_some_and(|(name, _)| name.trim().trim_matches('"') == feature)
                && (line.contains('#') || at > 0 && lines[at - 1].trim_start().starts_with('#'))
        })
    };
    features
        .iter()
        .filter(|&feature| feature != "default" && !explained(feature))
        .map(|feature| format!("does not say in Cargo.toml what its feature `{feature}` does"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_explained_above_or_beside_it() {
        let manifest = "\
[features]
default = []
json = [\"dep:serde_json\"] # Values as JSON.
# Values compressed.
# With zstd.
zstd = [
    \"dep:zstd\",
]
bare = []

[dependencies]
# Not a feature.
implicit = { version = \"1\", optional = true }
";
        let features = ["bare", "default", "implicit", "json", "zstd"].map(str::to_owned);
        let wrong = uncommented(manifest, &features);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].contains("`bare`") && wrong[1].contains("`implicit`"));
    }

    #[test]
    fn what_the_registry_shows_has_to_be_there() {
        let mut package = Package {
            version: "0.1.0".to_owned(),
            rust_version: "1.89".to_owned(),
            description: "A thing.".to_owned(),
            keywords: vec!["thing".to_owned()],
            categories: vec!["caching".to_owned()],
            ..Package::default()
        };
        assert!(facts(&package).is_empty());
        package.keywords = vec!["thing".to_owned(); 6];
        assert_eq!(facts(&package).len(), 1);
        assert_eq!(facts(&Package::default()).len(), 5);
    }

    #[test]
    fn a_crate_without_its_files_is_told_each() {
        let folder = std::env::temp_dir().join(format!("xtask-tidy-{}", std::process::id()));
        fs::create_dir_all(folder.join("crate")).unwrap();
        for licence in LICENCES {
            fs::write(folder.join(licence), "ours").unwrap();
        }
        fs::write(folder.join("crate/Cargo.toml"), "").unwrap();
        fs::write(folder.join("crate/LICENSE-MIT"), "theirs").unwrap();
        let package = Package { root: folder.join("crate"), ..Package::default() };
        let mut findings = Findings::default();
        check(&folder, &package, &mut findings).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        for what in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(findings.wrong.iter().any(|wrong| wrong.contains(what)), "{findings:?}");
        }
    }
}
