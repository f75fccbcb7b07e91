//! The stored form of dogpile.cache 1.5: `{"ct": 1700000000.25, "v": 2}|` and the value.
//!
//! Python's `json` writes the head, and this reads whatever JSON library wrote it: any spacing, any
//! order, more members than these.

use bytes::Bytes;
use dogpile_core::{Entry, Timestamp};

pub(super) fn encode(entry: &Entry<Bytes>) -> Bytes {
    let mut head = format!("{{\"ct\": {}, \"v\": {}", seconds(entry.created), entry.version);
    if entry.expires != Timestamp::MAX {
        head.push_str(", \"expires\": ");
        head.push_str(&seconds(entry.expires));
    }
    head.push_str("}|");
    [head.as_bytes(), &entry.value].concat().into()
}

/// Seconds as Python writes a float: at least one decimal, and no more than tell the millisecond.
fn seconds(moment: Timestamp) -> String {
    let millis = moment.as_millis();
    let mut text = format!("{}.{:03}", millis / 1000, millis % 1000);
    while text.ends_with('0') && !text.ends_with(".0") {
        text.pop();
    }
    text
}

pub(super) fn read(stored: &[u8]) -> Option<(Entry<()>, usize)> {
    let bar = stored.iter().position(|byte| *byte == b'|')?;
    Some((head(std::str::from_utf8(&stored[..bar]).ok()?)?, bar + 1))
}

/// The members of a flat JSON object.
fn head(text: &str) -> Option<Entry<()>> {
    let (mut created, mut version, mut expires) = (None, None, Timestamp::MAX);
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    for member in inner.split(',') {
        let (name, value) = member.split_once(':')?;
        let name = name.trim().strip_prefix('"')?.strip_suffix('"')?;
        match name {
            "ct" => created = Some(moment(value)?),
            "v" => version = Some(whole(value)?),
            "expires" => expires = moment(value)?,
            _ => {}
        }
    }
    Some(Entry::new(created?, ()).with_expires(expires).with_version(version?))
}

/// Seconds, of which the nearest millisecond is taken. Before 1970 is as old as can be.
fn moment(text: &str) -> Option<Timestamp> {
    let seconds: f64 = number(text)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let millis = (seconds * 1000.0).round() as u64;
    Some(Timestamp::from_millis(millis))
}

fn whole(text: &str) -> Option<u32> {
    let version: f64 = number(text)?;
    let sound = version.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&version);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    sound.then_some(version as u32)
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain =
        text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}
