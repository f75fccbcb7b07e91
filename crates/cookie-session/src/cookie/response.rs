//! The `Set-Cookie` lines of a response.

use std::time::Duration;

use super::chunk::{self, SeenChunks};
use super::{Attributes, MAX_BYTES};
use crate::{Error, ErrorKind};

/// Browsers forget a cookie after 400 days, whatever it says.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The text of a token, which is written where it is to be.
pub(crate) trait TokenText {
    /// Its length.
    fn chars(&self) -> usize;

    fn write_to(&self, text: &mut String);

    fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.chars());
        self.write_to(&mut text);
        text
    }
}

impl TokenText for &str {
    fn chars(&self) -> usize {
        self.len()
    }

    fn write_to(&self, text: &mut String) {
        text.push_str(self);
    }
}

/// The lines that put a token into the browser, and take away what it sent of an earlier one in more
/// parts. Without a lifetime the browser forgets the cookie when it ends.
///
/// # Errors
/// Of the kind [`TooLarge`](ErrorKind::TooLarge) if a line would exceed 4,096 bytes.
pub(crate) fn set_cookie(
    attributes: &Attributes,
    token: &impl TokenText,
    max_age: Option<Duration>,
    seen: SeenChunks,
) -> Result<Vec<String>, Error> {
    let lifetime = lifetime(max_age);
    let around = around(attributes, &lifetime);
    let count = count(attributes, token.chars(), around)?;
    let mut lines = Vec::with_capacity(count);
    if count == 1 {
        let mut line = String::with_capacity(around + token.chars());
        line.push_str(attributes.name());
        line.push('=');
        token.write_to(&mut line);
        line.push_str(attributes.suffix());
        line.push_str(&lifetime);
        lines.push(line);
    } else {
        let token = token.to_text();
        let part_chars = token.len().div_ceil(count);
        for (index, part) in token.as_bytes().chunks(part_chars).enumerate() {
            // A token is ASCII: it can be cut anywhere.
            let part = str::from_utf8(part).unwrap_or_default();
            lines.push(match index {
                0 => line(attributes, attributes.name(), &format!("{count}."), part, &lifetime),
                _ => line(attributes, &chunk::name(attributes.name(), index), "", part, &lifetime),
            });
        }
    }
    lines.extend(seen.from(count).map(|index| removal(attributes, index)));
    Ok(lines)
}

/// Sees that a token of this length can be set.
///
/// # Errors
/// As for [`set_cookie`].
pub(crate) fn check_fits(
    attributes: &Attributes,
    token_chars: usize,
    max_age: Option<Duration>,
) -> Result<(), Error> {
    count(attributes, token_chars, around(attributes, &lifetime(max_age))).map(drop)
}

/// What is left of a session is rounded down, so that no browser outlives it.
fn lifetime(max_age: Option<Duration>) -> String {
    let written = |max_age: Duration| format!("; Max-Age={}", max_age.min(MAX_AGE).as_secs());
    max_age.map(written).unwrap_or_default()
}

/// How many bytes of a line are around the value.
fn around(attributes: &Attributes, lifetime: &str) -> usize {
    attributes.name().len() + 1 + attributes.suffix().len() + lifetime.len()
}

/// In how many cookies a token of this length travels.
fn count(attributes: &Attributes, token_chars: usize, around: usize) -> Result<usize, Error> {
    let count = chunk::count(token_chars, around);
    if count > attributes.max_chunks() {
        return Err(too_large(token_chars, around, attributes.max_chunks()));
    }
    Ok(count)
}

/// The lines that take the cookie away, and the parts that the browser sent of it. They repeat the
/// attributes: browsers tell cookies apart by them.
pub(crate) fn remove_cookie(attributes: &Attributes, seen: SeenChunks) -> Vec<String> {
    std::iter::once(0).chain(seen.from(1)).map(|index| removal(attributes, index)).collect()
}

fn removal(attributes: &Attributes, index: usize) -> String {
    // Browsers from before Max-Age go by the date.
    let over = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    match index {
        0 => line(attributes, attributes.name(), "", "", over),
        _ => line(attributes, &chunk::name(attributes.name(), index), "", "", over),
    }
}

fn line(attributes: &Attributes, name: &str, mark: &str, value: &str, lifetime: &str) -> String {
    [name, "=", mark, value, attributes.suffix(), lifetime].concat()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::Candidates;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn host(chunks: usize) -> Attributes {
        Attributes::host("s").unwrap().with_chunks(chunks).unwrap().into()
    }

    fn seen(header: &str) -> SeenChunks {
        Candidates::find([header.as_bytes()].into_iter(), &host(1)).seen_chunks
    }

    #[test]
    fn a_line_says_all() {
        let lines = |max_age| set_cookie(&host(1), &"AQ", max_age, SeenChunks::default()).unwrap();
        assert_eq!(lines(None), ["__Host-s=AQ; Path=/; Secure; HttpOnly; SameSite=Lax"]);
        assert_eq!(
            lines(Some(Duration::from_millis(1999))),
            ["__Host-s=AQ; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=1"]
        );
        for long in [400 * DAY, 401 * DAY, Duration::MAX] {
            assert!(lines(Some(long))[0].ends_with("; Max-Age=34560000"));
        }
    }

    #[test]
    fn a_line_of_4096_bytes_is_written_and_one_of_4097_is_an_error() {
        let around = set_cookie(&host(1), &"", Some(DAY), SeenChunks::default()).unwrap()[0].len();
        let fits = "A".repeat(4096 - around);
        let lines = set_cookie(&host(1), &&*fits, Some(DAY), SeenChunks::default()).unwrap();
        assert_eq!((lines.len(), lines[0].len()), (1, 4096));
        check_fits(&host(1), fits.len(), Some(DAY)).unwrap();
        let error = check_fits(&host(1), fits.len() + 1, Some(DAY)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let too_long = fits + "A";
        let error =
            set_cookie(&host(1), &&*too_long, Some(DAY), SeenChunks::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("take 4097 bytes, of which a browser keeps 4096"));
    }

    #[test]
    fn every_length_survives_being_cut_and_joined() {
        let attributes = host(3);
        let mut counts = Vec::new();
        for length in (4000..12_200).step_by(7) {
            let token: String = (0..length).map(|n| char::from(b'A' + (n % 23) as u8)).collect();
            match set_cookie(&attributes, &&*token, Some(DAY), SeenChunks::default()) {
                Ok(lines) => {
                    assert!(lines.iter().all(|line| line.len() <= MAX_BYTES), "{length}");
                    let header: Vec<&str> =
                        lines.iter().filter_map(|line| line.split(';').next()).collect();
                    let header = header.join("; ");
                    let found = Candidates::find([header.as_bytes()].into_iter(), &attributes);
                    let tokens: Vec<_> = found.tokens().collect();
                    assert_eq!(tokens.len(), 1);
                    assert_eq!(tokens[0].as_ref().unwrap().text(), token.as_bytes());
                    counts.push(lines.len());
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TooLarge);
                    counts.push(0);
                }
            }
        }
        counts.dedup();
        assert_eq!(counts, [1, 2, 3, 0]);
    }

    #[test]
    fn parts_that_are_not_written_any_more_are_taken_away() {
        let before = seen("__Host-s=3.A; __Host-s.1=B; __Host-s.2=C");
        let lines = set_cookie(&host(3), &"AQ", None, before).unwrap();
        let gone = |index| {
            format!(
                "__Host-s.{index}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0; \
                 Expires=Thu, 01 Jan 1970 00:00:00 GMT"
            )
        };
        assert_eq!(lines[1..], [gone(1), gone(2)]);
        let lines = set_cookie(&host(3), &&*"A".repeat(5000), None, before).unwrap();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], gone(2));
        // Also where several cookies are no longer allowed.
        assert_eq!(set_cookie(&host(1), &"AQ", None, before).unwrap().len(), 3);
    }

    #[test]
    fn a_removal_repeats_the_attributes() {
        let embedded: Attributes =
            Attributes::shared("s", "example.org").unwrap().with_same_site_none().into();
        assert_eq!(
            remove_cookie(&embedded, SeenChunks::default()),
            [
                "__Secure-s=; Domain=example.org; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=0; \
              Expires=Thu, 01 Jan 1970 00:00:00 GMT"
            ]
        );
        assert_eq!(remove_cookie(&host(1), seen("__Host-s.1=A; __Host-s.5=A")).len(), 3);
    }
}
