//! The `Set-Cookie` lines of a response.

use std::fmt::Write;
use std::time::Duration;

use super::chunk::{self, SeenChunks};
use super::{Attributes, MAX_BYTES};
use crate::{Error, ErrorKind};

/// Browsers forget a cookie after 400 days, whatever it says.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The lines that put a token into the browser, and take away what it sent of an earlier one in more
/// parts. Without a lifetime the browser forgets the cookie when it ends.
///
/// # Errors
/// Of the kind [`TooLarge`](ErrorKind::TooLarge) if a line would exceed 4,096 bytes.
pub(crate) fn set_cookie(
    attributes: &Attributes,
    token: &str,
    max_age: Option<Duration>,
    seen: SeenChunks,
) -> Result<Vec<String>, Error> {
    let mut suffix = String::with_capacity(128);
    attributes.write_to(&mut suffix);
    if let Some(max_age) = max_age {
        // What is left of a session is rounded down, so that no browser outlives it.
        let seconds = max_age.min(MAX_AGE).as_secs();
        write_number(&mut suffix, "; Max-Age=", seconds);
    }
    let around = attributes.name().len() + 1 + suffix.len();
    let count = chunk::count(token.len(), around);
    if count > attributes.max_chunks() {
        return Err(too_large(token.len(), around, attributes.max_chunks()));
    }
    let mut lines = Vec::with_capacity(count);
    if count == 1 {
        lines.push(line(attributes.name(), "", token, &suffix));
    } else {
        let part_chars = token.len().div_ceil(count);
        for (index, part) in token.as_bytes().chunks(part_chars).enumerate() {
            // A token is ASCII: it can be cut anywhere.
            let part = str::from_utf8(part).unwrap_or_default();
            lines.push(match index {
                0 => line(attributes.name(), &format!("{count}."), part, &suffix),
                _ => line(&chunk::name(attributes.name(), index), "", part, &suffix),
            });
        }
    }
    lines.extend(seen.from(count).map(|index| removal(attributes, index)));
    Ok(lines)
}

/// The lines that take the cookie away, and the parts that the browser sent of it. They repeat the
/// attributes: browsers tell cookies apart by them.
pub(crate) fn remove_cookie(attributes: &Attributes, seen: SeenChunks) -> Vec<String> {
    std::iter::once(0).chain(seen.from(1)).map(|index| removal(attributes, index)).collect()
}

fn removal(attributes: &Attributes, index: usize) -> String {
    let mut suffix = String::with_capacity(128);
    attributes.write_to(&mut suffix);
    // Browsers from before Max-Age go by the date.
    suffix.push_str("; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
    match index {
        0 => line(attributes.name(), "", "", &suffix),
        _ => line(&chunk::name(attributes.name(), index), "", "", &suffix),
    }
}

fn line(name: &str, mark: &str, value: &str, suffix: &str) -> String {
    [name, "=", mark, value, suffix].concat()
}

fn write_number(text: &mut String, before: &str, number: u64) {
    // Writing to a string does not fail.
    let _ = write!(text, "{before}{number}");
}

fn too_large(token: usize, around: usize, max_chunks: usize) -> Error {
    let (takes, room) = if max_chunks == 1 {
        (token + around, MAX_BYTES)
    } else {
        let around = around + chunk::MARK_BYTES;
        let room = MAX_BYTES.saturating_sub(around) * max_chunks;
        (token + around * max_chunks, room + around * max_chunks)
    };
    let what = format!(
        "the session's cookie would take {takes} bytes, of which a browser keeps {room}: keep less in \
         the session, or an id of what is kept elsewhere"
    );
    Error::new(ErrorKind::TooLarge, what)
}
