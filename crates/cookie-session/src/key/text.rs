//! The text form of a ring: a line for each key, its state before it.

use crate::{Error, ErrorKind, KeyState, RootKey};

/// The keys in a text; whether they make a ring is for others to say.
pub(super) fn parse(text: &str) -> Result<Vec<(KeyState, RootKey)>, Error> {
    let mut keys = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for entry in line.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let parsed = parse_entry(entry).map_err(|error| {
                Error::new(ErrorKind::Keys, format!("line {}: {error}", at + 1))
            })?;
            keys.push(parsed);
        }
    }
    Ok(keys)
}

fn parse_entry(entry: &str) -> Result<(KeyState, RootKey), Error> {
    let Some((state, key)) = entry.split_once(char::is_whitespace) else {
        return Ok((KeyState::Active, entry.parse()?));
    };
    Ok((state.parse()?, key.trim_start().parse()?))
}
