//! The book's table of contents: all pages, and no others.

use std::collections::BTreeSet;

use super::Findings;

const FOLDER: &str = "docs/";
const SUMMARY: &str = "docs/SUMMARY.md";

pub(super) fn check(files: &[String], summary: &str, findings: &mut Findings) {
    let pages: BTreeSet<&str> = files
        .iter()
        .filter(|file| file.as_str() != SUMMARY && file.ends_with(".md"))
        .filter_map(|file| file.strip_prefix(FOLDER))
        .collect();
    let mut listed = BTreeSet::new();
    for page in summary.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
        if !listed.insert(page) {
            findings.wrong.push(format!("{SUMMARY}: lists {page} twice"));
        }
    }
    // That what is listed is there, the check of links has said.
    for page in pages.difference(&listed) {
        findings.wrong.push(format!("{SUMMARY}: does not list {page}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_listed_once() {
        let files =
            ["README.md", SUMMARY, "docs/a.md", "docs/b/c.md", "docs/d.svg"].map(str::to_owned);
        let mut findings = Findings::default();
        check(&files, "[A](a.md)\n- [C](b/c.md)", &mut findings);
        assert!(findings.wrong.is_empty(), "{findings:?}");
        check(&files, "[A](a.md)\n- [A](a.md)", &mut findings);
        assert_eq!(findings.wrong.len(), 2, "{findings:?}");
    }
}
