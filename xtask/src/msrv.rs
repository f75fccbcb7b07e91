//! The oldest compiler: what we build on must not ask for a newer one than we promise.
//!
//! That our own code does not is clippy's affair (`incompatible_msrv`): no older compiler is needed
//! to find out.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::shell;
use crate::steps::Outcome;
use crate::workspace::Workspace;

/// The step.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let arguments = ["metadata", "--format-version", "1", "--all-features"];
    let metadata = shell::read(&mut shell::cargo(&workspace.root, &arguments))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let promised = workspace.crates.iter().map(|package| package.rust_version.as_str()).min();
    let newer = newer(&metadata, promised.unwrap_or_default());
    if !newer.is_empty() {
        bail!("{}", newer.join("; "));
    }
    Ok(Outcome::Passed)
}

/// The packages that need a newer compiler than `promised`.
fn newer(metadata: &Value, promised: &str) -> Vec<String> {
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let needed = package["rust_version"].as_str()?;
            (numbers(needed) > numbers(promised)).then(|| {
                let name = package["name"].as_str().unwrap_or_default();
                format!("{name} needs Rust {needed}, and we promise {promised}")
            })
        })
        .collect()
}

/// `1.89` as numbers, filled up with zeros.
fn numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_compilers_are_named() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "old", "rust_version": "1.9" },
            { "name": "same", "rust_version": "1.89.0" },
            { "name": "silent", "rust_version": null },
            { "name": "new", "rust_version": "1.90" },
        ]});
        assert_eq!(newer(&metadata, "1.89"), ["new needs Rust 1.90, and we promise 1.89"]);
    }
}
