//! How much the folder holds, counted by all its processes together.
//!
//! The account is the length of the file `usage`: one byte for each block of 4 KiB. Appending to a
//! file and asking for its length are atomic and survive a kill, so no process has to lock or to
//! remember anything. It only grows, also where a file replaces another, until a sweep sets it right.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind::NotFound, Write};
use std::path::{Path, PathBuf};

const BLOCK: u64 = 4096;

/// What a file of this length takes on disk.
pub(super) fn on_disk(length: u64) -> u64 {
    length.div_ceil(BLOCK) * BLOCK
}

/// Adds so many bytes, in whole blocks, and answers the total. Creates the folder if need be.
pub(super) fn add(root: &Path, bytes: u64) -> io::Result<u64> {
    let open = || OpenOptions::new().append(true).create(true).open(path(root));
    let mut file = match open() {
        Err(error) if error.kind() == NotFound => {
            create(root)?;
            open()?
        }
        opened => opened?,
    };
    if bytes > 0 {
        let blocks = usize::try_from(bytes / BLOCK).unwrap_or(usize::MAX);
        file.write_all(&vec![0; blocks])?;
    }
    Ok(file.metadata()?.len() * BLOCK)
}

pub(super) fn read(root: &Path) -> io::Result<u64> {
    Ok(path(root).metadata()?.len() * BLOCK)
}

/// Sets the account right: `counted` by somebody who started when it said `before`. What was added
/// meanwhile may or may not have been counted, and is added again.
pub(super) fn correct(root: &Path, counted: u64, before: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path(root))?;
    let meanwhile = (file.metadata()?.len() * BLOCK).saturating_sub(before);
    file.set_len((counted + meanwhile) / BLOCK)
}

/// Creates the folder for its owner only: what is cached may be private, and whoever may write the
/// folder may put values into the cache.
fn create(root: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(root)
}

fn path(root: &Path) -> PathBuf {
    root.join("usage")
}
