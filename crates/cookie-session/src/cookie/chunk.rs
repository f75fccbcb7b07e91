//! One token in several cookies: `name` holds `3.` and the first part, `name.1` and `name.2` the
//! others. The token is sealed as one, so parts of different tokens do not open; the count in the
//! first cookie says which of the others belong to it.

use super::MAX_BYTES;

/// More than the headers of one request can be expected to hold.
pub(crate) const MAX_CHUNKS: usize = 8;
/// The count and its dot, or the dot and the number in the name of a later chunk.
pub(super) const MARK_BYTES: usize = 2;

/// Which chunks after the first a browser sent: those that a response does not write have to go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct SeenChunks(u16);

impl SeenChunks {
    pub(super) fn add(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    /// Their indexes, from `first` on.
    pub(super) fn from(self, first: usize) -> impl Iterator<Item = usize> {
        (first..16).filter(move |index| self.0 & (1 << index) != 0)
    }
}

/// The number of cookies that the first one announces, and its part of the token; nothing if it holds
/// a whole token, which begins with a letter.
pub(super) fn announced(value: &[u8]) -> Option<(usize, &[u8])> {
    match value {
        [count @ b'2'..=b'8', b'.', part @ ..] => Some((usize::from(count - b'0'), part)),
        _ => None,
    }
}

/// The index in what follows the cookie's name in the name of a chunk.
pub(super) fn index(rest_of_name: &[u8]) -> Option<usize> {
    match rest_of_name {
        [b'.', digit @ b'1'..=b'7'] => Some(usize::from(digit - b'0')),
        _ => None,
    }
}

pub(super) fn name(name: &str, index: usize) -> String {
    format!("{name}.{index}")
}

/// In how many cookies a token of this length travels, where `around` bytes of each line are taken.
pub(super) fn count(token_chars: usize, around: usize) -> usize {
    if token_chars + around <= MAX_BYTES {
        return 1;
    }
    token_chars.div_ceil(MAX_BYTES.saturating_sub(around + MARK_BYTES).max(1))
}
