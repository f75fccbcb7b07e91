//! Every block of code in the book is compiled and run by something.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may panic")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Block, blocks, read, root};

/// The page that is compared with its code, word for word, by a test of its own.
const COMPARED: &str = "docs/own-backend.md";

/// The pages of the book and the README.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), read("README.md"))];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|extension| extension == "md") {
                let name = file.strip_prefix(root()).unwrap().display().to_string();
                pages.push((name, std::fs::read_to_string(file).unwrap()));
            }
        }
    }
    pages.sort();
    pages
}

fn blocks_in(language: &str) -> Vec<(String, Block)> {
    let of = |(page, text): (String, String)| {
        blocks(&text).into_iter().map(move |block| (page.clone(), block))
    };
    pages().into_iter().flat_map(of).filter(|(_, block)| block.language == language).collect()
}

#[test]
fn every_page_with_code_is_among_the_doc_tests() {
    let listed = read("tests/src/lib.rs");
    for (page, text) in pages().iter().filter(|(page, _)| page != COMPARED) {
        let has_code = blocks(text).iter().any(|block| block.language.starts_with("rust"));
        assert_eq!(
            has_code,
            listed.contains(&format!("\"{page}\"")),
            "{page}: tests/src/lib.rs lists the pages with Rust on them, and no others"
        );
    }
}

#[test]
fn no_block_is_left_out() {
    for (page, text) in pages() {
        for block in blocks(&text) {
            let known = ["lua", "python", "rust", "rust,ignore", "rust,no_run", "sh", "text"];
            assert!(
                known.contains(&block.language.as_str()),
                "{page}:{}: `{}` is not among {known:?}, of which it is known who runs them",
                block.line,
                block.language
            );
        }
    }
}

/// Code of other crates needs a newer compiler than ours: the package of the measurements has it, and
/// the page shows the same lines.
#[test]
fn what_is_ignored_here_is_compiled_elsewhere() {
    let folder = root().join("tests/bench/tests/coming_from");
    let compiled: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let ignored = blocks_in("rust,ignore");
    assert!(ignored.len() >= 3, "{ignored:?}");
    for (page, block) in ignored {
        assert!(
            compiled.iter().any(|source| source.contains(&block.text)),
            "{page}:{}: this is not in tests/bench/tests/coming_from",
            block.line
        );
    }
}

/// Tests of dogpile-redis run these scripts on real servers.
#[test]
fn the_scripts_are_those_of_the_crate() {
    for (page, block) in blocks_in("lua") {
        let folder = root().join("crates/dogpile-redis/src/lua");
        let code = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with("--")).map(str::to_owned).collect()
        };
        let mut scripts = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let shown = scripts
            .any(|script| code(&std::fs::read_to_string(script).unwrap()) == code(&block.text));
        assert!(shown, "{page}:{}: this is no script of dogpile-redis", block.line);
    }
}

/// A link to a test names it behind the `#`.
#[test]
fn the_tests_that_the_readme_names_exist() {
    let readme = read("README.md");
    let named: Vec<(&str, &str)> = readme
        .split("](")
        .filter_map(|rest| rest.split_once(')')?.0.split_once('#'))
        .filter(|(file, _)| file.ends_with(".rs"))
        .collect();
    assert!(named.len() >= 10, "{named:?}");
    for (file, test) in named {
        let text = read(file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let exists = lines.windows(2).any(|pair| {
            pair[0].starts_with("#[")
                && pair[0].contains("test")
                && pair[1].contains(&format!("fn {test}("))
        });
        assert!(exists, "{test} is no test in {file}");
    }
}

#[test]
fn the_python_runs() {
    let python = python();
    let blocks = blocks_in("python");
    assert!(blocks.len() >= 4, "{blocks:?}");
    let Some(python) = python else {
        println!("skipped: there is no Python with the packages; `cargo xtask test --only extras`");
        return;
    };
    for (page, block) in blocks {
        let output = Command::new(&python).arg("-c").arg(unindented(&block.text)).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{page}:{}: {complaint}", block.line);
    }
}

/// A block in a list is indented as a whole.
fn unindented(text: &str) -> String {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let lines = text.lines().map(|line| line.get(indent..).unwrap_or_default());
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The virtual environment that `cargo xtask test` makes below the target folder, with the packages.
fn python() -> Option<PathBuf> {
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().find(|folder| folder.join("test-tools").is_dir())?;
    let python = target.join("test-tools/python/bin/python");
    has_packages(&python).then_some(python)
}

fn has_packages(python: &Path) -> bool {
    let import = Command::new(python).args(["-c", "import beaker, dogpile.cache"]).output();
    import.is_ok_and(|output| output.status.success())
}

/// Numbers that the pages take from the suites.
#[test]
fn the_suites_are_as_large_as_the_page_says() {
    use dogpile_conformance::{backend, lease};
    let page = read(COMPARED);
    for (what, properties) in [
        ("makes NUMBER tests of one expression", backend::PROPERTIES),
        ("Its suite has NUMBER tests more", lease::PROPERTIES),
    ] {
        let says = what.replace("NUMBER", &properties.len().to_string());
        assert!(page.contains(&says), "{COMPARED} does not say: {says}");
    }
}
