//! What a lease's token is made of.

use dogpile_core::Lease;

/// The proof of a turn: the `cas` of the item when the turn was granted, which every change of the item
/// replaces.
///
/// A server that restarts begins again with its `cas`, so a token is good for one life of the server
/// only.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Token {
    pub(super) epoch: u32,
    /// The turn is on a stale value, which stays where it is meanwhile.
    pub(super) stale: bool,
    pub(super) cas: u64,
}

impl Token {
    pub(super) fn lease(self) -> Lease {
        let token = u128::from(self.epoch) << 96 | u128::from(self.stale) << 64;
        Lease::new(token | u128::from(self.cas))
    }

    #[expect(clippy::cast_possible_truncation, reason = "each part has its place")]
    pub(super) fn of(lease: Lease) -> Self {
        let token = lease.token();
        Self { epoch: (token >> 96) as u32, stale: token >> 64 & 1 == 1, cas: token as u64 }
    }

    /// The turn of who creates a value that cannot be stored, because the server is down.
    pub(super) const NONE: Self = Self { epoch: 0, stale: false, cas: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for token in [
            Token { epoch: 1, stale: false, cas: 1 },
            Token { epoch: u32::MAX, stale: true, cas: u64::MAX },
            Token { epoch: 0x8000_0001, stale: false, cas: 1 << 63 },
            Token::NONE,
        ] {
            assert_eq!(Token::of(token.lease()), token);
        }
    }
}
