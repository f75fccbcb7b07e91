//! What every [`Codec`] that makes bytes has to do.
//!
//! Each function is one property. It panics with a sentence that says which behaviour is broken.
//! [`codec_suite!`](crate::codec_suite) makes a test of each. The first two hold for any stored form;
//! a codec that makes no bytes calls them by name.

#![expect(clippy::missing_panics_doc, reason = "a property reports by panicking, each of them")]

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use dogpile_core::{Codec, ErrorKind, Result};

use crate::Subject;
use crate::suite::{Must, properties, stop};

properties! { __codec_properties,
    what_is_encoded_decodes
    the_name_fits_a_key
    cut_bytes_are_corrupt
    bytes_too_many_are_corrupt
    flipped_bits_never_panic
    foreign_bytes_never_panic
    nested_bytes_never_overflow
}

/// A codec with values to try it on.
///
/// ```
/// # use bytes::Bytes;
/// # use dogpile_conformance::{Subject, codec::{Coded, what_is_encoded_decodes}};
/// # use dogpile_core::{Codec, Result};
/// #[derive(Debug)]
/// struct Raw;
///
/// impl Codec<Vec<u8>> for Raw {
///     type Stored = Bytes;
///
///     fn name(&self) -> &'static str {
///         "raw"
///     }
///     fn encode(&self, value: &Vec<u8>) -> Result<Bytes> {
///         Ok(value.clone().into())
///     }
///     fn decode(&self, stored: &Bytes) -> Result<Vec<u8>> {
///         Ok(stored.to_vec())
///     }
/// }
///
/// let subject = Subject::new(Coded::new(Raw, [vec![], vec![1, 2, 3]]));
/// dogpile_conformance::run(what_is_encoded_decodes(&subject));
/// ```
#[derive(Debug)]
pub struct Coded<C, T> {
    codec: C,
    values: Vec<T>,
}

impl<C: Codec<T>, T> Coded<C, T> {
    /// A codec, and values of every shape that matters: empty, large, nested, with odd text.
    pub fn new(codec: C, values: impl IntoIterator<Item = T>) -> Self {
        Self { codec, values: values.into_iter().collect() }
    }
}

/// What is encoded decodes to an equal value.
pub async fn what_is_encoded_decodes<C: Codec<T>, T>(subject: &Subject<Coded<C, T>>)
where
    T: fmt::Debug + PartialEq,
{
    for value in &subject.values {
        let stored = subject.codec.encode(value).must("encoding a value");
        let back = subject.codec.decode(&stored);
        let equal = back.as_ref().is_ok_and(|back| back == value);
        assert!(equal, "{value:.200?} was encoded, and decoded to {:.200}", format!("{back:?}"));
    }
}

/// The name is short and plain: it goes into keys, configurations and metrics.
pub async fn the_name_fits_a_key<C: Codec<T>, T>(subject: &Subject<Coded<C, T>>) {
    let name = subject.codec.name();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let fits = (1..=32).contains(&name.len()) && name.chars().all(plain);
    assert!(fits, "the name of a codec is 1 to 32 letters, digits and -_.+, and is {name:?}");
}

/// Bytes that were cut short are [`ErrorKind::Corrupt`], or happen to mean another value: never the
/// one that was cut.
pub async fn cut_bytes_are_corrupt<C: Codec<T, Stored = Bytes>, T>(subject: &Subject<Coded<C, T>>)
where
    T: fmt::Debug + PartialEq,
{
    for (value, stored) in encoded(subject) {
        for end in (0..stored.len()).take(4_096) {
            let decoded = decode(&subject.codec, &stored.slice(..end), "bytes that were cut short");
            let ignored = decoded.is_ok_and(|decoded| decoded == *value);
            assert!(!ignored, "{end} of {} bytes decoded as if they were all", stored.len());
        }
    }
}

/// Bytes after the end are [`ErrorKind::Corrupt`], or mean another value: they are not passed over.
pub async fn bytes_too_many_are_corrupt<C: Codec<T, Stored = Bytes>, T>(
    subject: &Subject<Coded<C, T>>,
) where
    T: fmt::Debug + PartialEq,
{
    for (value, stored) in encoded(subject) {
        for more in [&b"\x01"[..], b"]", b"\0", &stored] {
            // Twice nothing is nothing, and blanks at the end may mean nothing.
            if more.is_empty() {
                continue;
            }
            let longer = Bytes::from([&stored, more].concat());
            let decoded = decode(&subject.codec, &longer, "bytes with others after them");
            let ignored = decoded.is_ok_and(|decoded| decoded == *value);
            assert!(!ignored, "{} bytes after the end were passed over", more.len());
        }
    }
}

/// A flipped bit anywhere is [`ErrorKind::Corrupt`] or another value, and never a panic.
pub async fn flipped_bits_never_panic<C: Codec<T, Stored = Bytes>, T>(
    subject: &Subject<Coded<C, T>>,
) {
    for (_, stored) in encoded(subject) {
        for at in (0..stored.len()).take(1_024) {
            for bit in 0..8 {
                let mut damaged = stored.to_vec();
                damaged[at] ^= 1 << bit;
                let _ = decode(&subject.codec, &damaged.into(), "bytes with one bit flipped");
            }
        }
    }
}

/// Bytes that were written by something else are [`ErrorKind::Corrupt`] or happen to mean a value, and
/// never a panic.
pub async fn foreign_bytes_never_panic<C: Codec<T, Stored = Bytes>, T>(
    subject: &Subject<Coded<C, T>>,
) {
    // Lengths of 4 GiB with nothing behind them, as MessagePack, CBOR and others write them.
    let lengths = [0xc6, 0xc9, 0xdb, 0xdd, 0xdf, 0x5a, 0x9a, 0xba, 0xff]
        .map(|tag: u8| Bytes::from(vec![tag, 0xff, 0xff, 0xff, 0xff, 0x7f]));
    let texts = ["null", "\"\\ud800\"", "1e999", "{\"a\":", "-", "\u{feff}0"].map(Bytes::from);
    for stored in lengths.into_iter().chain(texts) {
        let _ = decode(&subject.codec, &stored, "bytes of another format");
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for length in (0..64).chain([100, 1_000, 10_000]).cycle().take(2_000) {
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.to_le_bytes()[3]
        })
        .take(length)
        .collect();
        let _ = decode(&subject.codec, &bytes.into(), "random bytes");
    }
}

/// Bytes that open 100,000 levels and close none are no reason to run out of stack.
pub async fn nested_bytes_never_overflow<C: Codec<T, Stored = Bytes>, T>(
    subject: &Subject<Coded<C, T>>,
) {
    for level in [&b"["[..], b"{\"a\":", b"\x91", b"\x81\xa1a", b"\x9f"] {
        let _ = decode(&subject.codec, &level.repeat(100_000).into(), "bytes nested without end");
    }
}

fn encoded<C: Codec<T, Stored = Bytes>, T>(subject: &Subject<Coded<C, T>>) -> Vec<(&T, Bytes)> {
    let encode = |value| (value, subject.codec.encode(value).must("encoding a value"));
    subject.values.iter().map(encode).collect()
}

/// What the bytes decode to; a panic, or an error that does not say that they are corrupt, is told
/// with `what` they were.
fn decode<C: Codec<T, Stored = Bytes>, T>(codec: &C, stored: &Bytes, what: &str) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(|| codec.decode(stored))) {
        Ok(Err(error)) if error.kind() != ErrorKind::Corrupt => {
            stop(format_args!("{what} are ErrorKind::Corrupt, and were {error:?}"))
        }
        Ok(decoded) => decoded,
        Err(_) => stop(format_args!("decoding {what} panicked: {:.80?}", stored)),
    }
}
