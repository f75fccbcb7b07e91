//! What docs/first-hour.md shows is what a newcomer sees.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Block, blocks, example, read};

fn page() -> Vec<Block> {
    blocks(&read("docs/first-hour.md"))
}

/// The output that the page shows after the block in which this stands.
fn shown_after(what: &str) -> String {
    let blocks = page();
    let at = blocks.iter().position(|block| block.text.contains(what));
    let at = at.unwrap_or_else(|| panic!("the page does not show {what}"));
    let next = blocks[at..].iter().find(|block| block.language == "text");
    next.unwrap_or_else(|| panic!("the page shows no output of {what}")).text.clone()
}

/// The words, without what depends on the machine: numbers, units, and the widths of columns.
fn words(text: &str) -> Vec<String> {
    let word = |word: &str| -> String {
        let bare = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        match bare.trim_end_matches([',', ';']) {
            "" | "µs" | "ms" | "s" => "#".to_owned(),
            _ if bare.len() < word.len() => format!("#{bare}"),
            _ => word.to_owned(),
        }
    };
    let words: Vec<String> = text.split_whitespace().map(word).collect();
    // A number and its unit are one.
    let unit = |at: usize| at > 0 && words[at] == "#" && words[at - 1] == "#";
    (0..words.len()).filter(|at| !unit(*at)).map(|at| words[at].clone()).collect()
}

fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_programs_on_the_page_are_the_examples() {
    for program in ["once", "stale", "error", "report"] {
        let file = format!("tests/examples/first_hour_{program}.rs");
        let source = read(&file);
        let (_, body) = source.split_once("\nuse ").unwrap();
        let body = format!("use {body}");
        assert!(page().iter().any(|block| block.text == body), "the page does not show {file}");
    }
}

#[test]
fn the_programs_print_what_the_page_says() {
    for (program, marks) in [
        ("once", "println!(\"the query runs\")"),
        ("stale", "let stats = Arc::new"),
        ("error", "no such table"),
    ] {
        let printed = stdout(&mut example("tests", &format!("first_hour_{program}")));
        assert_eq!(printed, shown_after(marks), "{program}");
    }
}

#[test]
fn the_quickstart_prints_such_a_report() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "self self self name name await").unwrap();
    let mut quickstart = example("dogpile-cache", "quickstart");
    let printed = stdout(quickstart.args(["--rounds", "1"]).arg(folder.path()));
    let shown = shown_after("--example quickstart");
    // The most frequent words are those of the folder.
    let of_folder = |word: &String| word.starts_with('(');
    let plain = |text: &str| -> Vec<String> {
        words(text).into_iter().filter(|word| !of_folder(word)).collect()
    };
    let (printed, shown) = (plain(&printed), plain(&shown));
    assert_eq!(printed, shown, "what it prints, and what the page shows");
}

#[test]
fn two_processes_make_one_report() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = Report::start(folder.path(), "one");
    assert_eq!(one.line(), "one: I create it, and it takes 1 s");
    let two = Report::start(folder.path(), "two");
    let told = [format!("one: I create it, and it takes 1 s\n{}", one.rest()), two.rest()];
    assert_eq!(told[0].replace("1 s", "10 s"), shown_after("first_hour_report -- one"));
    assert_eq!(told[1], "two: the report that one made\n");
    assert!(page().iter().any(|block| block.text == told[1]));
    // It is there.
    assert_eq!(Report::start(folder.path(), "three").rest(), "three: the report that one made\n");
}

#[test]
fn a_killed_process_is_replaced_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // It would take an hour.
    let mut one = Report::start_for(folder.path(), "one", 3_600);
    assert_eq!(one.line(), "one: I create it, and it takes 3600 s");
    let two = Report::start(folder.path(), "two");
    one.0.kill().unwrap();
    let told = two.rest().replace("1 s", "10 s");
    assert!(page().iter().any(|block| block.text == told), "{told}");
}

/// A process that makes the report, killed if it is still there at the end.
struct Report(Child, BufReader<std::process::ChildStdout>);

impl Report {
    fn start(folder: &Path, name: &str) -> Self {
        Self::start_for(folder, name, 1)
    }

    fn start_for(folder: &Path, name: &str, seconds: u32) -> Self {
        let mut command = example("tests", "first_hour_report");
        command.current_dir(folder).args([name, &seconds.to_string()]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.1.read_to_string(&mut rest).unwrap();
        assert!(self.0.wait().unwrap().success());
        rest
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The commands of the developer. They are run as the program that cargo has built, because cargo
/// itself is at work while tests run.
#[test]
fn the_commands_print_what_the_page_says() {
    let mut xtask = std::env::current_exe().unwrap();
    xtask.pop();
    xtask.pop();
    let xtask = xtask.join(format!("xtask{}", std::env::consts::EXE_SUFFIX));
    if !xtask.exists() {
        println!("skipped: xtask has not been built; `cargo xtask test` builds it");
        return;
    }
    assert_eq!(stdout(&mut Command::new(&xtask)), shown_after("cargo xtask\n"));

    let arrows = stdout(Command::new(&xtask).args(["test", "--only", "arrows"]));
    let shown = shown_after("cargo xtask test --only arrows");
    assert_eq!(words(&arrows), words(&shown));

    let output = Command::new(&xtask).arg("tset").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), shown_after("cargo xtask tset"));
}
