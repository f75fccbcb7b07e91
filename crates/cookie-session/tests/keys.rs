//! Keys: their text form, rings and their states, reading them again, and changing their file.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::error::Error as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cookie_session::{ErrorKind, KeyFile, KeyRing, KeyState, RootKey};
use tempfile::TempDir;

fn key() -> RootKey {
    RootKey::generate().unwrap()
}

fn states(ring: &KeyRing) -> Vec<KeyState> {
    ring.keys().iter().map(|(state, _)| *state).collect()
}

/// A folder with a file of keys in it.
fn key_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.keys");
    KeyFile::new(&path).create().unwrap();
    (folder, path)
}

#[test]
fn two_keys_differ_and_a_text_leads_to_the_same_key() {
    let (one, other) = (key(), key());
    assert_ne!(*one.expose(), *other.expose());
    assert_ne!(one.fingerprint(), other.fingerprint());
    let again: RootKey = one.expose().parse().unwrap();
    assert_eq!((&*again.expose(), again.fingerprint()), (&*one.expose(), one.fingerprint()));
}

#[test]
fn a_text_with_any_character_changed_cut_or_added_is_refused() {
    let text = key().expose();
    let refused = |text: &str| {
        let error = text.parse::<RootKey>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Keys, "{error}");
    };
    for at in 0..text.len() {
        refused(&text[..at]);
        for other in "AQa0-_=+ \u{e9}".chars() {
            if text[at..].starts_with(other) {
                continue;
            }
            refused(&format!("{}{other}{}", &text[..at], &text[at + 1..]));
            refused(&format!("{}{other}{}", &text[..at], &text[at..]));
        }
    }
    refused(&text.to_uppercase());
}

#[test]
fn no_secret_is_shown() {
    let (one, other) = (key(), key());
    let ring =
        KeyRing::from_keys([(KeyState::Active, one.clone()), (KeyState::Revoked, other.clone())])
            .unwrap();
    let (_folder, path) = key_file();
    let from_file = KeyRing::from_file(&path).unwrap();
    let shown = format!(
        "{one:?} {one:#?} {ring:?} {ring:#?} {from_file:?} {:?}",
        KeyFile::new(&path).entries().unwrap()
    );
    let in_file = from_file.keys().remove(0).1;
    for key in [&one, &other, &in_file] {
        let text = key.expose();
        assert!(shown.contains(key.fingerprint()));
        assert!((5..44).all(|at| !shown.contains(&text[at..at + 8])), "{shown}");
    }
    assert!(!shown.contains("csk1_"));
}

#[test]
fn a_ring_has_exactly_one_active_key_and_no_key_twice() {
    use KeyState::{Active, Announced, Retiring, Revoked};
    let refused = |keys: Vec<(KeyState, RootKey)>| {
        assert_eq!(KeyRing::from_keys(keys).unwrap_err().kind(), ErrorKind::Keys);
    };
    refused(vec![]);
    refused(vec![(Announced, key()), (Retiring, key()), (Revoked, key())]);
    refused(vec![(Active, key()), (Active, key())]);
    let twice = key();
    refused(vec![(Active, twice.clone()), (Revoked, twice)]);
    assert!(KeyRing::from_keys([(Retiring, key()), (Active, key())]).is_ok());
}

#[test]
fn a_ring_is_read_again_and_a_broken_file_changes_nothing() {
    let (_folder, path) = key_file();
    let file = KeyFile::new(&path);
    let ring = KeyRing::from_file(&path).unwrap();
    let clone = ring.clone();
    assert!(!ring.reload().unwrap());
    file.announce().unwrap();
    assert!(ring.reload().unwrap());
    assert_eq!(states(&clone), [KeyState::Active, KeyState::Announced]);
    file.rotate().unwrap();
    assert!(clone.reload().unwrap());
    assert_eq!(states(&ring), [KeyState::Retiring, KeyState::Active]);

    let good = fs::read_to_string(&path).unwrap();
    for (broken, kind) in [
        ("", ErrorKind::Keys),
        ("active csk1_", ErrorKind::Keys),
        (&good.replace("active", "revoked"), ErrorKind::Keys),
        (&good[..good.len() - 60], ErrorKind::Keys),
    ] {
        fs::write(&path, broken).unwrap();
        let error = ring.reload().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("session.keys"), "{error}");
        assert_eq!(states(&ring), [KeyState::Retiring, KeyState::Active]);
    }
    fs::write(&path, b"\xff").unwrap();
    assert_eq!(ring.reload().unwrap_err().kind(), ErrorKind::Unreadable);
    fs::remove_file(&path).unwrap();
    let error = ring.reload().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.source().is_some());
    assert_eq!(states(&ring), [KeyState::Retiring, KeyState::Active]);
    fs::write(&path, good).unwrap();
    assert!(!ring.reload().unwrap());
}

#[test]
fn a_ring_made_in_code_is_replaced_and_not_read_again() {
    let ring = KeyRing::new(key());
    assert_eq!(ring.reload().unwrap_err().kind(), ErrorKind::Refused);
    let next = key();
    ring.replace(&KeyRing::new(next.clone()));
    assert_eq!(ring.keys()[0].1.fingerprint(), next.fingerprint());
}

#[test]
fn readers_see_the_old_keys_or_the_new_ones_and_nothing_between() {
    let (_folder, path) = key_file();
    let file = KeyFile::new(&path);
    let ring = KeyRing::from_file(&path).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let active = states(&ring).iter().filter(|s| **s == KeyState::Active).count();
                    assert_eq!(active, 1);
                    ring.reload().unwrap();
                }
            });
        }
        for _ in 0..30 {
            file.rotate_now().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    ring.reload().unwrap();
    assert_eq!(ring.keys().len(), 31);
}

#[test]
fn keys_come_from_a_variable() {
    const VARIABLE: &str = "COOKIE_SESSION_TEST_KEYS";
    if std::env::var_os(VARIABLE).is_some() {
        let ring = KeyRing::from_env(VARIABLE).unwrap();
        assert_eq!(states(&ring), [KeyState::Active, KeyState::Announced]);
        assert!(!ring.reload().unwrap());
        return;
    }
    let error = KeyRing::from_env(VARIABLE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.to_string().contains(VARIABLE));
    // Cargo sets this one, to something else.
    assert_eq!(KeyRing::from_env("CARGO_PKG_NAME").unwrap_err().kind(), ErrorKind::Keys);
    // A variable can only be set for another process: this very test.
    let keys = format!("{}, announced {}", *key().expose(), *key().expose());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "keys_come_from_a_variable"])
        .env(VARIABLE, keys)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

#[test]
fn a_file_is_made_once_for_its_owner_alone() {
    let (_folder, path) = key_file();
    let before = fs::read_to_string(&path).unwrap();
    assert_eq!(KeyFile::new(&path).create().unwrap_err().kind(), ErrorKind::Unreadable);
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        KeyFile::new(&path).announce().unwrap();
        assert_eq!(mode(&path), 0o640);
    }
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_stays_a_link() {
    let (folder, path) = key_file();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    KeyFile::new(&link).announce().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(KeyFile::new(&path).entries().unwrap().len(), 2);
}

#[test]
fn a_change_waits_for_nobody_and_overwrites_nobodys() {
    let (folder, path) = key_file();
    let draft = folder.path().join("session.keys.new");
    fs::write(&draft, "").unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let error = KeyFile::new(&path).announce().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.to_string().contains("session.keys.new exists"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    assert!(draft.exists());
    // A refused change leaves no draft behind.
    fs::remove_file(&draft).unwrap();
    assert_eq!(KeyFile::new(&path).rotate().unwrap_err().kind(), ErrorKind::Refused);
    assert!(!draft.exists());
}

fn keygen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cookie-session-keygen")).args(arguments).output().unwrap()
}

/// The lines of standard output of a run that has to end well.
fn lines(arguments: &[&str]) -> Vec<String> {
    let output = keygen(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn keygen_walks_a_key_through_its_states() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let path = path.to_str().unwrap();
    let states = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    let fingerprint = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();

    let made = lines(&["create", path]);
    assert_eq!(states(&made), ["active"]);
    let first = fingerprint(&made[0]);
    assert!(made[0].contains(&format!("{first}  since 20")), "{}", made[0]);
    assert_eq!(states(&lines(&["announce", path])), ["active", "announced"]);
    assert_eq!(states(&lines(&["rotate", path])), ["retiring", "active"]);
    assert_eq!(states(&lines(&["rotate", "--now", path])), ["retiring", "retiring", "active"]);
    let revoked = lines(&["revoke", path, &first[..8]]);
    assert_eq!(states(&revoked), ["revoked", "retiring", "active"]);
    // An active key that is revoked is replaced.
    let active = fingerprint(&revoked[2]);
    let revoked = lines(&["revoke", path, &active]);
    assert_eq!(states(&revoked), ["revoked", "retiring", "revoked", "active"]);
    assert_eq!(states(&lines(&["remove", path, &first])), ["retiring", "revoked", "active"]);

    let inspected = lines(&["inspect", path]);
    let text = fs::read_to_string(path).unwrap();
    for (line, in_file) in inspected.iter().zip(text.lines().filter(|l| !l.starts_with('#'))) {
        let key: RootKey = in_file.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert_eq!(fingerprint(line), key.fingerprint());
    }
    assert!(!inspected.concat().contains("csk1_"));
    assert!(text.starts_with("# The keys of sessions."), "comments stay");
    assert_eq!(KeyRing::from_file(path).unwrap().keys().len(), 3);
}

#[test]
fn keygen_makes_a_key_for_a_variable() {
    let printed = lines(&["generate"]);
    assert_eq!(printed.len(), 1);
    assert!(printed[0].parse::<RootKey>().is_ok());
    assert_ne!(printed, lines(&["generate"]));
}

#[test]
fn keygen_says_what_is_wrong() {
    let (_folder, path) = key_file();
    let path = path.to_str().unwrap();
    let fails = |arguments: &[&str], expected: &str| {
        let output = keygen(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: ") && said.contains(expected), "{said}");
        assert!(!said.contains("csk1_"));
    };
    fails(&["create", path], "cannot make");
    fails(&["rotate", path], "no key is announced");
    fails(&["revoke", path, "zz"], "no key has a fingerprint that begins so");
    fails(&["revoke", path, ""], "no key has a fingerprint that begins so");
    let active = lines(&["inspect", path])[0].split_whitespace().nth(1).unwrap().to_owned();
    fails(&["remove", path, &active], "rotate first");
    fails(&["inspect", &format!("{path}.absent")], "cannot read");
    fs::write(path, "active csk1_nonsense").unwrap();
    fails(&["inspect", path], "line 1: a key has 52 characters");

    for arguments in [&["frobnicate"][..], &[], &["rotate"], &["rotate", "--now"]] {
        let output = keygen(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("cookie-session-keygen rotate"));
    }
    assert!(keygen(&["--help"]).status.success());
}
