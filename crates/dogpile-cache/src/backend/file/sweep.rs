//! Keeping the folder within its bounds.

use std::fs::{self, DirEntry, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::write::TempNames;
use super::{place, usage};

/// After this long a file that is still being written has lost its writer: ten minutes.
const ABANDONED: Duration = Duration::from_secs(600);

/// Sweeps the folder, unless somebody else does it now: evicts the entries written longest ago until
/// the rest fits into nine tenths of `capacity`, so that the next sweep is a tenth away. Answers how
/// many it evicted.
pub(super) fn sweep(root: &Path, capacity: u64) -> io::Result<u64> {
    let lock = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(root.join("sweep.lock"))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(0),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    let before = usage::read(root)?;
    let mut stock = Stock::default();
    stock.take(root)?;
    let evicted = stock.evict(capacity / 10 * 9);
    usage::correct(root, stock.bytes, before)?;
    Ok(evicted)
}

/// What the folder holds.
#[derive(Default)]
struct Stock {
    bytes: u64,
    /// The folders of the entries, and whether one may be removed once it is empty.
    folders: Vec<(PathBuf, bool)>,
    entries: Vec<Held>,
}

/// An entry in its folder: few bytes, as there may be millions.
struct Held {
    written: SystemTime,
    bytes: u64,
    folder: usize,
    hash: u128,
}

impl Stock {
    fn take(&mut self, root: &Path) -> io::Result<()> {
        for folder in list(&root.join(place::NAMES))? {
            self.take_entries(folder.path(), false)?;
        }
        for shard in list(&root.join(place::GROUPS))? {
            for group in list(&shard.path())? {
                match name(&group) {
                    name if place::hash_of(&name).is_some() => {
                        self.take_entries(group.path(), true)?;
                    }
                    // A group whose remover was killed.
                    name if name.starts_with(TempNames::PREFIX) => {
                        let _ = fs::remove_dir_all(group.path());
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn take_entries(&mut self, folder: PathBuf, removable: bool) -> io::Result<()> {
        let entries = self.entries.len();
        for file in list(&folder)? {
            // Files come and go meanwhile.
            let Ok(metadata) = file.metadata() else { continue };
            let Ok(written) = metadata.modified() else { continue };
            let (name, bytes) = (name(&file), usage::on_disk(metadata.len()));
            if !metadata.is_file() {
                continue;
            } else if let Some(hash) = place::hash_of(&name) {
                self.entries.push(Held { written, bytes, folder: self.folders.len(), hash });
            } else if !name.starts_with(TempNames::PREFIX) {
                continue;
            } else if written.elapsed().is_ok_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(file.path());
                continue;
            }
            self.bytes += bytes;
        }
        if removable && entries == self.entries.len() {
            // Fails, as it should, if something is in it.
            let _ = fs::remove_dir(&folder);
        }
        self.folders.push((folder, removable));
        Ok(())
    }

    fn evict(&mut self, goal: u64) -> u64 {
        self.entries.sort_unstable_by_key(|entry| entry.written);
        let mut evicted = 0;
        for entry in &self.entries {
            if self.bytes <= goal {
                break;
            }
            let (folder, removable) = &self.folders[entry.folder];
            let path = folder.join(format!("{:032x}", entry.hash));
            // What was written since is not old any more.
            let written = fs::symlink_metadata(&path).and_then(|file| file.modified());
            if written.is_ok_and(|written| written == entry.written)
                && fs::remove_file(&path).is_ok()
            {
                self.bytes -= entry.bytes;
                evicted += 1;
                if *removable {
                    let _ = fs::remove_dir(folder);
                }
            }
        }
        evicted
    }
}

/// The content of a folder; nothing, if it is missing or is none.
fn list(folder: &Path) -> io::Result<impl Iterator<Item = DirEntry>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => Some(entries),
        Err(error) if super::is_missing(&error) => None,
        Err(error) => return Err(error),
    };
    Ok(entries.into_iter().flatten().flatten())
}

fn name(entry: &DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}
