//! The expensive function: word statistics of a folder tree.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Statistics {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) words: u64,
    pub(crate) distinct: u64,
    /// The most frequent words of more than three letters.
    pub(crate) top: Vec<(String, u64)>,
}

/// Reads every file below a folder, except hidden ones and what cargo builds.
pub(crate) fn of_folder(folder: &Path) -> Result<Statistics, String> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut statistics = Statistics { files: 0, bytes: 0, words: 0, distinct: 0, top: Vec::new() };
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| cannot_read(&folder, &error))? {
            let entry = entry.map_err(|error| cannot_read(&folder, &error))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| cannot_read(&path, &error))?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || name == "target" {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let bytes = fs::read(&path).map_err(|error| cannot_read(&path, &error))?;
                statistics.files += 1;
                statistics.bytes += bytes.len() as u64;
                count(&String::from_utf8_lossy(&bytes), &mut counts);
            }
        }
    }
    statistics.words = counts.values().sum();
    statistics.distinct = counts.len() as u64;
    let mut top: Vec<_> = counts.into_iter().filter(|(word, _)| word.chars().count() > 3).collect();
    top.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    top.truncate(20);
    statistics.top = top;
    Ok(statistics)
}

fn count(text: &str, counts: &mut HashMap<String, u64>) {
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}
