//! What a lease's token is made of.

use dogpile_core::Lease;

/// The proof of a turn: the `cas` of the item when the turn was granted, which every change of the item
/// replaces.
///
/// A server that restarts begins again with its `cas`, so a token is good for one life of the server
/// only.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Token {
    /// In 31 bits.
    pub(super) epoch: u32,
    pub(super) on: On,
    pub(super) cas: u64,
}

/// What a turn is on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum On {
    Missing,
    /// A stale value, which stays where it is meanwhile.
    Stale {
        /// It was marked stale before the turn was taken.
        marked: bool,
        /// When it would have expired, in 31 bits: [`expiry::until`](crate::expiry::until).
        until: u32,
    },
}

const STALE: u128 = 1 << 95;
const MARKED: u128 = 1 << 96;

impl Token {
    pub(super) fn lease(self) -> Lease {
        let on = match self.on {
            On::Missing => 0,
            On::Stale { marked, until } => {
                STALE | (u128::from(marked) * MARKED) | u128::from(until) << 64
            }
        };
        Lease::new(u128::from(self.epoch) << 97 | on | u128::from(self.cas))
    }

    #[expect(clippy::cast_possible_truncation, reason = "each part has its place")]
    pub(super) fn of(lease: Lease) -> Self {
        let token = lease.token();
        let until = (token >> 64) as u32 & (u32::MAX >> 1);
        let on = match token & STALE {
            0 => On::Missing,
            _ => On::Stale { marked: token & MARKED != 0, until },
        };
        Self { epoch: (token >> 97) as u32, on, cas: token as u64 }
    }

    /// The turn of who creates a value that cannot be stored, because the server is down.
    pub(super) const NONE: Self = Self { epoch: 0, on: On::Missing, cas: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        const MOST: u32 = i32::MAX as u32;
        for epoch in [1, 0x4000_0001, MOST] {
            for cas in [1, 1 << 63, u64::MAX] {
                for on in [
                    On::Missing,
                    On::Stale { marked: false, until: 0 },
                    On::Stale { marked: true, until: 0 },
                    On::Stale { marked: false, until: 1_700_000_000 },
                    On::Stale { marked: true, until: MOST },
                ] {
                    let token = Token { epoch, on, cas };
                    assert_eq!(Token::of(token.lease()), token);
                }
            }
        }
        assert_eq!(Token::of(Token::NONE.lease()), Token::NONE);
    }
}
