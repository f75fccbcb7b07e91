//! What the changelogs say of the versions there are.

use std::fs;

use anyhow::Result;

use crate::workspace::Workspace;

/// One sentence for each crate whose changelog tells nothing of its version.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for package in &workspace.crates {
        let text = fs::read_to_string(package.root.join("CHANGELOG.md"))?;
        if let Some(what) = complaint(&text, &package.version) {
            wrong.push(format!("{}: {what}", package.name));
        }
    }
    Ok(wrong)
}

/// The changes stand under `[Unreleased]`, or under the version itself.
fn complaint(text: &str, version: &str) -> Option<String> {
    let told = |heading: &str| {
        let (_, rest) = text.split_once(&format!("## [{heading}]"))?;
        let section = rest.split("\n## ").next().unwrap_or_default();
        Some(section.lines().any(|line| line.starts_with("- ")))
    };
    match (told("Unreleased"), told(version)) {
        (_, Some(true)) | (Some(true), None) => None,
        (_, Some(false)) => Some(format!("its CHANGELOG says nothing under [{version}]")),
        (Some(false), None) => {
            Some(format!("its CHANGELOG has neither [{version}] nor anything under [Unreleased]"))
        }
        (None, None) => Some(format!("its CHANGELOG has neither [{version}] nor [Unreleased]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_to_be_told_of() {
        for good in [
            "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n",
            "## [Unreleased]\n\n## [0.2.0] - 2026-01-01\n\n- A thing.\n\n## [0.1.0]\n",
        ] {
            assert_eq!(complaint(good, "0.2.0"), None, "{good}");
        }
        for bad in [
            "# Changelog\n",
            "## [Unreleased]\n\n## [0.1.0]\n\n- A thing.\n",
            "## [Unreleased]\n\n- More.\n\n## [0.2.0]\n\n## [0.1.0]\n\n- A thing.\n",
        ] {
            assert!(complaint(bad, "0.2.0").is_some(), "{bad}");
        }
    }
}
