//! What any bytes whatsoever must not do: the bodies of the fuzz targets and of the property tests.

#![allow(dead_code, reason = "each fuzz target uses one of them")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use cookie_session::__private::Sealer;
use cookie_session::{Attributes, KeyRing, RootKey};

const KEY: &str = "csk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8My8r";

/// A cookie that may travel in up to three.
pub(crate) fn sealer() -> Sealer {
    let ring = KeyRing::new(KEY.parse::<RootKey>().unwrap());
    let attributes = Attributes::host("s").unwrap().with_chunks(3).unwrap();
    Sealer::new(&ring, attributes.into(), "session", "example.org").unwrap()
}

/// Nothing opens but what was sealed, whatever was done to it.
pub(crate) fn check_open(sealer: &Sealer, sealed: &str, token: &[u8]) {
    if sealer.open(token).is_ok() {
        assert_eq!(token, sealed.as_bytes());
    }
}

/// The tokens in headers of any bytes are those that a plain reading of RFC 6265 finds.
pub(crate) fn check_headers(sealer: &Sealer, headers: &[Vec<u8>]) {
    let lines: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
    let found = sealer.texts(&lines);
    let cookies: Vec<(&[u8], &[u8])> =
        lines.iter().flat_map(|line| line.split(|byte| *byte == b';')).filter_map(cookie).collect();
    let named = |name: &[u8]| -> Vec<&[u8]> {
        cookies.iter().filter(|(its, _)| *its == name).map(|(_, value)| *value).take(4).collect()
    };
    let expected: Vec<Option<Vec<u8>>> = named(b"__Host-s")
        .into_iter()
        .enumerate()
        .map(|(at, value)| match value {
            [count @ b'2'..=b'8', b'.', first @ ..] => {
                let mut joined = (first.len() <= 4096).then(|| first.to_vec())?;
                for index in 1..count - b'0' {
                    let parts = named(&[b"__Host-s.", [b'0' + index].as_slice()].concat());
                    let part = parts.get(at).or(parts.last()).filter(|part| part.len() <= 4096)?;
                    joined.extend_from_slice(part);
                }
                (*count <= b'3').then_some(joined)
            }
            value => (value.len() <= 4096).then(|| value.to_vec()),
        })
        .collect();
    assert_eq!(found.into_iter().map(Result::ok).collect::<Vec<_>>(), expected);
    // And opening them is harmless.
    let _ = sealer.read(&lines);
}

fn cookie(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let trim = |bytes: &'_ [u8]| -> (usize, usize) {
        let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
        let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |at| at + 1);
        (start, end)
    };
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (start, end) = trim(&pair[..equals]);
    let name = &pair[start..end];
    let value = &pair[equals + 1..];
    let (start, end) = trim(value);
    let value = &value[start..end];
    let quoted = value.len() >= 2 && value.starts_with(b"\"") && value.ends_with(b"\"");
    Some((name, if quoted { &value[1..value.len() - 1] } else { value }))
}
