//! The client flags of an item: 32 bits that the server keeps and does not look at.

/// What an item is, as its client flags tell.
///
/// The upper half marks it as ours. Then come the [codec](crate::Memcached::with_codec_number) of its
/// writer, what kind of item it is, and how its value is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Flags {
    pub(crate) codec: u8,
    pub(crate) kind: Kind,
    pub(crate) compressed: u8,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// An entry.
    Whole,
    /// An entry whose value is in other items.
    Split,
    /// A part of such a value.
    Part,
    /// The turn of somebody who has extended it.
    Lease,
}

const OURS: u32 = 0xd09e_0000;

impl Flags {
    pub(crate) const fn new(codec: u8, kind: Kind, compressed: u8) -> Self {
        Self { codec, kind, compressed }
    }

    pub(crate) fn to_bits(self) -> u32 {
        let kind = match self.kind {
            Kind::Whole => 0,
            Kind::Split => 1,
            Kind::Part => 2,
            Kind::Lease => 3,
        };
        OURS | u32::from(self.codec) << 8 | kind << 4 | u32::from(self.compressed & 0xf)
    }

    /// None for an item of somebody else's.
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        let [high, low, codec, rest] = bits.to_be_bytes();
        if u32::from_be_bytes([high, low, 0, 0]) != OURS {
            return None;
        }
        let kind = match rest >> 4 {
            0 => Kind::Whole,
            1 => Kind::Split,
            2 => Kind::Part,
            3 => Kind::Lease,
            _ => return None,
        };
        Some(Self { codec, kind, compressed: rest & 0xf })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_back() {
        for kind in [Kind::Whole, Kind::Split, Kind::Part, Kind::Lease] {
            for (codec, compressed) in [(0, 0), (1, 1), (255, 15)] {
                let flags = Flags::new(codec, kind, compressed);
                assert_eq!(Flags::from_bits(flags.to_bits()), Some(flags));
            }
        }
        assert_eq!(Flags::new(0, Kind::Whole, 0).to_bits(), 0xd09e_0000);
        assert_eq!(Flags::new(7, Kind::Split, 2).to_bits(), 0xd09e_0712);
    }

    #[test]
    fn items_of_others_are_told_apart() {
        for bits in [0, 1, 2, 16, 0xffff_ffff, 0xd09e_0040, 0xd09d_0000] {
            assert_eq!(Flags::from_bits(bits), None, "{bits:x}");
        }
    }
}
