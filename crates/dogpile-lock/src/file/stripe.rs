//! One of the files that hold the tables, and its guard.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Display, Path, PathBuf};

use dogpile_core::Key;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::holds::Holds;

pub(super) struct Stripe(PathBuf);

const STRIPES: u64 = 64;

impl Stripe {
    /// The stripe of a key: the same in every process.
    pub(super) fn of(folder: &Path, key: Key<'_>) -> Self {
        let seed = key.group().map_or(0, xxh3_64);
        Self::number(folder, xxh3_64_with_seed(key.as_bytes(), seed) % STRIPES)
    }

    pub(super) fn all(folder: &Path) -> impl Iterator<Item = Self> {
        (0..STRIPES).map(move |number| Self::number(folder, number))
    }

    fn number(folder: &Path, number: u64) -> Self {
        Self(folder.join(format!("{number:02x}.holds")))
    }

    pub(super) fn exists(&self) -> bool {
        self.0.exists()
    }

    pub(super) fn display(&self) -> Display<'_> {
        self.0.display()
    }

    /// The right to change the table, or `None` while another has it.
    pub(super) fn try_guard(&self) -> io::Result<Option<Guard>> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.0)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Guard(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The table without its guard, for a look: `None` if it is being changed just now.
    pub(super) fn peek(&self) -> Option<Holds> {
        match std::fs::read(&self.0) {
            Ok(bytes) if bytes.is_empty() => Some(Holds::default()),
            Ok(bytes) => Holds::from_bytes(&bytes),
            Err(error) => (error.kind() == io::ErrorKind::NotFound).then(Holds::default),
        }
    }
}

/// The right to change a table. Dropping it closes the file, and that unlocks it.
pub(super) struct Guard(File);

impl Guard {
    /// The table. One that was left half written holds nothing: who was in it finds its lease lost.
    pub(super) fn read(&mut self) -> io::Result<Holds> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(0))?;
        self.0.read_to_end(&mut bytes)?;
        Ok(Holds::from_bytes(&bytes).unwrap_or_default())
    }

    pub(super) fn write(&mut self, holds: &Holds) -> io::Result<()> {
        let bytes = holds.to_bytes();
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(&bytes)?;
        self.0.set_len(bytes.len() as u64)
    }
}
