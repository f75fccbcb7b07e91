//! The picture of the README says what happens when it is drawn again.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

fn heading(queries: &str) -> String {
    format!("<tspan font-weight=\"650\">{queries}</tspan>")
}

#[test]
fn with_the_lock_one_request_asks_and_without_it_all_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture.svg");
    let output = support::example("tests", "stampede").arg("60").arg(&file).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let of = |what: &str| -> u64 {
        let line = said.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(of("with the lock:"), 1, "{said}");
    // One that comes late, on a busy machine, may find what another has stored.
    assert!(of("without the lock:") > 30, "{said}");
    let svg = std::fs::read_to_string(&file).unwrap();
    assert!(svg.contains(&heading("1 query")) && svg.trim_end().ends_with("</svg>"));
}

#[test]
fn the_picture_in_the_readme_is_such_a_picture() {
    let svg = support::read("docs/stampede.svg");
    for says in [heading("1,000 queries"), heading("1 query")] {
        assert!(svg.contains(&says), "{says}");
    }
    assert!(support::read("README.md").contains("(docs/stampede.svg)"));
    assert!(support::read("docs/stampedes.md").contains("(stampede.svg)"));
}
