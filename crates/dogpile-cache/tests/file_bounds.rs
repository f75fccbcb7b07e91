//! The file backend keeps its folder within bounds.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs::{self, FileTimes};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dogpile_cache::backend::File;
use dogpile_core::{Backend, BackendExt, Entry, Key, Timestamp};
use tempfile::TempDir;

/// 64 blocks, of which a sweep leaves 57.
const CAPACITY: u64 = 1 << 18;

fn entry(size: usize, fill: u8) -> Entry<Bytes> {
    Entry::new(Timestamp::MIN, vec![fill; size].into())
}

/// What a folder takes on disk, in blocks, without the files that keep the account.
fn on_disk(folder: &Path) -> u64 {
    let mut sum = 0;
    for found in fs::read_dir(folder).into_iter().flatten().flatten() {
        match found.metadata() {
            Ok(metadata) if metadata.is_dir() => sum += on_disk(&found.path()),
            Ok(metadata) => sum += metadata.len().div_ceil(4096) * 4096,
            // Gone since it was listed.
            Err(_) => {}
        }
    }
    sum
}

fn entries_on_disk(file: &File) -> u64 {
    ["names", "groups"].iter().map(|kind| on_disk(&file.folder().join(kind))).sum()
}

#[tokio::test]
async fn the_oldest_go_first_and_the_newest_stay() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap().with_capacity(CAPACITY);
    for n in 0..300 {
        let key = n.to_string();
        let key = if n % 2 == 0 { Key::name(&key) } else { Key::field("odd", &key) };
        file.set(key, entry(1_000, 1)).await.unwrap();
        assert!(file.get(key).await.unwrap().is_some(), "{n} was not evicted to make its own room");
        if n % 50 == 0 {
            assert!(entries_on_disk(&file) <= CAPACITY);
        }
    }
    let stats = file.stats();
    assert!((236..=243).contains(&stats.evictions), "{stats:?}");
    assert!(stats.bytes <= CAPACITY && entries_on_disk(&file) <= stats.bytes, "{stats:?}");
    for n in 0..300 {
        let key = n.to_string();
        let key = if n % 2 == 0 { Key::name(&key) } else { Key::field("odd", &key) };
        let kept = file.get(key).await.unwrap().is_some();
        assert!(if n < 230 { !kept } else { n < 243 || kept }, "{n}: {kept}");
    }
}

/// Blocks are handed out to the same few files again and again: the account grows, the folder does
/// not, and nothing may be lost.
#[tokio::test]
async fn overwriting_evicts_nothing() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap().with_capacity(CAPACITY);
    for n in 0..300_u32 {
        let key = (n % 30).to_string();
        file.set(Key::name(&key), entry(1_000, 1)).await.unwrap();
        assert!(file.stats().bytes <= CAPACITY);
    }
    assert_eq!(file.stats().evictions, 0);
    file.sweep().unwrap();
    assert_eq!(file.stats().bytes, 30 * 4096);
}

#[tokio::test]
async fn all_handles_keep_one_account() {
    let folder = TempDir::new().unwrap();
    let open = || File::open(folder.path()).unwrap().with_capacity(CAPACITY);
    for n in 0..200 {
        // As many short-lived processes do: none of them writes much.
        open().set(Key::name(&n.to_string()), entry(1_000, 1)).await.unwrap();
        assert!(open().stats().bytes <= CAPACITY);
    }
    assert!(entries_on_disk(&open()) <= CAPACITY);
}

#[tokio::test]
async fn a_sweep_removes_what_the_killed_left_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    for key in [Key::name("a"), Key::field("g", "a")] {
        file.set(key, entry(10, 1)).await.unwrap();
    }
    let some_folder = |kind| {
        let shard = fs::read_dir(folder.path().join(kind)).unwrap().next().unwrap().unwrap();
        shard.path()
    };
    let (names, groups) = (some_folder("names"), some_folder("groups"));
    let touch = |path: &Path, age: Duration| {
        fs::write(path, [7; 5_000]).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(SystemTime::now() - age)).unwrap();
    };
    let (old, new) = (names.join("tmp-0123456789abcdef-1"), names.join("tmp-0123456789abcdef-2"));
    touch(&old, Duration::from_secs(3_600));
    touch(&new, Duration::from_secs(60));
    let foreign = names.join("README");
    touch(&foreign, Duration::from_secs(1 << 20));
    let (removed, emptied) = (groups.join("tmp-0123456789abcdef-3"), groups.join("0".repeat(32)));
    fs::create_dir(&removed).unwrap();
    touch(&removed.join("1".repeat(32)), Duration::ZERO);
    fs::create_dir(&emptied).unwrap();

    file.sweep().unwrap();
    for gone in [&old, &removed, &emptied] {
        assert!(!gone.exists(), "{}", gone.display());
    }
    for kept in [&new, &foreign] {
        assert!(kept.exists(), "{}", kept.display());
    }
    assert_eq!(file.stats().bytes, 2 * 4096 + 2 * 4096, "two entries, and one still being written");
    for key in [Key::name("a"), Key::field("g", "a")] {
        assert!(file.get(key).await.unwrap().is_some());
    }
}

#[test]
fn while_one_sweeps_others_return_at_once() {
    let folder = TempDir::new().unwrap();
    let file = File::open(folder.path()).unwrap();
    file.sweep().unwrap();
    let lock = fs::File::open(folder.path().join("sweep.lock")).unwrap();
    lock.lock().unwrap();
    let left = folder.path().join("groups/00").join("tmp-0-0");
    fs::create_dir_all(&left).unwrap();
    file.sweep().unwrap();
    assert!(left.exists());
    lock.unlock().unwrap();
    file.sweep().unwrap();
    assert!(!left.exists());
}

/// Writers and removers of overlapping keys, all over the bound all the time: no error, no torn or
/// foreign value, and the bound holds in the end.
#[test]
fn sweeps_and_writes_at_once() {
    let folder = TempDir::new().unwrap();
    let stop = AtomicBool::new(false);
    let open = || File::open(folder.path()).unwrap().with_capacity(2 * CAPACITY);
    let block_on = |work: &mut dyn FnMut(&tokio::runtime::Runtime)| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        work(&runtime);
    };
    std::thread::scope(|scope| {
        let writers = [1_u8, 2, 3].map(|writer| {
            let file = open();
            scope.spawn(move || {
                block_on(&mut |runtime| {
                    for n in 0..200_usize {
                        let name = (n % 100).to_string();
                        let key = match n % 3 {
                            0 => Key::field("g", &name),
                            _ => Key::name(&name),
                        };
                        let size = 1 + n * 37 % 9_000;
                        runtime.block_on(file.set(key, entry(size, writer))).unwrap();
                        if n % 50 == 0 {
                            runtime.block_on(file.delete_group(b"g")).unwrap();
                        }
                    }
                });
            })
        });
        let reader = scope.spawn(|| {
            let file = open();
            block_on(&mut |runtime| {
                while !stop.load(Ordering::Relaxed) {
                    for n in 0..100 {
                        let name = n.to_string();
                        for key in [Key::name(&name), Key::field("g", &name)] {
                            if let Some(entry) = runtime.block_on(file.get(key)).unwrap() {
                                let first = entry.value[0];
                                assert!((1..=3).contains(&first));
                                assert!(entry.value.iter().all(|byte| *byte == first));
                            }
                        }
                    }
                }
            });
            assert_eq!(file.stats().damaged, 0);
        });
        // The reader has to be told also if a writer failed.
        let written = writers.map(|writer| writer.join());
        stop.store(true, Ordering::Relaxed);
        written.into_iter().for_each(|written| written.unwrap());
        reader.join().unwrap();
    });
    let file = open();
    file.sweep().unwrap();
    assert!(entries_on_disk(&file) <= 2 * CAPACITY);
    assert_eq!(file.stats().bytes, entries_on_disk(&file));
}
