//! What a token says about its session, before what the session holds.
//!
//! The layout is in `docs/formats/session.md`. The header is encrypted and authenticated with the
//! rest; whoever can write one has the key.

use dogpile_core::Timestamp;

/// The number of a session: 128 bits from the operating system.
pub(crate) type SessionId = [u8; 16];

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Header {
    /// Version of the payload's schema; zero for a map.
    pub(crate) schema: u32,
    pub(crate) id: SessionId,
    /// When this token was sealed.
    pub(crate) issued: Timestamp,
    /// When the session began, or a little later: never before the floor of the generation store.
    pub(crate) started: Timestamp,
    pub(crate) idle_until: Timestamp,
    pub(crate) absolute_until: Timestamp,
    /// When its user last proved who they are.
    pub(crate) authenticated: Option<Timestamp>,
    /// When its generations were last compared with the store's.
    pub(crate) checked: Option<Timestamp>,
    /// Zero without a generation.
    pub(crate) session_generation: u64,
    pub(crate) user_generation: u64,
    pub(crate) user: Option<Box<str>>,
    /// Messages for the next request, encoded.
    pub(crate) flash: Vec<u8>,
}

const AUTHENTICATED: u8 = 1;
const CHECKED: u8 = 2;
const USER: u8 = 4;
const FLASH: u8 = 8;
const KNOWN: u8 = AUTHENTICATED | CHECKED | USER | FLASH;

impl Header {
    /// Writes the header; the payload follows it.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        to.push(
            flag(self.authenticated.is_some(), AUTHENTICATED)
                | flag(self.checked.is_some(), CHECKED)
                | flag(self.user.is_some(), USER)
                | flag(!self.flash.is_empty(), FLASH),
        );
        write_number(to, self.schema.into());
        to.extend_from_slice(&self.id);
        write_number(to, self.issued.as_millis());
        write_number(to, self.started.as_millis());
        write_number(to, after(self.idle_until, self.issued));
        write_number(to, after(self.absolute_until, self.issued));
        for past in [self.authenticated, self.checked].into_iter().flatten() {
            write_number(to, after(self.issued, past));
        }
        write_number(to, self.session_generation);
        write_number(to, self.user_generation);
        if let Some(user) = &self.user {
            write_bytes(to, user.as_bytes());
        }
        if !self.flash.is_empty() {
            write_bytes(to, &self.flash);
        }
    }

    /// About how many bytes it takes, and not fewer.
    pub(crate) fn about_bytes(&self) -> usize {
        128 + self.user.as_ref().map_or(0, |user| user.len()) + self.flash.len()
    }

    /// Reads the header, and answers the payload behind it.
    pub(crate) fn read(plaintext: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = plaintext;
        read(&mut rest).map(|header| (header, rest))
    }
}

#[inline]
fn read(rest: &mut &[u8]) -> Option<Header> {
    let flags = *rest.split_off_first()?;
    if flags & !KNOWN != 0 {
        return None;
    }
    let schema = u32::try_from(read_number(rest)?).ok()?;
    let id = *rest.split_off(..16)?.first_chunk()?;
    let issued = Timestamp::from_millis(read_number(rest)?);
    let started = Timestamp::from_millis(read_number(rest)?);
    let mut later =
        || Some(Timestamp::from_millis(issued.as_millis().checked_add(read_number(rest)?)?));
    let (idle_until, absolute_until) = (later()?, later()?);
    let mut earlier = |flag| match flags & flag {
        0 => Some(None),
        _ => {
            issued.as_millis().checked_sub(read_number(rest)?).map(Timestamp::from_millis).map(Some)
        }
    };
    let (authenticated, checked) = (earlier(AUTHENTICATED)?, earlier(CHECKED)?);
    let (session_generation, user_generation) = (read_number(rest)?, read_number(rest)?);
    let user = match flags & USER {
        0 => None,
        _ => Some(std::str::from_utf8(read_bytes(rest)?).ok()?.into()),
    };
    let flash = match flags & FLASH {
        0 => Vec::new(),
        _ => read_bytes(rest)?.to_vec(),
    };
    Some(Header {
        schema,
        id,
        issued,
        started,
        idle_until,
        absolute_until,
        authenticated,
        checked,
        session_generation,
        user_generation,
        user,
        flash,
    })
}

/// Milliseconds from one moment to another that is not before it.
fn after(later: Timestamp, earlier: Timestamp) -> u64 {
    later.as_millis().saturating_sub(earlier.as_millis())
}

/// LEB128: seven bits a byte, the lowest first, the top bit set on all but the last.
fn write_number(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push((number & 0x7f) as u8);
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for (at, byte) in rest.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * at);
        if shifted >> (7 * at) != bits {
            return None;
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            *rest = &rest[at + 1..];
            return Some(number);
        }
    }
    None
}

pub(crate) fn write_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    write_number(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

pub(crate) fn read_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(read_number(rest)?).ok()?;
    rest.split_off(..len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let at = |millis: u64| Timestamp::from_millis(1_767_225_600_000 + millis);
        Header {
            schema: 3,
            id: *b"0123456789abcdef",
            issued: at(5_000),
            started: at(0),
            idle_until: at(1_805_000),
            absolute_until: at(86_400_000),
            authenticated: Some(at(1_000)),
            checked: Some(at(5_000)),
            session_generation: at(0).as_millis(),
            user_generation: 7,
            user: Some("Ada".into()),
            flash: vec![0x90],
        }
    }

    fn written(header: &Header) -> Vec<u8> {
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        bytes
    }

    #[test]
    fn reads_what_it_wrote() {
        let bare = Header {
            user: None,
            flash: Vec::new(),
            authenticated: None,
            checked: None,
            ..header()
        };
        let ends = Header {
            issued: Timestamp::MIN,
            started: Timestamp::MAX,
            absolute_until: Timestamp::MAX,
            session_generation: u64::MAX,
            schema: u32::MAX,
            ..bare.clone()
        };
        for header in [header(), bare, ends, Header::default()] {
            let bytes = [written(&header), b"payload".to_vec()].concat();
            assert_eq!(Header::read(&bytes).unwrap(), (header, &b"payload"[..]));
        }
    }

    #[test]
    fn a_usual_header_is_small() {
        let usual = Header { flash: Vec::new(), ..header() };
        assert!(written(&usual).len() <= 56, "{} bytes", written(&usual).len());
    }

    #[test]
    fn what_is_cut_off_is_no_header() {
        let bytes = written(&header());
        for len in 0..bytes.len() {
            assert!(
                Header::read(&bytes[..len]).is_none(),
                "of {} bytes the first {len}",
                bytes.len()
            );
        }
    }

    #[test]
    fn unknown_flags_and_numbers_that_are_too_large_are_refused() {
        let mut bytes = written(&header());
        bytes[0] |= 0x80;
        assert!(Header::read(&bytes).is_none());
        assert_eq!(read_number(&mut &[0xff; 11][..]), None);
        assert_eq!(
            read_number(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]),
            None
        );
    }
}
