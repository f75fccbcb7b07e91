//! Facts in prose that the manifests state too.

use super::Findings;
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace, file: &str, text: &str, findings: &mut Findings) {
    let mut wrong = Vec::new();
    if let Some(package) = workspace.crates.first() {
        wrong.extend(wrong_msrv(text, &package.rust_version, file == "README.md"));
    }
    for package in &workspace.crates {
        wrong.extend(wrong_version(text, &package.name, &package.version));
    }
    if matches!(file, "README.md" | "CHANGELOG.md") {
        let crates = workspace.crates.iter().map(|package| package.name.as_str());
        wrong.extend(unlisted(text, crates));
    }
    findings.wrong.extend(wrong.into_iter().map(|what| format!("{file}: {what}")));
}

/// The crates that no link leads to.
fn unlisted<'c>(text: &str, crates: impl Iterator<Item = &'c str>) -> Vec<String> {
    crates
        .filter(|name| {
            let folder = format!("](crates/{name}");
            !text.split(&folder).skip(1).any(|rest| rest.starts_with([')', '/']))
        })
        .map(|name| format!("does not list {name}"))
        .collect()
}

/// Every `Rust 1.x` has to be the compiler that the manifests demand.
fn wrong_msrv(text: &str, msrv: &str, must_say: bool) -> Vec<String> {
    let said: Vec<String> = text
        .match_indices("Rust 1.")
        .map(|(at, _)| {
            let version = &text[at + "Rust ".len()..];
            version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default()
        })
        .map(|version| version.trim_end_matches('.').to_owned())
        .collect();
    if said.is_empty() && must_say {
        return vec![format!("does not say that it needs Rust {msrv}")];
    }
    said.iter()
        .filter(|version| *version != msrv)
        .map(|version| format!("says Rust {version}, the manifests say {msrv}"))
        .collect()
}

/// Every `name = "1.2"` and `name = { version = "1.2" }` has to be a prefix of its version.
fn wrong_version(text: &str, name: &str, version: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('='))
        .filter_map(|value| value.split('"').nth(1))
        .filter(|said| *said != version && !version.starts_with(&format!("{said}.")))
        .map(|said| format!("says {name} {said}, which is at {version}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_in_prose_is_the_one_in_the_manifests() {
        assert!(wrong_msrv("It needs Rust 1.89.", "1.89", true).is_empty());
        assert_eq!(wrong_msrv("It needs Rust 1.75 or newer", "1.89", false).len(), 1);
        assert_eq!(wrong_msrv("It needs a compiler.", "1.89", true).len(), 1);
        assert!(wrong_msrv("It needs a compiler.", "1.89", false).is_empty());
    }

    #[test]
    fn a_version_in_prose_is_the_one_in_the_manifest() {
        let text = "a = \"0.1\"\na = { version = \"0.2\", features = [\"x\"] }\na-b = \"7\"";
        assert_eq!(wrong_version(text, "a", "0.2.3"), ["says a 0.1, which is at 0.2.3"]);
    }

    #[test]
    fn every_crate_is_listed() {
        let text = "[a](crates/a) [b](crates/b/CHANGELOG.md) [cc](crates/cc)";
        assert_eq!(unlisted(text, ["a", "b", "c"].into_iter()), ["does not list c"]);
    }
}
