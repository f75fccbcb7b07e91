//! The tokens among the cookies of a request.

use std::borrow::Cow;

use memchr::memchr;

use super::chunk::{self, SeenChunks};
use super::{Attributes, MAX_BYTES};
use crate::token::{Invalid, Keys, Opened};

/// How many cookies of one name are tried. Another path or domain can bring a second one about; more
/// are somebody's attempt to keep us busy.
const MAX_TRIED: usize = 4;

/// What a request brought under the name of the session's cookie.
pub(crate) struct Candidates<'h> {
    values: Few<'h>,
    /// Those of the cookies with later parts, by their index; nothing if no value announces any.
    parts: Vec<Few<'h>>,
    max_chunks: usize,
    pub(crate) seen_chunks: SeenChunks,
}

/// The first values of one name, in the order of the request.
#[derive(Clone, Copy, Default)]
struct Few<'h> {
    values: [&'h [u8]; MAX_TRIED],
    count: usize,
}

/// The text of a token, not looked into yet.
pub(crate) struct Candidate<'h> {
    text: Cow<'h, [u8]>,
    max_chars: usize,
}

impl<'h> Candidates<'h> {
    /// Finds the tokens in the values of `Cookie` headers, of which HTTP/2 may send several. The values
    /// may be any bytes.
    pub(crate) fn find(
        headers: impl Iterator<Item = &'h [u8]> + Clone,
        attributes: &Attributes,
    ) -> Self {
        let name = attributes.name().as_bytes();
        let mut found = Self {
            values: Few::default(),
            parts: Vec::new(),
            max_chunks: attributes.max_chunks(),
            seen_chunks: SeenChunks::default(),
        };
        for (rest_of_name, value) in named(headers.clone(), name) {
            if rest_of_name.is_empty() {
                found.values.push(value);
            } else if let Some(index) = chunk::index(rest_of_name) {
                found.seen_chunks.add(index);
            }
        }
        if found.values.as_slice().iter().any(|value| chunk::announced(value).is_some()) {
            found.parts = vec![Few::default(); chunk::MAX_CHUNKS];
            for (rest_of_name, value) in named(headers, name) {
                if let Some(index) = chunk::index(rest_of_name) {
                    found.parts[index].push(value);
                }
            }
        }
        found
    }

    /// Whether a cookie of the name came.
    pub(crate) fn are_none(&self) -> bool {
        self.values.count == 0
    }

    /// In the order of the request, at most four.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Result<Candidate<'h>, Invalid>> {
        (0..self.values.count).map(|at| self.token(at))
    }

    /// The candidate that begins with the `at`-th cookie of the name, and goes on with the `at`-th of
    /// each later part, or the last if there are fewer.
    fn token(&self, at: usize) -> Result<Candidate<'h>, Invalid> {
        let value = self.values.values[at];
        let Some((count, first)) = chunk::announced(value) else {
            if value.len() > MAX_BYTES {
                return Err(Invalid::TooLong);
            }
            return Ok(Candidate { text: Cow::Borrowed(value), max_chars: MAX_BYTES });
        };
        if count > self.max_chunks {
            return Err(Invalid::TooManyChunks);
        }
        let mut text = Vec::new();
        let later = self.parts[1..count].iter().map(|part| {
            let part = part.as_slice();
            part.get(at).or(part.last()).copied()
        });
        for part in std::iter::once(Some(first)).chain(later) {
            let part = part.ok_or(Invalid::MissingChunk)?;
            if part.len() > MAX_BYTES {
                return Err(Invalid::TooLong);
            }
            text.extend_from_slice(part);
        }
        Ok(Candidate { text: Cow::Owned(text), max_chars: count * MAX_BYTES })
    }
}

impl<'h> Few<'h> {
    fn push(&mut self, value: &'h [u8]) {
        if let Some(place) = self.values.get_mut(self.count) {
            *place = value;
            self.count += 1;
        }
    }

    fn as_slice(&self) -> &[&'h [u8]] {
        &self.values[..self.count]
    }
}

/// The cookies whose name begins with `name`: the rest of their names, and their values. Names are
/// compared with their case: browsers take `__HOST-` for the prefix that it is not.
fn named<'h>(
    headers: impl Iterator<Item = &'h [u8]>,
    name: &[u8],
) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
    headers.flat_map(pairs).filter_map(move |pair| {
        let equals = memchr(b'=', pair)?;
        let rest = trim(&pair[..equals]).strip_prefix(name)?;
        Some((rest, unquoted(trim(&pair[equals + 1..]))))
    })
}

/// What is between the semicolons.
fn pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let all = rest?;
        let (pair, after) = match memchr(b';', all) {
            Some(at) => (&all[..at], Some(&all[at + 1..])),
            None => (all, None),
        };
        rest = after;
        Some(trim(pair))
    })
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Some proxies put values in quotes.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

impl Candidate<'_> {
    /// Opens it with the key that it names.
    pub(crate) fn open(&self, keys: &Keys) -> Result<Opened, Invalid> {
        keys.open(&self.text, self.max_chars)
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Candidate({} characters)", self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[&str], chunks: usize) -> Vec<Result<String, Invalid>> {
        let attributes = Attributes::host("s").unwrap().with_chunks(chunks).unwrap().into();
        let headers = headers.iter().map(|header| header.as_bytes());
        let text = |candidate: Candidate<'_>| String::from_utf8(candidate.text().to_vec()).unwrap();
        let found = Candidates::find(headers, &attributes);
        found.tokens().map(|candidate| candidate.map(text)).collect()
    }

    fn texts(headers: &[&str]) -> Vec<String> {
        found(headers, 1).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others_in_any_header() {
        assert_eq!(texts(&["__Host-s=A"]), ["A"]);
        assert_eq!(texts(&["a=b; __Host-s=A; c=d"]), ["A"]);
        assert_eq!(texts(&["a=b", "c=d;__Host-s=A"]), ["A"]);
        assert_eq!(texts(&["\t__Host-s = \"A\" ;"]), ["A"]);
        assert_eq!(texts(&["a=\"x; __Host-s=A"]), ["A"]);
        assert_eq!(texts(&["__Host-s=A=B"]), ["A=B"]);
        assert_eq!(texts(&["__Host-s="]), [""]);
    }

    #[test]
    fn another_name_is_another_cookie() {
        for header in [
            "",
            ";",
            "=",
            "==;;=",
            "__Host-s",
            "__host-s=A",
            "__HOST-S=A",
            "__Host-S=A",
            "__Host-ss=A",
            "s=A",
            "x__Host-s=A",
            "a=__Host-s=A",
            "__Host-s.1=A",
            "__Host-s.x=A",
        ] {
            assert!(texts(&[header]).is_empty(), "{header}");
        }
    }

    #[test]
    fn of_many_the_first_four_are_tried() {
        let header = (0..1000).map(|n| format!("__Host-s=A{n}")).collect::<Vec<_>>().join("; ");
        assert_eq!(texts(&[&header]), ["A0", "A1", "A2", "A3"]);
        let header = "__Host-s=2.A; __Host-s.1=B; ".repeat(1000);
        assert_eq!(found(&[&header], 2).len(), 4);
    }

    #[test]
    fn parts_are_joined_by_their_numbers() {
        // A blank ends a name only at its end: the fuzzer's find.
        let header = "__Host-s=2.A; __Host-s\t.1=B";
        assert_eq!(found(&[header], 2), [Err(Invalid::MissingChunk)]);
        let header = "__Host-s.2=CC; __Host-s=3.AA; __Host-s.1=BB; __Host-s.7=stale";
        assert_eq!(found(&[header], 3), [Ok("AABBCC".to_owned())]);
        assert_eq!(found(&[header], 2), [Err(Invalid::TooManyChunks)]);
        assert_eq!(found(&["__Host-s=3.AA; __Host-s.1=BB"], 3), [Err(Invalid::MissingChunk)]);
        // No number of ours: then it is a token, and none that opens.
        for value in ["1.A", "0.A", "9.A", "22.A", "2A"] {
            assert_eq!(found(&[&format!("__Host-s={value}")], 8), [Ok(value.to_owned())]);
        }
    }

    #[test]
    fn a_second_set_of_parts_is_a_second_candidate() {
        let header = "__Host-s=2.A; __Host-s.1=forged; __Host-s.1=B";
        assert_eq!(found(&[header], 2), [Ok("Aforged".to_owned())]);
        let header = "__Host-s=2.A; __Host-s=2.C; __Host-s.1=B; __Host-s.1=D";
        assert_eq!(found(&[header], 2), [Ok("AB".to_owned()), Ok("CD".to_owned())]);
        let header = "__Host-s=2.A; __Host-s=C; __Host-s.1=B";
        assert_eq!(found(&[header], 2), [Ok("AB".to_owned()), Ok("C".to_owned())]);
    }

    #[test]
    fn what_is_longer_than_a_cookie_is_not_looked_into() {
        let long = format!("__Host-s={}", "A".repeat(1 << 20));
        assert_eq!(found(&[&long], 1), [Err(Invalid::TooLong)]);
        let part = "A".repeat(4097);
        let long = format!("__Host-s=2.A; __Host-s.1={part}");
        assert_eq!(found(&[&long], 2), [Err(Invalid::TooLong)]);
        assert_eq!(found(&[&format!("__Host-s={}", &part[1..])], 1), [Ok(part[1..].to_owned())]);
    }

    #[test]
    fn any_bytes_are_read() {
        let attributes = Attributes::default();
        let header = b"\xff\xfe=\x00; __Host-session=\xff\x80\x00; \xc3=".as_slice();
        let found = Candidates::find([header].into_iter(), &attributes);
        assert_eq!(&*found.token(0).unwrap().text, b"\xff\x80\x00");
    }

    #[test]
    fn the_text_of_a_token_is_not_shown() {
        let attributes = Attributes::default();
        let header = b"__Host-session=AQIDBA".as_slice();
        let found = Candidates::find([header].into_iter(), &attributes);
        assert!(!format!("{:?}", found.token(0)).contains("AQIDBA"));
    }
}
