//! The tests that `docs/session-asvs.md` names are there.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/session-asvs.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let mut named = 0;
    for row in rows {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let tests = columns.last().unwrap().split('`').filter(|text| text.contains("::"));
        for test in tests {
            named += 1;
            assert!(exists(root, test), "{test} is named in docs/session-asvs.md, and is no test");
        }
        let says_all =
            columns.len() > 2 || row.contains("**Yours**") || row.starts_with("| requirement");
        assert!(says_all, "a row names neither a test nor whose affair it is: {row}");
    }
    assert!(named > 40, "only {named} tests are named: the page is not read as it is written");
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    assert!(exists(root, "clocks::an_idle_session_ends"));
    for test in ["clocks::no_such_test", "no_such_file::an_idle_session_ends", "clocks::count"] {
        assert!(!exists(root, test), "{test}");
    }
}

/// Whether there is a function of this name with the mark of a test before it.
fn exists(root: &Path, test: &str) -> bool {
    let (file, name) = test.split_once("::").unwrap();
    let folder = root.join("crates/cookie-session");
    let file = match file.strip_prefix("src/") {
        Some(file) => folder.join("src").join(file),
        None => folder.join("tests").join(file),
    };
    let Ok(text) = std::fs::read_to_string(file.with_extension("rs")) else { return false };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| {
        pair[0].starts_with("#[")
            && pair[0].contains("test")
            && pair[1].contains(&format!("fn {name}("))
    })
}
