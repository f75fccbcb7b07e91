//! The sign that a process is alive: a file that it keeps locked.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

pub(super) struct Owner {
    id: u128,
    path: PathBuf,
    /// Locked as long as it is open, and closed by the system when the process dies.
    _file: File,
}

impl Owner {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let id = random();
        let path = path(folder, id);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.lock()?;
        Ok(Self { id, path, _file: file })
    }

    pub(super) const fn id(&self) -> u128 {
        self.id
    }

    pub(super) fn is_alive(folder: &Path, id: u128) -> bool {
        is_locked(&path(folder, id))
    }

    /// Removes the files of processes that died. A file that is made just now may be taken for one,
    /// between its creation and its lock; the holds of that process then look free, which costs a
    /// creation and harms nothing, so files are spared in their first minute.
    pub(super) fn remove_dead(folder: &Path) {
        let Ok(files) = std::fs::read_dir(folder) else { return };
        for file in files.flatten() {
            let path = file.path();
            let age = file
                .metadata()
                .and_then(|meta| meta.modified())
                .ok()
                .and_then(|made| made.elapsed().ok());
            let is_old = age.is_some_and(|age| age.as_secs() > 60);
            if path.extension() == Some(OsStr::new("owner")) && is_old && !is_locked(&path) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn path(folder: &Path, id: u128) -> PathBuf {
    folder.join(format!("{id:032x}.owner"))
}

/// Where nobody can say, because no more files can be opened or this one is not ours to open, its
/// owner counts as alive: a lease has an end, and a living holder must not be robbed.
fn is_locked(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// A number that nobody else draws: the seeds of the standard library's hash maps come from the
/// system's source of randomness. A forked process has the seeds of its parent, and another number.
pub(super) fn random() -> u128 {
    let draw = || RandomState::new().hash_one(std::process::id());
    (u128::from(draw()) << 64) | u128::from(draw())
}
