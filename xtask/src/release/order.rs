//! In which order crates are published, and which versions they ask of each other.

use anyhow::{Result, bail};

use crate::steps::Outcome;
use crate::workspace::{Package, Workspace};

/// The step: prints the order.
pub(super) fn check(workspace: &Workspace) -> Result<Outcome> {
    let order = order(&workspace.crates)?;
    println!("publish in this order: {}", order.join(", "));
    Ok(Outcome::Passed)
}

/// Every crate after those that the registry has to know before it.
fn order(crates: &[Package]) -> Result<Vec<&str>> {
    let mut left: Vec<&Package> = crates.iter().collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let ready = |package: &&Package| !left.iter().any(|other| needs(package, &other.name));
        let Some(at) = left.iter().position(ready) else {
            let names: Vec<&str> = left.iter().map(|package| package.name.as_str()).collect();
            bail!(
                "none of {} can be published first; of a dev-dependency, name the path alone",
                names.join(", ")
            );
        };
        order.push(left.remove(at).name.as_str());
    }
    Ok(order)
}

/// A dependency for tests counts too, unless only its path is named.
fn needs(package: &Package, other: &str) -> bool {
    let dependencies = package.dependencies.iter();
    dependencies.filter(|to| !(to.dev && to.requirement == "*")).any(|to| to.name == other)
}

/// One sentence for each dependency on a sibling that asks for another version than it has.
pub(super) fn wrong_requirements(crates: &[Package]) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in crates {
        for to in &package.dependencies {
            let Some(sibling) = crates.iter().find(|sibling| sibling.name == to.name) else {
                continue;
            };
            let only_a_path = to.dev && to.requirement == "*";
            if !only_a_path && to.requirement != format!("^{}", sibling.version) {
                wrong.push(format!(
                    "{} asks for {} {}, which is at {}: see [workspace.dependencies]",
                    package.name, to.name, to.requirement, sibling.version
                ));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, needs: &[(&str, bool, &str)]) -> Package {
        let dependencies = needs
            .iter()
            .map(|(name, dev, requirement)| Dependency {
                name: (*name).to_owned(),
                dev: *dev,
                requirement: (*requirement).to_owned(),
            })
            .collect();
        let (name, version) = (name.to_owned(), "0.2.0".to_owned());
        Package { name, version, dependencies, ..Package::default() }
    }

    #[test]
    fn what_is_needed_comes_first() {
        let crates = [
            package("cache", &[("core", false, "^0.2.0"), ("lock", true, "^0.2.0")]),
            package("core", &[("cache", true, "*")]),
            package("lock", &[("core", false, "^0.2.0")]),
        ];
        assert_eq!(order(&crates).unwrap(), ["core", "lock", "cache"]);
        assert!(wrong_requirements(&crates).is_empty());
    }

    #[test]
    fn a_circle_is_told() {
        let crates = [
            package("cache", &[("lock", true, "^0.2.0")]),
            package("lock", &[("cache", false, "^0.2.0")]),
        ];
        assert!(order(&crates).unwrap_err().to_string().contains("cache, lock"));
    }

    #[test]
    fn another_version_is_told() {
        let crates = [package("core", &[]), package("lock", &[("core", false, "^0.1.0")])];
        assert_eq!(wrong_requirements(&crates).len(), 1);
    }
}
