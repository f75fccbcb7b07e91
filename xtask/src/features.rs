//! Each feature of each crate alone, none of them, and all of them.

use anyhow::{Result, bail};

use crate::shell;
use crate::steps::Outcome;
use crate::workspace::{Package, Workspace};

/// The step. Clippy instead of check, because an import that only one feature needs is a warning.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let (mut built, mut failed) = (0, 0);
    for package in &workspace.crates {
        for set in sets(package) {
            let mut arguments = vec!["clippy", "--quiet", "--package", &package.name];
            arguments.extend(set.iter().map(String::as_str));
            arguments.extend(["--", "-D", "warnings"]);
            built += 1;
            if shell::run(&mut shell::cargo(&workspace.root, &arguments)).is_err() {
                failed += 1;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {built} sets of features, see above");
    }
    Ok(Outcome::Passed)
}

/// The flags of each set of features worth building. The libraries only: dev-dependencies would
/// switch on features that a user does not get.
fn sets(package: &Package) -> Vec<Vec<String>> {
    let flags = |flags: &[&str]| flags.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>();
    let mut sets = vec![flags(&["--no-default-features"])];
    for feature in &package.features {
        sets.push(match feature.as_str() {
            "default" => Vec::new(),
            feature => flags(&["--no-default-features", "--features", feature]),
        });
    }
    if package.features.len() > 1 {
        sets.push(flags(&["--all-features"]));
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets_of(features: &[&str]) -> Vec<String> {
        let features = features.iter().map(|&f| f.to_owned()).collect();
        let package = Package { features, ..Package::default() };
        sets(&package).iter().map(|set| set.join(" ")).collect()
    }

    #[test]
    fn a_crate_without_features_is_built_once() {
        assert_eq!(sets_of(&[]), ["--no-default-features"]);
    }

    #[test]
    fn none_each_default_and_all() {
        assert_eq!(
            sets_of(&["default", "json", "lz4"]),
            [
                "--no-default-features",
                "",
                "--no-default-features --features json",
                "--no-default-features --features lz4",
                "--all-features",
            ]
        );
    }
}
