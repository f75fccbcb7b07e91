//! Values made smaller.

use bytes::Bytes;
use dogpile_core::Result;
#[cfg(feature = "zstd")]
use dogpile_core::{Error, ErrorKind};

use crate::error::corrupt;

/// How large values are compressed.
///
/// Programs read what any algorithm wrote, as far as they are built with its feature, and take
/// anything else for missing.
///
/// Compression does not hide how well a value compresses. Do not mix a secret and text that a stranger
/// chooses in one compressed value that the stranger can see the size of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Compression(Algorithm);

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Algorithm {
    #[default]
    None,
    #[cfg(feature = "zstd")]
    Zstd { level: i32 },
    #[cfg(feature = "lz4")]
    Lz4,
}

/// The numbers of the algorithms in the client flags.
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const LZ4: u8 = 2;

impl Compression {
    /// As they are. The default.
    #[must_use]
    pub const fn none() -> Self {
        Self(Algorithm::None)
    }

    /// zstd: about a third of the size for text, at hundreds of megabytes a second.
    #[cfg(feature = "zstd")]
    #[must_use]
    pub const fn zstd() -> Self {
        Self::zstd_level(zstd::DEFAULT_COMPRESSION_LEVEL)
    }

    /// zstd at a level from 1, the fastest, to 22, the smallest. [`zstd`](Self::zstd) uses 3. A level
    /// outside is taken for the nearest one.
    #[cfg(feature = "zstd")]
    #[must_use]
    pub const fn zstd_level(level: i32) -> Self {
        let level = match level {
            ..1 => 1,
            23.. => 22,
            level => level,
        };
        Self(Algorithm::Zstd { level })
    }

    /// LZ4: less gain than zstd, several times faster.
    #[cfg(feature = "lz4")]
    #[must_use]
    pub const fn lz4() -> Self {
        Self(Algorithm::Lz4)
    }

    /// The value compressed, and the number of the algorithm; or the value as it is, where that is no
    /// longer.
    pub(super) fn compress(self, value: &Bytes) -> Result<(u8, Bytes)> {
        let Ok(length) = u32::try_from(value.len()) else { return Ok((PLAIN, value.clone())) };
        let packed: Option<(u8, Vec<u8>)> = match self.0 {
            Algorithm::None => None,
            #[cfg(feature = "zstd")]
            Algorithm::Zstd { level } => {
                let data = zstd::bulk::compress(value, level).map_err(|error| {
                    Error::new(ErrorKind::Encode, "zstd cannot compress the value")
                        .with_source(error)
                })?;
                Some((ZSTD, data))
            }
            #[cfg(feature = "lz4")]
            Algorithm::Lz4 => Some((LZ4, lz4_flex::block::compress(value))),
        };
        Ok(match packed {
            Some((algorithm, data)) if data.len() + 4 < value.len() => {
                (algorithm, [&length.to_be_bytes(), &data[..]].concat().into())
            }
            _ => (PLAIN, value.clone()),
        })
    }
}

/// The value of what was stored under the number of an algorithm, of at most `most` bytes.
pub(super) fn decompress(algorithm: u8, stored: Bytes, most: usize) -> Result<Bytes> {
    if algorithm == PLAIN {
        return Ok(stored);
    }
    let Some((length, data)) = stored.split_first_chunk() else {
        return Err(corrupt("a compressed value ends before its length"));
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(corrupt(&format!(
            "a compressed value claims {length} bytes, and at most {most} are allowed"
        )));
    }
    let value = decompressed(algorithm, data, length)?;
    match value.len() == length {
        true => Ok(value.into()),
        false => Err(corrupt("the length of a compressed value is not what it claims")),
    }
}

#[cfg_attr(
    not(any(feature = "zstd", feature = "lz4")),
    expect(unused_variables, reason = "without an algorithm there is nothing to decompress")
)]
fn decompressed(algorithm: u8, data: &[u8], length: usize) -> Result<Vec<u8>> {
    match algorithm {
        #[cfg(feature = "zstd")]
        ZSTD => zstd::bulk::decompress(data, length)
            .map_err(|error| corrupt("zstd cannot read it").with_source(error)),
        #[cfg(feature = "lz4")]
        LZ4 => lz4_flex::block::decompress(data, length)
            .map_err(|error| corrupt("LZ4 cannot read it").with_source(error)),
        #[cfg(not(feature = "zstd"))]
        ZSTD => Err(corrupt("it is written with zstd: build with the feature `zstd`")),
        #[cfg(not(feature = "lz4"))]
        LZ4 => Err(corrupt("it is written with LZ4: build with the feature `lz4`")),
        _ => Err(corrupt("it is compressed by an algorithm that is not known")),
    }
}

/// How the algorithm of a number is called.
pub(crate) const fn named(algorithm: u8) -> Option<&'static str> {
    match algorithm {
        ZSTD => Some("zstd"),
        LZ4 => Some("lz4"),
        _ => None,
    }
}
