//! A hit of the file backend, against reading the same file.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use dogpile_cache::backend::File;
use dogpile_core::{Backend, BackendExt, Entry, Key, Timestamp};

use super::Measured;
use super::hit::compare;
use crate::arguments::Settings;
use crate::report::Bar;
use crate::timing::{Contestant, take_turns};

const OPERATIONS: u64 = 50;

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let folder = tempfile::tempdir()?;
    let backend = File::open(folder.path())?;
    let key = Key::name("a key of 16 byte");
    let entry = Entry::new(Timestamp::from_millis(1), Bytes::from(vec![7; 1024]));
    runtime.block_on(backend.set(key, entry))?;
    let path = entry_file(folder.path())?.ok_or("the file backend wrote no file")?;
    let measured = take_turns(
        settings.short_rounds(),
        vec![
            Contestant::new("file backend", || {
                runtime.block_on(async {
                    for _ in 0..OPERATIONS {
                        let _ = black_box(backend.get(key).await);
                    }
                });
                OPERATIONS
            }),
            Contestant::new("fs::read", || {
                for _ in 0..OPERATIONS {
                    let _ = black_box(fs::read(&path));
                }
                OPERATIONS
            }),
        ],
    );
    Ok(vec![compare("file backend hit", &measured[0], &measured[1], Bar::AtMost(2.0))].into())
}

/// The file that holds the entry: the only one that is long enough.
fn entry_file(folder: &Path) -> std::io::Result<Option<PathBuf>> {
    for found in fs::read_dir(folder)? {
        let found = found?;
        let below = match found.file_type()?.is_dir() {
            true => entry_file(&found.path())?,
            false => (found.metadata()?.len() >= 1024).then(|| found.path()),
        };
        if below.is_some() {
            return Ok(below);
        }
    }
    Ok(None)
}
