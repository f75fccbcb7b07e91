//! Numbers that tell the answer to one command from the answer to another.

/// What a command carries, and its answer again (`O`): numbers in a row, in two characters.
///
/// Answers come in the order of the commands. Where one is left out, comes twice or comes too early, the
/// numbers do not fit any more, and nobody is given what is another's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Opaque(u16);

const BITS: u32 = 6;
const LOW: u16 = (1 << BITS) - 1;
/// The first of 64 characters in a row, none of which means anything to a server.
const FIRST: u8 = b'0';

impl Opaque {
    /// This number, and the next is that of the next command.
    pub(crate) fn take(&mut self) -> Self {
        let taken = *self;
        self.0 = (self.0 + 1) % (1 << (2 * BITS));
        taken
    }

    pub(crate) fn as_bytes(self) -> [u8; 2] {
        [self.0 >> BITS, self.0 & LOW].map(|part| FIRST + part.to_le_bytes()[0])
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let part = |byte: u8| byte.checked_sub(FIRST).map(u16::from).filter(|part| *part <= LOW);
        match bytes {
            [high, low] => Some(Self(part(*high)? << BITS | part(*low)?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart_until_they_begin_again() {
        let mut next = Opaque::default();
        let first = next.take();
        for nth in 1..4_096 {
            let taken = next.take();
            assert_ne!(taken, first, "{nth}");
            assert!(taken.as_bytes().iter().all(|byte| byte.is_ascii_graphic()), "{taken:?}");
            assert_eq!(Opaque::read(&taken.as_bytes()), Some(taken));
        }
        assert_eq!(next.take(), first);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for bytes in [&b""[..], b"0", b"000", b"0/", b"~0", b"\xff0"] {
            assert_eq!(Opaque::read(bytes), None, "{bytes:?}");
        }
    }
}
