//! Links that lead nowhere, in pages and between them.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::Findings;

/// Where the files of this repository are shown.
const REPOSITORY: &str = "https://github.com/dogpile-rs/dogpile/";

pub(super) fn check(root: &Path, file: &str, text: &str, findings: &mut Findings) {
    let text = &without_code(text);
    let mut wrong: Vec<String> = links(text).filter_map(|link| elsewhere(root, link)).collect();
    // What a crate's page links to is resolved by the registry, not by the file system.
    if !file.starts_with("crates/") {
        wrong.extend(links(text).filter_map(|link| here(root, file, text, link)));
    }
    findings.wrong.extend(wrong.into_iter().map(|what| format!("{file}: {what}")));
}

/// What is wrong with a link to the repository's own pages on the web.
fn elsewhere(root: &Path, link: &str) -> Option<String> {
    let path = link.strip_prefix(REPOSITORY)?;
    let path = path.strip_prefix("blob/main/").or_else(|| path.strip_prefix("tree/main/"))?;
    let path = path.split('#').next().unwrap_or_default();
    (!root.join(path).exists()).then(|| format!("links to {link}, and there is no {path} here"))
}

/// What is wrong with a link to a file or a heading.
fn here(root: &Path, file: &str, text: &str, link: &str) -> Option<String> {
    if link.contains(':') {
        return None;
    }
    let (target, heading) = link.split_once('#').unwrap_or((link, ""));
    let path = normal(&Path::new(file).parent().unwrap_or(Path::new("")).join(target));
    if !target.is_empty() && !root.join(&path).exists() {
        return Some(format!("links to {link}, which is not there"));
    }
    if file.starts_with("docs/") && !target.is_empty() && !path.starts_with("docs") {
        let url = format!("{REPOSITORY}blob/main/{}", path.display());
        return Some(format!("links to {link}, which is not in the book: write {url}"));
    }
    if heading.is_empty() || !(target.is_empty() || target.ends_with(".md")) {
        return None;
    }
    let other = if target.is_empty() {
        text.to_owned()
    } else {
        without_code(&fs::read_to_string(root.join(&path)).unwrap_or_default())
    };
    (!anchors(&other).any(|anchor| anchor == heading))
        .then(|| format!("links to {link}, and there is no such heading"))
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        match component {
            Component::ParentDir => _ = path.pop(),
            Component::CurDir => {}
            other => path.push(other),
        }
        path
    })
}

/// A page without its blocks of code.
fn without_code(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
        .filter(|link| !link.is_empty())
}

/// The names under which headings are linked to.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        title.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(file: &str, text: &str) -> Vec<String> {
        let folder = std::env::temp_dir().join(format!("xtask-links-{}", std::process::id()));
        fs::create_dir_all(folder.join("docs/deep")).unwrap();
        fs::write(folder.join("README.md"), "# Here").unwrap();
        fs::write(folder.join("docs/a.md"), "# One `thing`, two\n```\n# no heading\n```").unwrap();
        let mut findings = Findings::default();
        check(&folder, file, text, &mut findings);
        findings.wrong
    }

    #[test]
    fn what_is_there_may_be_linked_to() {
        let links = "[a](../a.md) [b](../a.md#one-thing-two) [c](https://example.org/x)\n# Mine\n[d](#mine)";
        assert_eq!(wrong("docs/deep/b.md", links), Vec::<String>::new());
        let web = format!("[a]({REPOSITORY}blob/main/docs/a.md#x) [b]({REPOSITORY}issues)");
        assert_eq!(wrong("crates/x/README.md", &web), Vec::<String>::new());
    }

    #[test]
    fn what_leads_nowhere_is_told() {
        for (link, says) in [
            ("../c.md", "is not there"),
            ("../a.md#three", "no such heading"),
            ("../a.md#no-heading", "no such heading"),
            ("#mine", "no such heading"),
            ("../../README.md", "not in the book"),
            (&format!("{REPOSITORY}blob/main/docs/c.md"), "there is no docs/c.md"),
        ] {
            let wrong = wrong("docs/deep/b.md", &format!("[x]({link})"));
            assert!(wrong.len() == 1 && wrong[0].contains(says), "{link}: {wrong:?}");
        }
    }

    #[test]
    fn code_links_to_nothing() {
        assert_eq!(wrong("README.md", "```rust\nlet a = keys[1](x);\n```"), Vec::<String>::new());
    }
}
