//! The file backend in one process: its format, its errors, what it makes of damage.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use dogpile_cache::backend::File;
use dogpile_conformance::{Subject, backend_suite};
use dogpile_core::{Backend, BackendExt, Entry, ErrorKind, Key, Timestamp};
use tempfile::TempDir;

mod conformance {
    use super::*;

    backend_suite!(async {
        let folder = TempDir::new().unwrap();
        let open = || File::open(folder.path()).unwrap();
        let (file, other) = (open(), open());
        Subject::new(file).with_other(other).with_guard(Arc::new(folder))
    });
}

fn entry(value: impl Into<Bytes>) -> Entry<Bytes> {
    Entry::new(Timestamp::from_millis(1_700_000_000_250), value.into())
}

/// All files below a folder whose names are those of entries.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(entries(&path));
        } else if path.file_name().unwrap().len() == 32 {
            found.push(path);
        }
    }
    found
}

fn only_entry(folder: &Path) -> PathBuf {
    let [path] = entries(folder).try_into().unwrap();
    path
}

/// The bytes and the places of the format never change: other versions of this crate, and of this
/// program, read them.
#[tokio::test]
async fn the_format_is_that_of_the_golden_files() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let plain = entry("value").with_version(7);
    let field = entry(vec![0xff; 3]).with_expires(Timestamp::from_millis(1_700_000_300_250));
    for (key, entry, place, golden_file) in [
        (
            Key::name("front page"),
            plain,
            "names/47/47d2b90f6ec63809093eaaf87e3852bc",
            "file-v1-name.bin",
        ),
        (
            Key::field("users", "15"),
            field,
            "groups/48/48860f98be550e0ac7167fdc4036a2ff/3939209799fc3367d7080b213541ea80",
            "file-v1-field.bin",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let file = File::open(folder.path()).unwrap();
        file.set(key, entry.clone()).await.unwrap();
        let written = fs::read(folder.path().join(place)).unwrap();
        assert_eq!(written, fs::read(golden.join(golden_file)).unwrap());
        assert_eq!(file.get(key).await.unwrap(), Some(entry));
    }
}

#[tokio::test]
async fn any_damage_is_a_counted_miss() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    let key = Key::field("group", "name");
    file.set(key, entry("some value")).await.unwrap();
    let path = only_entry(folder.path());
    let whole = fs::read(&path).unwrap();
    let mut damages: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
    damages.extend((0..whole.len()).map(|at| {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        changed
    }));
    damages.push([&whole[..], &[0]].concat());
    damages.push(vec![0; 100_000]);
    damages.push(b"#!/bin/sh\n".repeat(10));
    for (n, damage) in (1..).zip(damages) {
        fs::write(&path, &damage).unwrap();
        assert_eq!(file.get(key).await.unwrap(), None, "{damage:?}");
        assert_eq!(file.stats().damaged, n);
    }
    file.set(key, entry("new value")).await.unwrap();
    assert_eq!(file.get(key).await.unwrap().unwrap().value, "new value");
}

#[tokio::test]
async fn the_entry_of_another_key_is_a_miss_and_no_damage() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    file.set(Key::name("a"), entry("1")).await.unwrap();
    let a = fs::read(only_entry(folder.path())).unwrap();
    file.set(Key::name("b"), entry("2")).await.unwrap();
    for path in entries(folder.path()) {
        fs::write(path, &a).unwrap();
    }
    assert_eq!(file.get(Key::name("b")).await.unwrap(), None);
    assert_eq!(file.get(Key::name("a")).await.unwrap().unwrap().value, "1");
    assert_eq!(file.stats().damaged, 0);
}

/// A file that claims to be huge is not read into memory: it has no blocks on disk, and would take
/// a terabyte.
#[tokio::test]
async fn a_huge_foreign_file_is_not_read() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    file.set(Key::name("a"), entry("1")).await.unwrap();
    let foreign = fs::File::options().write(true).open(only_entry(folder.path())).unwrap();
    foreign.set_len(1 << 40).unwrap();
    assert_eq!(file.get(Key::name("a")).await.unwrap(), None);
    assert_eq!(file.stats().damaged, 1);
}

#[tokio::test]
async fn a_folder_in_the_place_of_an_entry_is_a_miss() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    file.set(Key::name("a"), entry("1")).await.unwrap();
    let path = only_entry(folder.path());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(file.get(Key::name("a")).await.unwrap(), None);
    let error = file.set(Key::name("a"), entry("2")).await.unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

/// Whatever the key says, it names a file inside the folder.
#[tokio::test]
async fn keys_cannot_leave_the_folder() {
    let outer = TempDir::new().unwrap();
    let file = File::open(outer.path().join("cache")).unwrap();
    for name in ["../x", "/etc/passwd", "..", "", "a/../../b", "\0", "C:\\x"] {
        for key in [Key::name(name), Key::field(name, name)] {
            file.set(key, entry(name.to_owned())).await.unwrap();
            assert_eq!(file.get(key).await.unwrap().unwrap().value, name);
        }
    }
    let inside: Vec<_> =
        fs::read_dir(outer.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(inside, ["cache"]);
    assert_eq!(entries(outer.path()).len(), 14);
}

/// A write replaces a symbolic link, and not what it points to.
#[cfg(unix)]
#[tokio::test]
async fn a_write_does_not_follow_links() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path().join("cache")).unwrap();
    file.set(Key::name("a"), entry("1")).await.unwrap();
    let (path, victim) = (only_entry(folder.path()), folder.path().join("victim"));
    fs::write(&victim, "precious").unwrap();
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    assert_eq!(file.get(Key::name("a")).await.unwrap(), None);
    file.set(Key::name("a"), entry("2")).await.unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert_eq!(file.get(Key::name("a")).await.unwrap().unwrap().value, "2");
}

#[tokio::test]
async fn a_value_too_large_says_how_large_and_leaves_the_old_one() {
    let folder = TempDir::new().unwrap();
    let open = || File::open(folder.path()).unwrap().with_capacity(1_000_000);
    for (file, limit) in [
        (open(), 100_000),
        (open().with_max_value(10), 10),
        (open().with_max_value(10).with_capacity(5), 5),
    ] {
        let key = Key::name("a");
        file.set(key, entry(vec![1; limit])).await.unwrap();
        let error = file.set(key, entry(vec![2; limit + 1])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let said = error.to_string();
        assert!(
            said.contains(&limit.to_string()) && said.contains(&(limit + 1).to_string()),
            "{said}",
        );
        assert_eq!(open().get(key).await.unwrap().unwrap().value, vec![1; limit]);
    }
}

#[test]
fn a_missing_folder_is_created_and_an_impossible_one_is_refused() {
    let outer = TempDir::new().unwrap();
    let deep = outer.path().join("not/there/yet");
    assert_eq!(File::open(&deep).unwrap().folder(), deep);
    assert!(deep.is_dir());

    let occupied = outer.path().join("a file");
    fs::write(&occupied, "").unwrap();
    for impossible in [occupied.clone(), occupied.join("below")] {
        let error = File::open(&impossible).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.to_string().contains(impossible.to_str().unwrap()), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_it_creates_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let outer = TempDir::new().unwrap();
    let folder = outer.path().join("cache");
    File::open(&folder).unwrap();
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

/// Where permissions mean something: not for root, who may write anywhere but to `/proc`.
#[cfg(target_os = "linux")]
#[test]
fn an_unwritable_folder_is_a_clear_error() {
    let error = File::open("/proc/1/dogpile").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Refused | ErrorKind::Unavailable), "{error:?}");
    assert!(error.to_string().contains("/proc/1/dogpile"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_the_old_value_stays() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    file.set(Key::name("a"), entry("old")).await.unwrap();
    // `/dev/full` answers every write as a full disk does.
    let usage = folder.path().join("usage");
    fs::remove_file(&usage).unwrap();
    std::os::unix::fs::symlink("/dev/full", &usage).unwrap();
    let error = file.set(Key::name("a"), entry("new")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_temporary());
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    assert_eq!(file.get(Key::name("a")).await.unwrap().unwrap().value, "old");
}

#[tokio::test]
async fn the_folder_may_be_emptied_under_a_running_process() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path().join("cache")).unwrap();
    for round in 0..3 {
        let key = Key::field("group", "name");
        assert_eq!(file.get(key).await.unwrap(), None);
        file.delete(key).await.unwrap();
        file.delete_group(b"group").await.unwrap();
        file.set(key, entry(vec![round])).await.unwrap();
        assert_eq!(file.get(key).await.unwrap().unwrap().value, vec![round]);
        fs::remove_dir_all(file.folder()).unwrap();
    }
}

#[tokio::test]
async fn synced_writes_are_read_back() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap().with_sync(true);
    file.set(Key::name("a"), entry("1")).await.unwrap();
    assert_eq!(file.get(Key::name("a")).await.unwrap().unwrap().value, "1");
}

#[tokio::test]
async fn nothing_is_left_of_a_group_or_of_its_writers() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    for n in 0..50 {
        file.set(Key::field("group", &n.to_string()), entry("1")).await.unwrap();
    }
    file.delete_group(b"group").await.unwrap();
    assert_eq!(entries(folder.path()), Vec::<PathBuf>::new());
    let shard = fs::read_dir(folder.path().join("groups")).unwrap().next().unwrap().unwrap();
    assert_eq!(fs::read_dir(shard.path()).unwrap().count(), 0);
}
