//! The page shows the code that is tested, word for word, and all of it.

#[path = "../support/mod.rs"]
mod support;

#[test]
fn the_page_shows_what_is_tested() {
    let page = support::read("docs/own-backend.md");
    let backend = support::read("tests/tests/own_backend/sqlite.rs");
    let tests = support::read("tests/tests/own_backend/main.rs");
    let mut shown = String::new();
    for block in support::blocks(&page).iter().filter(|block| block.language.starts_with("rust")) {
        let there = backend.contains(&block.text) || tests.contains(&block.text);
        assert!(there, "line {} of the page is not in the code as it stands", block.line);
        shown.push_str(&block.text);
    }
    for (at, line) in backend.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        assert!(shown.contains(line), "sqlite.rs:{}: the page does not show it: {line}", at + 1);
    }
}
