//! JSON.

use std::any::type_name;
use std::io;

use bytes::Bytes;
use dogpile_core::{Codec, Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Serializer;

use super::MAX_DEPTH;
use super::path::{cannot_encode, too_deep};

/// The codec of a region whose values people or other languages read, as JSON.
///
/// It takes every type with serde's `Serialize` and `DeserializeOwned`. JSON has no `NaN` and no
/// infinities: serde writes them as `null`, which does not read back as a number. As in all serde
/// formats here, `Some(None)` reads back as `None`.
///
/// # Errors
/// - Encoding: [`ErrorKind::Encode`] with the path of the field that failed, such as a map whose
///   keys are not text, or for a value that is nested more than 127 deep.
/// - Decoding: [`ErrorKind::Corrupt`] for anything but exactly one value of the type.
///
/// ```
/// use dogpile_cache::codec::Json;
/// use dogpile_core::Codec;
///
/// let stored = Json.encode(&("tea".to_owned(), 2_u8))?;
/// assert_eq!(&stored[..], br#"["tea",2]"#);
/// let value: (String, u8) = Json.decode(&stored)?;
/// assert_eq!(value, ("tea".to_owned(), 2));
/// # Ok::<(), dogpile_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing to configure, and is written as a value"
)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    type Stored = Bytes;

    fn name(&self) -> &'static str {
        "json"
    }

    fn encode(&self, value: &T) -> Result<Bytes> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| cannot_encode(value, &mut Serializer::new(io::sink()), error))?;
        match depth(&bytes) <= MAX_DEPTH {
            true => Ok(bytes.into()),
            false => Err(too_deep()),
        }
    }

    fn decode(&self, stored: &Bytes) -> Result<T> {
        serde_json::from_slice(stored).map_err(|error| {
            let message = format!("the stored bytes are not a {} in JSON", type_name::<T>());
            Error::new(ErrorKind::Corrupt, message).with_source(error)
        })
    }
}

/// How deep well-formed JSON is nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text) = (0_usize, 0, false);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => {
                bytes.next();
            }
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
