//! Serialised values in a folder, shared by the processes of a machine.

mod format;
mod place;
mod sweep;
mod usage;
mod write;

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind::NotFound, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dogpile_core::{Backend, Entry, Error, ErrorKind, Key, Result, SetOptions};

use self::format::Found;
use self::write::TempNames;
use super::memory::too_large;

/// Keeps serialised values in a folder, which any number of processes on one machine may share.
///
/// # What it promises
/// - A value is replaced as a whole: every reader finds the old one or the new one, also when a
///   writer is killed at any moment. A write is seen by every process once it has returned.
/// - A file that is damaged, or that something else put there, is a miss, and is
///   [counted](FileStats::damaged).
/// - Values survive their process. After a power failure the latest ones may be missing, and a torn
///   one is a miss, unless [`with_sync`](Self::with_sync) is on.
/// - The folder is [bounded](Self::with_capacity), by what it takes on disk in blocks of 4 KiB. When
///   it is full, the entries that were written longest ago go first.
///
/// Keys may be any bytes of any length. The file format is that of `docs/formats/file.md`.
///
/// # Blocking
/// Reads and writes are made in place, on the calling thread, and a future of this backend is ready
/// at the first poll: a read from the page cache takes a few microseconds, less than it takes to
/// hand it to another thread. On a network disk that does not hold. The write that finds the folder
/// full also sweeps it, which takes some 2 µs for each entry there is and 30 µs for each that goes;
/// call [`sweep`](Self::sweep) from a thread of yours now and then, and hardly a write will have to.
///
/// # What it does not do
/// It does not lock: pair it with a lock between processes. Entries past
/// [`SetOptions::keep_for`] are not looked for, they stay until the folder is full. Do not share one
/// folder between machines.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bytes::Bytes;
/// use dogpile_cache::backend::File;
/// use dogpile_core::{Backend, BackendExt, Entry, Key, Timestamp};
///
/// let folder = tempfile::tempdir()?;
/// let file = File::open(folder.path())?.with_capacity(100 << 20);
/// file.set(Key::name("a"), Entry::new(Timestamp::MIN, Bytes::from("value"))).await?;
///
/// let other_process = File::open(folder.path())?;
/// assert_eq!(other_process.get(Key::name("a")).await?.unwrap().value, "value");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct File {
    shared: Arc<Shared>,
    capacity: u64,
    max_value: Option<u64>,
    sync: bool,
}

struct Shared {
    root: PathBuf,
    temp_names: TempNames,
    damaged: AtomicU64,
    evictions: AtomicU64,
}

/// What a [`File`] has seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileStats {
    /// What the folder takes on disk, in bytes, about: by the account that all processes keep
    /// together. A sweep sets it right; between sweeps it grows also where a value replaces another.
    pub bytes: u64,
    /// Reads by this handle and its clones that met a damaged or foreign file.
    pub damaged: u64,
    /// Entries that this handle and its clones evicted.
    pub evictions: u64,
}

impl File {
    /// The default of [`with_capacity`](Self::with_capacity): 1 GiB.
    pub const DEFAULT_CAPACITY: u64 = 1 << 30;

    /// Opens a folder, and creates it, for its owner only, where it is missing.
    ///
    /// Give it a folder of its own. Nothing in it is read or removed but what has the names of this
    /// format. Whoever may write there may put values into the cache, so do not open it to others.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for a folder that cannot be created or written, and
    /// [`ErrorKind::Unavailable`] where the disk fails.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let usable = || {
            let root = std::path::absolute(folder)?;
            usage::add(&root, 0)?;
            Ok(root)
        };
        let root = usable().map_err(|error| failed("use the cache folder", folder, error))?;
        let (damaged, evictions) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self {
            shared: Arc::new(Shared { root, temp_names: TempNames::new(), damaged, evictions }),
            capacity: Self::DEFAULT_CAPACITY,
            max_value: None,
            sync: false,
        })
    }

    /// How many bytes the folder may take on disk, about: the processes that share it should agree.
    #[must_use]
    pub fn with_capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// The longest value that is kept, in bytes, at most the capacity. The default is a tenth of the
    /// capacity. A longer one is [`ErrorKind::TooLarge`].
    #[must_use]
    pub fn with_max_value(mut self, bytes: u64) -> Self {
        self.max_value = Some(bytes);
        self
    }

    /// Whether a write returns only after the disk has it (`fsync`), which takes milliseconds. Off by
    /// default.
    #[must_use]
    pub fn with_sync(mut self, yes: bool) -> Self {
        self.sync = yes;
        self
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.shared.root
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> FileStats {
        FileStats {
            bytes: usage::read(&self.shared.root).unwrap_or(0),
            damaged: self.shared.damaged.load(Ordering::Relaxed),
            evictions: self.shared.evictions.load(Ordering::Relaxed),
        }
    }

    /// Takes stock of the folder: evicts what is beyond nine tenths of the capacity, and removes what
    /// killed processes left behind.
    ///
    /// Writes do it by themselves when the folder is full. It blocks the calling thread; while one
    /// process sweeps, others return at once.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] or [`ErrorKind::Unavailable`] for a folder that cannot be read or
    /// written.
    pub fn sweep(&self) -> Result<()> {
        let root = &self.shared.root;
        let evicted = sweep::sweep(root, self.capacity)
            .map_err(|error| failed("sweep the cache folder", root, error))?;
        self.shared.evictions.fetch_add(evicted, Ordering::Relaxed);
        Ok(())
    }

    fn read(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        let path = place::file(&self.shared.root, key);
        let found = match self.read_file(&path, key) {
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed("read", &path, error)),
            Ok(found) => found,
        };
        if matches!(found, Found::Damaged) {
            self.shared.damaged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(found.entry())
    }

    /// One `open`, one `fstat` and one `read`: nothing is copied after that.
    fn read_file(&self, path: &Path, key: Key<'_>) -> io::Result<Found> {
        let mut file = fs::File::open(path)?;
        let metadata = file.metadata()?;
        let longest = self.capacity.saturating_add(format::overhead(key));
        let length = match usize::try_from(metadata.len()) {
            Ok(length) if metadata.is_file() && metadata.len() <= longest => length,
            _ => return Ok(Found::Damaged),
        };
        let mut bytes = vec![0; length];
        match file.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Found::Damaged),
            Err(error) => Err(error),
            Ok(()) => Ok(format::decode(key, &bytes.into())),
        }
    }

    fn write(&self, items: &[(Key<'_>, Entry<Bytes>)]) -> Result<()> {
        let root = &self.shared.root;
        let limit = self.max_value.unwrap_or(self.capacity / 10).min(self.capacity);
        let mut files = Vec::with_capacity(items.len());
        for (key, entry) in items {
            let size = entry.value.len() as u64;
            if size > limit {
                return Err(too_large(*key, size, limit));
            }
            files.push((place::file(root, *key), format::encode(*key, entry)?));
        }
        let bytes = files.iter().map(|(_, bytes)| usage::on_disk(bytes.len() as u64)).sum();
        let add = || {
            usage::add(root, bytes)
                .map_err(|error| failed("write to the cache folder", root, error))
        };
        if add()? > self.capacity {
            self.sweep()?;
            // The sweep counted what is there, and these are not yet.
            add()?;
        }
        for (path, bytes) in files {
            write::replace(&path, &bytes, &self.shared.temp_names, self.sync)
                .map_err(|error| failed("write", &path, error))?;
        }
        Ok(())
    }

    fn remove(&self, key: Key<'_>) -> Result<()> {
        let path = place::file(&self.shared.root, key);
        match fs::remove_file(&path) {
            Err(error) if !is_missing(&error) => Err(failed("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// The folder of the group is moved away first, so that all its entries are gone at once.
    fn remove_group(&self, group: &[u8]) -> Result<()> {
        let path = place::group(&self.shared.root, group);
        let gone = path.with_file_name(self.shared.temp_names.next());
        match fs::rename(&path, &gone) {
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(failed("remove", &path, error)),
            Ok(()) => {}
        }
        // What is left of it under its new name is nobody's, and goes with the next sweep.
        let _ = fs::remove_dir_all(gone);
        Ok(())
    }
}

impl Backend for File {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        self.read(key)
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        keys.iter().map(|key| self.read(*key)).collect()
    }

    async fn set_many(&self, items: &[(Key<'_>, Entry<Bytes>)], _: &SetOptions) -> Result<()> {
        if items.is_empty() { Ok(()) } else { self.write(items) }
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        keys.iter().try_for_each(|key| self.remove(*key))
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.remove_group(group)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("folder", &self.shared.root)
            .field("capacity", &self.capacity)
            .field("max_value", &self.max_value)
            .field("sync", &self.sync)
            .field("stats", &self.stats())
            .finish()
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), NotFound | io::ErrorKind::NotADirectory)
}

/// The error of a folder or file that could not be used.
fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    use io::ErrorKind::{AlreadyExists, NotADirectory, PermissionDenied, ReadOnlyFilesystem};

    let kind = match error.kind() {
        AlreadyExists | NotADirectory | PermissionDenied | ReadOnlyFilesystem => ErrorKind::Refused,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("cannot {what} {}: {}", path.display(), error.kind()))
        .with_source(error)
}
