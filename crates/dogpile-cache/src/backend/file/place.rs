//! Which file belongs to which key.
//!
//! Names of files are hashes, so no key can name a file outside the folder:
//! `names/<2 digits>/<hash of the name>` for plain names, and
//! `groups/<2 digits>/<hash of the group>/<hash of the name>` for fields of a group. A hash is XXH3
//! of 128 bits in 32 hexadecimal digits; the 2 digits are its first.

use std::path::{Path, PathBuf};

use dogpile_core::Key;
use xxhash_rust::xxh3::xxh3_128;

pub(super) const NAMES: &str = "names";
pub(super) const GROUPS: &str = "groups";

pub(super) fn file(root: &Path, key: Key<'_>) -> PathBuf {
    let name = xxh3_128(key.as_bytes());
    match key.group() {
        None => root.join(format!("{NAMES}/{:02x}/{name:032x}", name >> 120)),
        Some(group) => {
            let group = xxh3_128(group);
            root.join(format!("{GROUPS}/{:02x}/{group:032x}/{name:032x}", group >> 120))
        }
    }
}

pub(super) fn group(root: &Path, group: &[u8]) -> PathBuf {
    let group = xxh3_128(group);
    root.join(format!("{GROUPS}/{:02x}/{group:032x}", group >> 120))
}

/// The hash that a file or folder is named by, if it is one of ours.
pub(super) fn hash_of(name: &str) -> Option<u128> {
    let digits = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match name.len() == 32 && name.bytes().all(digits) {
        true => u128::from_str_radix(name, 16).ok(),
        false => None,
    }
}
