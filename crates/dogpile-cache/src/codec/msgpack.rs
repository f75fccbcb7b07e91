//! MessagePack.

use std::any::type_name;
use std::io;

use bytes::Bytes;
use dogpile_core::{Codec, Error, ErrorKind, Result};
use rmp_serde::Serializer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::MAX_DEPTH;
use super::path::{cannot_encode, too_deep};

/// The codec of a region whose values leave the process, as MessagePack.
///
/// It takes every type with serde's `Serialize` and `DeserializeOwned`. Structs are stored as maps
/// with their field names, so a field may be added (with `#[serde(default)]`) or reordered while old
/// entries are still about. A `Vec<u8>` is a list of numbers unless its field says
/// `#[serde(with = "serde_bytes")]`. As in all serde formats here, `Some(None)` reads back as `None`.
///
/// # Errors
/// - Encoding: [`ErrorKind::Encode`] with the path of the field that failed, or for a value that is
///   nested more than 127 deep.
/// - Decoding: [`ErrorKind::Corrupt`] for anything but exactly one well-formed value of the type.
///
/// ```
/// use dogpile_cache::codec::MsgPack;
/// use dogpile_core::Codec;
///
/// let stored = MsgPack.encode(&("tea".to_owned(), 2_u8))?;
/// assert_eq!(&stored[..], b"\x92\xa3tea\x02");
/// let value: (String, u8) = MsgPack.decode(&stored)?;
/// assert_eq!(value, ("tea".to_owned(), 2));
/// # Ok::<(), dogpile_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to configure, and is written as a value"
)]
pub struct MsgPack;

impl<T: Serialize + DeserializeOwned> Codec<T> for MsgPack {
    type Stored = Bytes;

    fn name(&self) -> &'static str {
        "msgpack"
    }

    fn encode(&self, value: &T) -> Result<Bytes> {
        let bytes = rmp_serde::to_vec_named(value).map_err(|error| {
            let mut nowhere = Serializer::new(io::sink()).with_struct_map();
            cannot_encode(value, &mut nowhere, error)
        })?;
        match is_one_value(&bytes) {
            true => Ok(bytes.into()),
            false => Err(too_deep()),
        }
    }

    fn decode(&self, stored: &Bytes) -> Result<T> {
        let corrupt = || {
            let message = format!("the stored bytes are not a {} in MessagePack", type_name::<T>());
            Error::new(ErrorKind::Corrupt, message)
        };
        match is_one_value(stored) {
            true => rmp_serde::from_slice(stored).map_err(|error| corrupt().with_source(error)),
            false => Err(corrupt()),
        }
    }
}

/// Whether the bytes are one whole value and nothing after it, nested no deeper than allowed.
///
/// It runs before the bytes are decoded: after it every length they claim is true, so no reader
/// reserves memory for elements that are not there.
fn is_one_value(mut bytes: &[u8]) -> bool {
    skip_value(&mut bytes, MAX_DEPTH).is_some() && bytes.is_empty()
}

fn skip_value(bytes: &mut &[u8], depth: usize) -> Option<()> {
    let marker = *bytes.split_off_first()?;
    let (content, children) = match marker {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0.. => (0, None),
        0x80..=0x8f => (0, Some(2 * usize::from(marker & 0x0f))),
        0x90..=0x9f => (0, Some(usize::from(marker & 0x0f))),
        0xa0..=0xbf => (usize::from(marker & 0x1f), None),
        0xc1 => return None,
        0xc4 | 0xd9 => (number(bytes, 1)?, None),
        0xc5 | 0xda => (number(bytes, 2)?, None),
        0xc6 | 0xdb => (number(bytes, 4)?, None),
        0xc7 => (number(bytes, 1)?.checked_add(1)?, None),
        0xc8 => (number(bytes, 2)?.checked_add(1)?, None),
        0xc9 => (number(bytes, 4)?.checked_add(1)?, None),
        0xcc | 0xd0 => (1, None),
        0xcd | 0xd1 | 0xd4 => (2, None),
        0xd5 => (3, None),
        0xca | 0xce | 0xd2 => (4, None),
        0xd6 => (5, None),
        0xcb | 0xcf | 0xd3 => (8, None),
        0xd7 => (9, None),
        0xd8 => (17, None),
        0xdc => (0, Some(number(bytes, 2)?)),
        0xdd => (0, Some(number(bytes, 4)?)),
        0xde => (0, Some(number(bytes, 2)?.checked_mul(2)?)),
        0xdf => (0, Some(number(bytes, 4)?.checked_mul(2)?)),
    };
    bytes.split_off(..content)?;
    let Some(children) = children else { return Some(()) };
    let depth = depth.checked_sub(1)?;
    (0..children).try_for_each(|_| skip_value(bytes, depth))
}

/// The next `width` bytes as a number, most significant first.
fn number(bytes: &mut &[u8], width: usize) -> Option<usize> {
    let digits = bytes.split_off(..width)?;
    digits.iter().try_fold(0_usize, |n, &digit| n.checked_mul(256)?.checked_add(usize::from(digit)))
}
