//! Replacing a file as a whole.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind::{AlreadyExists, NotFound};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names of files that are being written and folders that are being removed. They are told apart by
/// the prefix, and a sweep removes those that were left behind.
pub(super) struct TempNames {
    handle: u64,
    next: AtomicU64,
}

impl TempNames {
    pub(super) const PREFIX: &str = "tmp-";

    pub(super) fn new() -> Self {
        // A process id would not do: processes in different containers may have the same.
        let handle = RandomState::new().hash_one(std::process::id());
        Self { handle, next: AtomicU64::new(0) }
    }

    pub(super) fn next(&self) -> String {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}{:016x}-{next:x}", Self::PREFIX, self.handle)
    }
}

/// Puts `bytes` where `path` is: whoever opens it finds either the old content or the new one. On an
/// error the old content stays.
pub(super) fn replace(path: &Path, bytes: &[u8], names: &TempNames, sync: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    // The folder may be missing, and others may remove it under our hands, but not for ever. Where
    // one is removed while it is created, the error is that it exists.
    for _ in 0..100 {
        match replace_in(folder, path, bytes, names, sync) {
            Err(error) if error.kind() == NotFound => {}
            done => return done,
        }
        match fs::create_dir_all(folder) {
            Err(error) if !matches!(error.kind(), NotFound | AlreadyExists) => return Err(error),
            _ => {}
        }
    }
    fs::create_dir_all(folder)?;
    Err(NotFound.into())
}

fn replace_in(
    folder: &Path,
    path: &Path,
    bytes: &[u8],
    names: &TempNames,
    sync: bool,
) -> io::Result<()> {
    // In the same folder: a rename between folders takes a lock of the whole file system.
    let temp = folder.join(names.next());
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&temp)?;
    let replaced = file
        .write_all(bytes)
        .and_then(|()| if sync { file.sync_all() } else { Ok(()) })
        .and_then(|()| fs::rename(&temp, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&temp);
    }
    replaced?;
    if sync { sync_folder(folder) } else { Ok(()) }
}

/// Makes the rename itself last.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
