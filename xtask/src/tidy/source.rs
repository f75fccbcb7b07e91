//! The shape of source files.

use super::Findings;

/// Lines from which a file is worth splitting, and from which it must be.
const LONG: usize = 500;
const TOO_LONG: usize = 800;

/// Folders that exist on one machine and not on the next.
const SOMEBODYS: &[&str] = &["Users", "home", "root", "tmp", "work"];

/// Macros that stand for code that is not there. In two halves, so that this file passes.
const UNWRITTEN: &[&str] = &[concat!("todo", "!("), concat!("unimplemented", "!(")];

/// Core's front page, and how many names it may export: whoever writes a backend reads them all.
const CORE: &str = "crates/dogpile-core/src/lib.rs";
const CORE_EXPORTS: usize = 45;

pub(super) fn check(file: &str, text: &str, findings: &mut Findings) {
    let lines = text.lines().count();
    if lines > TOO_LONG {
        findings.wrong.push(format!("{file}: {lines} lines, more than {TOO_LONG}"));
    } else if lines > LONG {
        findings.odd.push(format!("{file}: {lines} lines, more than {LONG}"));
    }
    // Programs that must not compile are shown to the reader as they are.
    if !file.contains("/tests/ui/") && !text.starts_with("//!") && !text.starts_with("#!") {
        findings.wrong.push(format!("{file}: does not begin by saying what it is for (`//!`)"));
    }
    if file == CORE && exports(text) > CORE_EXPORTS {
        let what = format!("{file}: {} exports, more than {CORE_EXPORTS}", exports(text));
        findings.wrong.push(what);
    }
    for unwritten in UNWRITTEN {
        for (at, _) in text.lines().enumerate().filter(|(_, line)| line.contains(unwritten)) {
            findings.wrong.push(format!("{file}:{}: {unwritten}..)", at + 1));
        }
    }
}

/// How many names the `pub use` lines of a file export.
fn exports(text: &str) -> usize {
    text.split("pub use ")
        .skip(1)
        .filter_map(|rest| rest.split(';').next())
        .map(|names| names.rsplit("::").next().unwrap_or_default())
        .map(|names| names.split(',').filter(|name| name.contains(char::is_alphanumeric)).count())
        .sum()
}

/// Also for what is not Rust.
pub(super) fn check_paths(file: &str, text: &str, findings: &mut Findings) {
    for (at, line) in text.lines().enumerate() {
        if let Some(folder) = SOMEBODYS.iter().find(|folder| begins_a_path(line, folder)) {
            findings.wrong.push(format!("{file}:{}: a path that begins at /{folder}", at + 1));
        }
    }
}

/// Whether the line holds `/folder/` where a path begins, and not in the middle of one.
fn begins_a_path(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(file: &str, text: &str) -> Findings {
        let mut findings = Findings::default();
        check(file, text, &mut findings);
        check_paths(file, text, &mut findings);
        findings
    }

    #[test]
    fn long_files_are_odd_and_very_long_ones_wrong() {
        let lines = |n: usize| format!("//! Long.\n{}", "\n".repeat(n - 1));
        assert!(findings("a.rs", &lines(LONG)).odd.is_empty());
        assert_eq!(findings("a.rs", &lines(LONG + 1)).odd.len(), 1);
        let very = findings("a.rs", &lines(TOO_LONG + 1));
        assert_eq!((very.wrong.len(), very.odd.len()), (1, 0));
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(findings("src/a.rs", "use std::fmt;").wrong.len(), 1);
        assert!(findings("src/a.rs", "#![doc = \"x\"]").wrong.is_empty());
        assert!(findings("crates/x/tests/ui/a.rs", "fn main() {}").wrong.is_empty());
    }

    #[test]
    fn core_stays_small() {
        let exporting =
            |n: usize| format!("//! Core.\npub use a::{{{}\n}};", "\n    Name,".repeat(n));
        assert_eq!(exports("mod a;\npub use a::A;\npub use crate::b::{B, C};"), 3);
        assert!(findings(CORE, &exporting(CORE_EXPORTS)).wrong.is_empty());
        assert_eq!(findings(CORE, &exporting(CORE_EXPORTS + 1)).wrong.len(), 1);
    }

    #[test]
    fn code_that_is_not_there_is_wrong() {
        for unwritten in UNWRITTEN {
            let text = format!("//! X.\nfn f() {{ {unwritten}) }}");
            assert_eq!(findings("a.rs", &text).wrong.len(), 1);
        }
    }

    #[test]
    fn paths_of_one_machine_are_wrong() {
        for folder in SOMEBODYS {
            for text in ["//! \"{}/x\"", "//! see {}/x", "//! {}/x", "//!`{}/`"] {
                let text = text.replace("{}", &format!("/{folder}"));
                assert_eq!(findings("a.rs", &text).wrong.len(), 1, "{text}");
            }
            let text = format!("//! https://example.org/{folder}/x ./{folder}/ a/{folder}/b");
            assert!(findings("a.rs", &text).wrong.is_empty(), "{text}");
        }
    }
}
