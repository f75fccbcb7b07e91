//! A turn whose holder has extended it.

use std::time::Duration;

use bytes::Bytes;

use super::{Flags, Kind, Stored};

/// What stands in the place of a missing value once its creator has extended its turn.
///
/// It is shorter than every entry, so that who watches an item can tell by its size alone whether a
/// turn was extended or ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    /// The low half of the `cas` with which the turn was granted.
    pub(crate) id: u32,
    /// How long it lasts without being extended again, in hundredths of a second; or longer.
    hundredths: u16,
}

impl Record {
    /// How long a record is. Entries begin with [`SHORTEST`](super::SHORTEST) bytes.
    pub(crate) const LENGTH: usize = 6;

    pub(crate) fn new(cas: u64, lease_for: Duration) -> Self {
        let hundredths = lease_for.as_millis().div_ceil(10);
        Self { id: id(cas), hundredths: u16::try_from(hundredths).unwrap_or(u16::MAX) }
    }

    /// Whether it is of the turn that was granted with this `cas`.
    pub(crate) fn is_of(&self, cas: u64) -> bool {
        self.id == id(cas)
    }

    /// How long the turn lasts, unless that is too long to be told.
    pub(crate) fn lease_for(&self) -> Option<Duration> {
        (self.hundredths < u16::MAX).then(|| Duration::from_millis(u64::from(self.hundredths) * 10))
    }

    pub(crate) fn stored(&self) -> Stored {
        let body = [&self.id.to_be_bytes()[..], &self.hundredths.to_be_bytes()].concat();
        let flags = Flags::new(0, Kind::Lease, 0).to_bits();
        Stored { flags, head: Vec::new(), body: Bytes::from(body) }
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let hundredths = u16::from_be_bytes(rest.try_into().ok()?);
        Some(Self { id: u32::from_be_bytes(*id), hundredths })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half tells turns of one key apart")]
const fn id(cas: u64) -> u32 {
    cas as u32
}
