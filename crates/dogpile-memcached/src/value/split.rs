//! Values in several items.

use bytes::{Bytes, BytesMut};
use dogpile_core::Result;
use xxhash_rust::xxh3::xxh3_128;

use crate::error::corrupt;
use crate::key::LONGEST;

/// Splitting values that are larger than a server keeps in one item.
///
/// The item of the key then holds the stamps and where the parts are: items of the same server, with
/// names that no other value ever has. A reader fetches them in one more round trip, and checks the
/// whole by a hash: a value of which a part was evicted is missing, and one is never made of the parts
/// of two.
///
/// The parts of a value that was overwritten or deleted stay until they expire or are evicted.
///
/// ```
/// use dogpile_memcached::Split;
///
/// let split = Split::new().with_max_size(256 << 20); // up to 256 MiB
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Split {
    max_size: usize,
    part_size: usize,
}

/// The most parts of a value.
const MOST: usize = 65_536;

impl Default for Split {
    fn default() -> Self {
        Self { max_size: 64 << 20, part_size: 480 << 10 }
    }
}

impl Split {
    /// Values up to 64 MiB, in parts of 480 KiB or what the server takes, if that is less.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The most bytes that a value may have. It also protects the memory of readers. 64 MiB by default.
    #[must_use]
    pub fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// The most bytes of one part, at least 1 KiB. 480 KiB by default: servers keep items above half a
    /// megabyte in pieces of that size themselves.
    #[must_use]
    pub fn with_part_size(mut self, bytes: usize) -> Self {
        self.part_size = bytes.max(1 << 10);
        self
    }

    pub(crate) const fn max_size(&self) -> usize {
        self.max_size
    }

    /// The most bytes of a value whose own item has room for so many.
    pub(super) fn most(&self, room: usize) -> usize {
        self.max_size.min(self.size(room).saturating_mul(MOST))
    }

    /// The bytes of a part. Its name may be longer than that of the value.
    fn size(&self, room: usize) -> usize {
        self.part_size.min(room.saturating_sub(LONGEST)).max(1)
    }

    /// Cuts a value into parts, of which each fits where this one has `room`.
    pub(super) fn cut(
        &self,
        value: &Bytes,
        room: usize,
        id: u128,
    ) -> Option<(Manifest, Vec<Bytes>)> {
        if value.len() > self.most(room) {
            return None;
        }
        let size = self.size(room);
        let count = value.len().div_ceil(size);
        let parts =
            (0..count).map(|nth| value.slice(nth * size..value.len().min((nth + 1) * size)));
        let manifest = Manifest { id, hash: xxh3_128(value), length: value.len(), size };
        Some((manifest, parts.collect()))
    }
}

/// Where the parts of a value are, and how to tell that they are the right ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Manifest {
    /// Names the parts.
    pub(crate) id: u128,
    hash: u128,
    pub(crate) length: usize,
    /// The length of each part but the last.
    size: usize,
}

impl Manifest {
    pub(super) fn encode(&self) -> Vec<u8> {
        [
            &self.id.to_be_bytes()[..],
            &self.hash.to_be_bytes(),
            &(self.length as u64).to_be_bytes(),
            &(self.size as u64).to_be_bytes(),
        ]
        .concat()
    }

    /// Reads a manifest of a value of at most `most` bytes.
    pub(super) fn decode(bytes: &[u8], most: usize) -> Result<Self> {
        let read = || {
            let (id, rest) = bytes.split_first_chunk()?;
            let (hash, rest) = rest.split_first_chunk()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (size, rest) = rest.split_first_chunk()?;
            let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
            let size = usize::try_from(u64::from_be_bytes(*size)).ok()?;
            let (id, hash) = (u128::from_be_bytes(*id), u128::from_be_bytes(*hash));
            (rest.is_empty() && size > 0).then_some(Self { id, hash, length, size })
        };
        let manifest =
            read().ok_or_else(|| corrupt("the list of the parts of a value is damaged"))?;
        if manifest.length > most || manifest.count() > MOST {
            return Err(corrupt(&format!(
                "a value in parts claims {} bytes, and at most {most} are allowed (Split::with_max_size)",
                manifest.length
            )));
        }
        Ok(manifest)
    }

    /// How many parts there are.
    pub(crate) const fn count(&self) -> usize {
        self.length.div_ceil(self.size)
    }

    /// The value, if these are its parts.
    pub(crate) fn join(&self, parts: &[Bytes]) -> Option<Bytes> {
        if parts.len() != self.count() || parts.iter().map(Bytes::len).sum::<usize>() != self.length
        {
            return None;
        }
        let mut value = BytesMut::with_capacity(self.length);
        parts.iter().for_each(|part| value.extend_from_slice(part));
        (xxh3_128(&value) == self.hash).then(|| value.freeze())
    }
}
