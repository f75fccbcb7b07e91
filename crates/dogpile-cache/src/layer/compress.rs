//! Large values compressed.

use bytes::Bytes;
use dogpile_core::{Error, ErrorKind, Key, KeyBuf, Result};

use super::{MapKey, Transform};

/// A layer that compresses large values. Features `zstd` and `lz4`.
///
/// A value of at least [1 KiB](Self::with_min_compress_len) is stored compressed if that makes it
/// smaller, and as it is otherwise. So values that were stored before the layer was put there stay
/// readable, and a program that reads with both features reads what either algorithm wrote.
///
/// Compression does not hide how well a value compresses. Do not mix a secret and text that a
/// stranger chooses in one compressed value that the stranger can see the size of.
///
/// # The stored form
///
/// | bytes | |
/// |---|---|
/// | `C1 00` value | as it is; only for a value that itself starts with `C1` |
/// | `C1 01` length, data | zstd; the length of the value as 4 bytes, least significant first |
/// | `C1 02` length, data | LZ4 block, likewise |
/// | anything else | a value as it is |
///
/// No JSON, MessagePack or UTF-8 text starts with `C1`.
///
/// # Errors
///
/// Reading damaged data, data of an algorithm whose feature is off, or a value longer than
/// [`with_max_size`](Self::with_max_size) allows is [`ErrorKind::Corrupt`]: the entry is taken for
/// missing. A value that is still too large for its backend is that backend's
/// [`ErrorKind::TooLarge`].
///
/// ```
/// use bytes::Bytes;
/// use dogpile_cache::layer::{Compress, Transform};
/// use dogpile_core::Key;
///
/// # #[cfg(feature = "zstd")] {
/// let compress = Compress::zstd();
/// let page = Bytes::from("<li>the same again</li>".repeat(100));
/// let stored = compress.encode(Key::name("page"), &page)?;
/// assert!(stored.len() < 100);
/// assert_eq!(compress.decode(Key::name("page"), stored)?, page);
/// # }
/// # Ok::<(), dogpile_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Compress {
    algorithm: Algorithm,
    min_compress_len: usize,
    max_size: usize,
}

#[derive(Clone, Copy, Debug)]
enum Algorithm {
    #[cfg(feature = "zstd")]
    Zstd { level: i32 },
    #[cfg(feature = "lz4")]
    Lz4,
}

const MARK: u8 = 0xc1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const LZ4: u8 = 2;
const HEADER: usize = 6;

impl Compress {
    /// Writes zstd: about a third of the size for text, at hundreds of megabytes a second.
    #[cfg(feature = "zstd")]
    #[must_use]
    pub fn zstd() -> Self {
        Self::new(Algorithm::Zstd { level: zstd::DEFAULT_COMPRESSION_LEVEL })
    }

    /// Writes zstd at a level from 1, the fastest, to 22, the smallest. [`zstd`](Self::zstd) uses 3.
    /// A level outside is taken for the nearest one.
    #[cfg(feature = "zstd")]
    #[must_use]
    pub fn zstd_level(level: i32) -> Self {
        Self::new(Algorithm::Zstd { level: level.clamp(1, 22) })
    }

    /// Writes LZ4: less gain than zstd, several times faster.
    #[cfg(feature = "lz4")]
    #[must_use]
    pub fn lz4() -> Self {
        Self::new(Algorithm::Lz4)
    }

    fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, min_compress_len: 1024, max_size: 64 << 20 }
    }

    /// Leaves values shorter than this many bytes alone. 1024 by default.
    #[must_use]
    pub fn with_min_compress_len(mut self, bytes: usize) -> Self {
        self.min_compress_len = bytes;
        self
    }

    /// The most bytes a value may have after it was decompressed: what protects the reader's memory
    /// from a forged length. 64 MiB by default. Larger values are written as they are.
    #[must_use]
    pub fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    fn compressed(&self, value: &[u8]) -> Result<Option<Vec<u8>>> {
        if value.len() < self.min_compress_len || value.len() > self.max_size {
            return Ok(None);
        }
        let Ok(len) = u32::try_from(value.len()) else { return Ok(None) };
        let (algorithm, data) = match self.algorithm {
            #[cfg(feature = "zstd")]
            Algorithm::Zstd { level } => {
                let data = zstd::bulk::compress(value, level).map_err(|error| {
                    Error::new(ErrorKind::Encode, "zstd cannot compress the value")
                        .with_source(error)
                })?;
                (ZSTD, data)
            }
            #[cfg(feature = "lz4")]
            Algorithm::Lz4 => (LZ4, lz4_flex::block::compress(value)),
        };
        let smaller = HEADER + data.len() < value.len();
        Ok(smaller.then(|| [&[MARK, algorithm], &len.to_le_bytes()[..], &data].concat()))
    }

    fn decompressed(&self, algorithm: u8, data: &[u8]) -> Result<Vec<u8>> {
        let Some((len, data)) = data.split_first_chunk() else {
            return Err(damaged("it ends before its length"));
        };
        let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
        if len > self.max_size {
            return Err(damaged(&format!(
                "it claims {len} bytes, and at most {} are allowed (with_max_size)",
                self.max_size
            )));
        }
        let value = match algorithm {
            #[cfg(feature = "zstd")]
            ZSTD => zstd::bulk::decompress(data, len)
                .map_err(|error| damaged("zstd cannot read it").with_source(error))?,
            #[cfg(feature = "lz4")]
            LZ4 => lz4_flex::block::decompress(data, len)
                .map_err(|error| damaged("LZ4 cannot read it").with_source(error))?,
            #[cfg(not(feature = "zstd"))]
            ZSTD => return Err(damaged("it is written with zstd: build with the feature `zstd`")),
            #[cfg(not(feature = "lz4"))]
            LZ4 => return Err(damaged("it is written with LZ4: build with the feature `lz4`")),
            _ => return Err(damaged("its algorithm is unknown")),
        };
        if value.len() != len {
            return Err(damaged("its length is not what it claims"));
        }
        Ok(value)
    }
}

fn damaged(how: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("a compressed value is damaged: {how}"))
}

impl MapKey for Compress {
    fn key(&self, _: Key<'_>) -> Result<Option<KeyBuf>> {
        Ok(None)
    }
}

impl Transform<Bytes> for Compress {
    type Value = Bytes;

    fn encode(&self, _: Key<'_>, value: &Bytes) -> Result<Bytes> {
        Ok(match self.compressed(value)? {
            Some(stored) => stored.into(),
            None if value.first() == Some(&MARK) => [&[MARK, PLAIN], &value[..]].concat().into(),
            None => value.clone(),
        })
    }

    fn decode(&self, _: Key<'_>, value: Bytes) -> Result<Bytes> {
        match *value {
            [MARK, PLAIN, ..] => Ok(value.slice(2..)),
            [MARK, algorithm, ref data @ ..] => self.decompressed(algorithm, data).map(Bytes::from),
            [MARK] => Err(damaged("it ends after its mark")),
            _ => Ok(value),
        }
    }
}
