//! The quickstart example, run as its user runs it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::{Command, Output};

/// Cargo builds the examples beside the tests, unless it was told to build one test only.
fn quickstart() -> Command {
    static BUILT: std::sync::Once = std::sync::Once::new();
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("examples").join(format!("quickstart{}", std::env::consts::EXE_SUFFIX));
    BUILT.call_once(|| {
        if !path.exists() {
            let cargo = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--example", "quickstart"])
                .status();
            assert!(cargo.unwrap().success());
        }
    });
    Command::new(path)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deeper")).unwrap();
    std::fs::write(
        folder.path().join("a.txt"),
        "one caller creates, the others wait; one is enough",
    )
    .unwrap();
    std::fs::write(folder.path().join("deeper/b.txt"), b"not text: \xff\xfe, creates").unwrap();
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn one_creation_for_each_expiry_across_all_processes() {
    let (folder, dir) = (folder(), tempfile::tempdir().unwrap());
    let output = quickstart()
        .args(["--json", "--processes", "3", "--tasks", "10", "--rounds", "2", "--dir"])
        .args([dir.path(), folder.path()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("{name} in {report}"));
    assert_eq!(number("expiries"), 3, "once missing, and twice expired");
    assert_eq!(number("creations"), 3);
    assert!(number("fresh") > 0 && number("waited") > 0, "{report}");
    for name in ["stale", "p50_us", "p99_us"] {
        number(name);
    }
    for name in ["creations", "expiries", "p50_us", "p99_us"] {
        assert!(report["without_lock"][name].is_u64(), "{report}");
    }
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "it leaves nothing behind");
}

#[test]
fn the_report_for_people() {
    let folder = folder();
    let output = quickstart()
        .args(["--processes", "1", "--tasks", "2", "--rounds", "1"])
        .arg(folder.path())
        .output()
        .unwrap();
    let out = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(out.contains("word statistics: 2 files, 12 words"), "{out}");
    assert!(out.contains("latency, 99th percentile"), "{out}");
    assert!(out.contains("Each time one of 2 readers created the value"), "{out}");
}

#[test]
fn bad_input_is_one_clear_line_and_exit_code_2() {
    let folder = folder();
    let here = folder.path().to_str().unwrap();
    let not_a_folder = folder.path().join("a.txt");
    let missing = folder.path().join("missing");
    for (arguments, says) in [
        (vec!["--procesess"], "there is no option --procesess"),
        (vec!["--tasks"], "--tasks needs a value"),
        (vec!["--tasks", "0"], "--tasks takes a whole number from 1 to 10000, not 0"),
        (vec!["--rounds", "many"], "--rounds takes a whole number from 1 to 1000, not many"),
        (vec![here, here], "is a second one"),
        (vec![missing.to_str().unwrap()], "cannot read"),
        (vec![not_a_folder.to_str().unwrap()], "cannot read"),
        (vec![here, "--dir", not_a_folder.to_str().unwrap()], "cannot keep the cache in"),
    ] {
        refused(&quickstart().args(&arguments).output().unwrap(), says, &arguments);
    }
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let secret: PathBuf = folder.path().join("secret.txt");
    std::fs::write(&secret, "x").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    // To the administrator every file is readable, except those that the system has no words for.
    let system = PathBuf::from("/proc/self/attr");
    let (folder, unreadable) = match std::fs::read(&secret) {
        Err(_) => (folder.path(), secret.as_path()),
        Ok(_) if std::fs::read(system.join("current")).is_err() && system.exists() => {
            (&*system, &*system)
        }
        Ok(_) => return,
    };
    let output = quickstart().arg(folder).output().unwrap();
    let says = format!("cannot read {}", unreadable.display());
    refused(&output, &says, &["a folder with a secret"]);
}

fn refused(output: &Output, says: &str, arguments: &[&str]) {
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
    assert!(line.starts_with("quickstart: ") && line.contains(says), "{arguments:?}: {line}");
    assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
}
