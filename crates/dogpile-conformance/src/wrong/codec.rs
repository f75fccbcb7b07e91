//! A codec of text: a tag, a length, the text, a check sum.

use bytes::Bytes;
use dogpile_core::{Codec, Error, ErrorKind, Result};

use super::flaws;

flaws! {
    /// Ways in which a codec can be wrong.
    CodecFlaw {
        /// Drops blanks at the end.
        Trims => what_is_encoded_decodes,
        /// Has a name that is no name.
        NamedOddly => the_name_fits_a_key,
        /// Does not miss the check sum.
        IgnoresTheEnd => cut_bytes_are_corrupt,
        /// Does not see what comes after the check sum.
        IgnoresTheRest => bytes_too_many_are_corrupt,
        /// Panics where the check sum is wrong.
        AssertsTheSum => flipped_bits_never_panic,
        /// Panics at a tag it does not know.
        AssertsTheTag => foreign_bytes_never_panic,
        /// Panics where it is too deep.
        AssertsTheDepth => nested_bytes_never_overflow,
    }
}

const TAG: u8 = 0xa7;

/// A codec of text, with a flaw or without.
#[derive(Clone, Copy, Debug)]
pub struct WrongCodec {
    flaw: Option<CodecFlaw>,
}

impl WrongCodec {
    /// A codec with this flaw, or a sound one.
    #[must_use]
    pub fn new(flaw: Option<CodecFlaw>) -> Self {
        Self { flaw }
    }

    fn has(self, flaw: CodecFlaw) -> bool {
        self.flaw == Some(flaw)
    }
}

impl Codec<String> for WrongCodec {
    type Stored = Bytes;

    fn name(&self) -> &'static str {
        if self.has(CodecFlaw::NamedOddly) { "text, checked" } else { "text" }
    }

    fn encode(&self, value: &String) -> Result<Bytes> {
        let too_long = |_| Error::new(ErrorKind::Encode, "the text is longer than 4 GiB");
        let length = u32::try_from(value.len()).map_err(too_long)?.to_be_bytes();
        Ok([&[TAG][..], &length, value.as_bytes(), &[sum(value.as_bytes())]].concat().into())
    }

    fn decode(&self, stored: &Bytes) -> Result<String> {
        assert!(!(self.has(CodecFlaw::AssertsTheDepth) && stored.len() > 50_000), "it is too deep");
        assert!(
            !(self.has(CodecFlaw::AssertsTheTag) && stored.starts_with(&[0xff])),
            "what is this?"
        );
        let corrupt = || Error::new(ErrorKind::Corrupt, "this is no text that was stored here");
        let [TAG, a, b, c, d, rest @ ..] = &stored[..] else { return Err(corrupt()) };
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let text = rest.get(..length).ok_or_else(corrupt)?;
        match &rest[length..] {
            [] if self.has(CodecFlaw::IgnoresTheEnd) => {}
            [found, ..] if self.has(CodecFlaw::IgnoresTheRest) && *found == sum(text) => {}
            [found] if *found == sum(text) => {}
            [_] => {
                assert!(!self.has(CodecFlaw::AssertsTheSum), "the check sum is wrong");
                return Err(corrupt());
            }
            _ => return Err(corrupt()),
        }
        let text = std::str::from_utf8(text).map_err(|_| corrupt())?;
        Ok(if self.has(CodecFlaw::Trims) { text.trim_end() } else { text }.to_owned())
    }
}

fn sum(text: &[u8]) -> u8 {
    text.iter().fold(0x5a, |sum, byte| sum.rotate_left(1) ^ byte)
}
