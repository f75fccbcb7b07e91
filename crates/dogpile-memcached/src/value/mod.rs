//! What an item holds: an entry as a whole or in parts, or somebody's turn.

mod compress;
mod envelope;
mod flags;
mod record;
mod split;

use bytes::{Buf, Bytes};
use dogpile_core::{Entry, Error, Result};

pub use self::compress::Compression;
pub(crate) use self::envelope::SHORTEST;
pub(crate) use self::flags::{Flags, Kind};
pub(crate) use self::record::Record;
pub(crate) use self::split::Manifest;
pub use self::split::Split;
use crate::error::{corrupt, too_large};

/// What is sent to be stored: the bytes of an item in two pieces, so that a value is not copied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    pub(crate) flags: u32,
    pub(crate) head: Vec<u8>,
    pub(crate) body: Bytes,
}

impl Stored {
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// The flags and the bytes in one piece, for a connection that has no client flags.
    #[cfg(feature = "classic")]
    pub(crate) fn joined(&self) -> Vec<u8> {
        [&self.flags.to_be_bytes()[..], &self.head, &self.body].concat()
    }

    /// The bytes of what was stored in one piece with its flags.
    #[cfg(feature = "classic")]
    pub(crate) fn without_flags(mut joined: Bytes) -> Bytes {
        joined.advance(joined.len().min(4));
        joined
    }
}

/// How entries become items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    pub(crate) compression: Compression,
    pub(crate) min_compress_len: usize,
    pub(crate) split: Option<Split>,
    pub(crate) codec: u8,
}

impl Default for Values {
    fn default() -> Self {
        Self { compression: Compression::none(), min_compress_len: 1_024, split: None, codec: 0 }
    }
}

/// An entry, ready to be stored.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) item: Stored,
    /// The parts of its value, if it was split, and what names them.
    pub(crate) parts: Option<(u128, Vec<Stored>)>,
}

/// An item that was read.
#[derive(Debug)]
pub(crate) enum Found {
    /// An entry, not yet unpacked.
    Entry(Packed),
    /// Somebody's turn: a placeholder, or what its holder wrote there.
    Turn(Option<Record>),
    /// Something that is no entry, and why.
    Foreign(Error),
}

/// An entry whose stamps have been read.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) stamps: Entry<()>,
    flags: Flags,
    rest: Bytes,
}

impl Packed {
    pub(crate) const fn flags(&self) -> Flags {
        self.flags
    }

    /// How the algorithm is called that compressed it.
    pub(crate) const fn compression(&self) -> Option<&'static str> {
        compress::named(self.flags.compressed)
    }

    /// How many parts its value has, and how many bytes they have together.
    pub(crate) fn parts(&self) -> Option<(usize, usize)> {
        if self.flags.kind != Kind::Split {
            return None;
        }
        let manifest = Manifest::decode(&self.rest, usize::MAX).ok()?;
        Some((manifest.count(), manifest.length))
    }
}

/// An entry, or where the parts of its value are.
#[derive(Debug)]
pub(crate) enum Unpacked {
    Entry(Entry<Bytes>),
    Parts(Box<Parts>),
}

/// An entry whose value is in other items.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) manifest: Manifest,
    stamps: Entry<()>,
    compressed: u8,
}

impl Values {
    /// What is stored of an entry, in items of at most `room` bytes. `id` names parts, should there be
    /// any.
    pub(crate) fn close(
        &self,
        entry: &Entry<Bytes>,
        room: usize,
        id: impl FnOnce() -> u128,
    ) -> Result<Closed> {
        let head = envelope::head(entry);
        let value = &entry.value;
        let large = value.len() + head.len() > room;
        // Nobody decompresses more.
        let is_readable = value.len() <= self.max_size();
        let compresses = is_readable && (large || value.len() >= self.min_compress_len);
        let (compressed, body) = match compresses {
            true => self.compression.compress(value)?,
            false => (0, value.clone()),
        };
        let flags = |kind, compressed| Flags::new(self.codec, kind, compressed).to_bits();
        let length = head.len() + body.len();
        if length <= room {
            let item = Stored { flags: flags(Kind::Whole, compressed), head, body };
            return Ok(Closed { item, parts: None });
        }
        let Some((manifest, parts)) = self.split.and_then(|split| split.cut(&body, room, id()))
        else {
            let limit = self.split.map_or(room, |split| split.most(room).max(room));
            return Err(too_large(value.len(), length, limit, self.advice(room)));
        };
        let part = |body| Stored { flags: flags(Kind::Part, 0), head: Vec::new(), body };
        let body = manifest.encode().into();
        let item = Stored { flags: flags(Kind::Split, compressed), head, body };
        Ok(Closed { item, parts: Some((manifest.id, parts.into_iter().map(part).collect())) })
    }

    fn advice(&self, room: usize) -> &'static str {
        match (self.split, self.compression == Compression::none()) {
            (Some(split), _) if split.most(room) < split.max_size() => {
                "a value has at most 65,536 parts; raise `Split::with_part_size` or the server's -I"
            }
            (Some(_), _) => "raise `Split::with_max_size`",
            (None, true) => {
                "compress values (`with_compression`), split them (`with_split`), or start the server with a larger -I"
            }
            (None, false) => "split values (`with_split`), or start the server with a larger -I",
        }
    }

    /// What an item holds.
    pub(crate) fn found(&self, bits: u32, mut bytes: Bytes) -> Found {
        if bytes.is_empty() {
            return Found::Turn(None);
        }
        let Some(flags) = Flags::from_bits(bits) else {
            return Found::Foreign(corrupt(&format!(
                "it was written by another program, with the flags {bits}"
            )));
        };
        match flags.kind {
            Kind::Whole | Kind::Split if flags.codec == self.codec => {
                match envelope::read(&bytes) {
                    Some((stamps, begins)) => {
                        bytes.advance(begins);
                        Found::Entry(Packed { stamps, flags, rest: bytes })
                    }
                    None => Found::Foreign(corrupt("its stamps are damaged")),
                }
            }
            Kind::Whole | Kind::Split => Found::Foreign(corrupt(&format!(
                "it was written with the codec number {}, and this reader has {}",
                flags.codec, self.codec
            ))),
            Kind::Lease => match Record::decode(&bytes) {
                Some(record) => Found::Turn(Some(record)),
                None => Found::Foreign(corrupt("a turn is damaged")),
            },
            Kind::Part => Found::Foreign(corrupt("it is a part of another value")),
        }
    }

    /// What an item holds that was stored in one piece with its flags.
    #[cfg(feature = "classic")]
    pub(crate) fn found_joined(&self, mut bytes: Bytes) -> Found {
        match bytes.split_first_chunk() {
            None if bytes.is_empty() => Found::Turn(None),
            None => Found::Foreign(corrupt("it is shorter than its flags")),
            Some((flags, _)) => {
                let flags = u32::from_be_bytes(*flags);
                bytes.advance(4);
                self.found(flags, bytes)
            }
        }
    }

    /// The most bytes that a value may have that is read.
    fn max_size(&self) -> usize {
        self.split.unwrap_or_default().max_size()
    }

    pub(crate) fn unpack(&self, packed: Packed) -> Result<Unpacked> {
        let Packed { stamps, flags, rest } = packed;
        let compressed = flags.compressed;
        if flags.kind == Kind::Split {
            let manifest = Manifest::decode(&rest, self.max_size())?;
            return Ok(Unpacked::Parts(Box::new(Parts { manifest, stamps, compressed })));
        }
        self.whole(stamps, compressed, rest).map(Unpacked::Entry)
    }

    /// The entry whose parts together are these bytes.
    pub(crate) fn joined_parts(&self, parts: &Parts, value: Bytes) -> Result<Entry<Bytes>> {
        self.whole(parts.stamps, parts.compressed, value)
    }

    fn whole(&self, stamps: Entry<()>, compressed: u8, value: Bytes) -> Result<Entry<Bytes>> {
        let value = compress::decompress(compressed, value, self.max_size())?;
        Ok(stamps.map(|()| value))
    }
}
