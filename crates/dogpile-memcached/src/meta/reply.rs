//! Bytes as replies.

use bytes::{Buf, Bytes, BytesMut};

use super::Opaque;

/// One reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) marks: Marks,
    /// The value of an item, or the words of a line that has some.
    pub(crate) value: Bytes,
}

/// The first word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    /// `VA`: an item with its value.
    Value,
    /// `HD`: done.
    Done,
    /// `EN`: there is no such item to get.
    Missing,
    /// `NF`: there is no such item to change.
    NotFound,
    /// `NS`: not stored.
    NotStored,
    /// `EX`: the item has another `cas`.
    Exists,
    /// `ME`: the description of an item.
    Described,
    /// `SERVER_ERROR`: this command failed, and the next may not.
    Failed,
}

/// What stands behind the first word.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Marks {
    /// `c`
    pub(crate) cas: u64,
    /// `t`: the seconds it has left; none if it does not expire.
    pub(crate) ttl: Option<u64>,
    /// `f`
    pub(crate) flags: u32,
    /// `W`: the turn is this asker's.
    pub(crate) won: bool,
    /// `Z`: the turn was given to another.
    pub(crate) taken: bool,
    /// `X`: marked stale.
    pub(crate) stale: bool,
    /// `O`: which command it answers.
    pub(crate) opaque: Option<Opaque>,
}

impl Reply {
    /// Whether it can be the answer to the command with this number.
    ///
    /// What is known of an item and a failure carry none; that there is no item, not on all servers: it
    /// is nobody's value.
    pub(crate) fn answers(&self, opaque: Opaque) -> bool {
        match (self.marks.opaque, self.status) {
            (None, status) => {
                matches!(status, Status::Missing | Status::Described | Status::Failed)
            }
            (Some(said), _) => said == opaque,
        }
    }
}

/// The server does not speak the protocol, or complains of a command that it should understand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Malformed(pub(crate) String);

/// Reads replies from what has arrived of them.
#[derive(Debug)]
pub(crate) struct Parser {
    /// The longest value to expect.
    limit: usize,
    /// An item of which the line has been read, and the length of its value.
    begun: Option<(Marks, usize)>,
    /// Where small values that are asked for together are kept together.
    block: BytesMut,
}

/// How long a block is, of which no value has more than an eighth: so much memory a small value may
/// keep that was asked for with others.
const BLOCK: usize = 4 * 1024;

/// The longest line to expect: an error with a text.
const LINE: usize = 2_048;

impl Parser {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, begun: None, block: BytesMut::new() }
    }

    /// How many bytes have to arrive at least before there is another reply.
    pub(crate) fn missing(&self, input: &BytesMut) -> usize {
        self.begun.map_or(1, |(_, length)| (length + 2).saturating_sub(input.len()).max(1))
    }

    /// The next reply, or `None` if it has not arrived in full. `many` if it is one of several to the same
    /// caller.
    pub(crate) fn next(
        &mut self,
        input: &mut BytesMut,
        many: bool,
    ) -> Result<Option<Reply>, Malformed> {
        if let Some((marks, length)) = self.begun {
            return self.value(input, marks, length, many);
        }
        let Some(end) = memchr::memchr(b'\n', &input[..input.len().min(LINE)]) else {
            return match input.len() >= LINE {
                true => Err(malformed("a line without an end", input)),
                false => Ok(None),
            };
        };
        let Some(line) = input[..end].strip_suffix(b"\r") else {
            return Err(malformed("a line without a carriage return", &input[..end]));
        };
        let (word, rest) = match memchr::memchr(b' ', line) {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let marks = |rest| marked(rest).ok_or_else(|| malformed("odd marks", line));
        let (status, marks, value) = match word {
            b"VA" => {
                let (length, rest) = match memchr::memchr(b' ', rest) {
                    Some(at) => (&rest[..at], &rest[at + 1..]),
                    None => (rest, &[][..]),
                };
                let length = digits(length)
                    .and_then(|length| usize::try_from(length).ok())
                    .ok_or_else(|| malformed("a value without a length", line))?;
                if length > self.limit {
                    let what =
                        format!("a value of {length} bytes, more than the {} it keeps", self.limit);
                    return Err(malformed(&what, line));
                }
                let marks = marks(rest)?;
                input.advance(end + 1);
                self.begun = Some((marks, length));
                return self.value(input, marks, length, many);
            }
            b"HD" => (Status::Done, marks(rest)?, Bytes::new()),
            b"EN" => (Status::Missing, marks(rest)?, Bytes::new()),
            b"NF" => (Status::NotFound, marks(rest)?, Bytes::new()),
            b"NS" => (Status::NotStored, marks(rest)?, Bytes::new()),
            b"EX" => (Status::Exists, marks(rest)?, Bytes::new()),
            b"ME" => (Status::Described, Marks::default(), Bytes::copy_from_slice(rest)),
            b"SERVER_ERROR" => (Status::Failed, Marks::default(), Bytes::copy_from_slice(rest)),
            _ => return Err(malformed("an unknown reply", line)),
        };
        input.advance(end + 1);
        Ok(Some(Reply { status, marks, value }))
    }

    fn value(
        &mut self,
        input: &mut BytesMut,
        marks: Marks,
        length: usize,
        many: bool,
    ) -> Result<Option<Reply>, Malformed> {
        if input.len() < length + 2 {
            return Ok(None);
        }
        if &input[length..length + 2] != b"\r\n" {
            return Err(malformed(
                "a value that is longer than its length",
                &input[length..length + 2],
            ));
        }
        // A small slice would keep the whole of a large buffer alive.
        let value = match length >= input.capacity() / 2 {
            true => input.split_to(length).freeze(),
            false => {
                let value = match many && length <= BLOCK / 8 {
                    true => self.in_block(&input[..length]),
                    false => Bytes::copy_from_slice(&input[..length]),
                };
                input.advance(length);
                value
            }
        };
        input.advance(2);
        self.begun = None;
        Ok(Some(Reply { status: Status::Value, marks, value }))
    }
}

impl Parser {
    fn in_block(&mut self, value: &[u8]) -> Bytes {
        if self.block.capacity() < value.len() {
            self.block = BytesMut::with_capacity(BLOCK);
        }
        self.block.extend_from_slice(value);
        self.block.split().freeze()
    }
}

/// The marks behind a reply, in whatever order. Those that were not asked for are passed over.
fn marked(rest: &[u8]) -> Option<Marks> {
    let mut marks = Marks::default();
    for mark in rest.split(|byte| *byte == b' ') {
        match mark.split_first() {
            Some((b'c', number)) => marks.cas = digits(number)?,
            Some((b't', b"-1")) => marks.ttl = None,
            Some((b't', number)) => marks.ttl = Some(digits(number)?),
            Some((b'f', number)) => marks.flags = u32::try_from(digits(number)?).ok()?,
            Some((b'W', [])) => marks.won = true,
            Some((b'Z', [])) => marks.taken = true,
            Some((b'X', [])) => marks.stale = true,
            Some((b'O', number)) => marks.opaque = Some(Opaque::read(number)?),
            _ => {}
        }
    }
    Some(marks)
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn malformed(what: &str, bytes: &[u8]) -> Malformed {
    let shown = &bytes[..bytes.len().min(60)];
    Malformed(format!("{what}, \"{}\"", shown.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Reply>, Malformed> {
        in_pieces(bytes, bytes.len().max(1))
    }

    fn in_pieces(bytes: &[u8], size: usize) -> Result<Vec<Reply>, Malformed> {
        let (mut parser, mut input, mut replies) =
            (Parser::new(1 << 20), BytesMut::new(), Vec::new());
        for piece in bytes.chunks(size) {
            input.extend_from_slice(piece);
            while let Some(reply) = parser.next(&mut input, false)? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    fn item(value: &'static [u8], marks: Marks) -> Reply {
        Reply { status: Status::Value, marks, value: Bytes::from_static(value) }
    }

    fn plain(status: Status) -> Reply {
        Reply { status, marks: Marks::default(), value: Bytes::new() }
    }

    #[test]
    fn replies_as_servers_give_them() {
        let bytes = b"VA 0 c1 t-1 W\r\n\r\nVA 0 c1 t30 Z\r\n\r\nVA 3 c8 t29 f7 Z X\r\nval\r\nEN\r\nHD c2\r\n\
            EX\r\nNF\r\nNS\r\nHD\r\nME k exp=1 size=64\r\nSERVER_ERROR object too large for cache\r\n";
        let marks = Marks { cas: 1, ..Marks::default() };
        let replies = all(bytes).unwrap();
        assert_eq!(
            replies[..9],
            [
                item(b"", Marks { won: true, ..marks }),
                item(b"", Marks { ttl: Some(30), taken: true, ..marks }),
                item(
                    b"val",
                    Marks {
                        cas: 8,
                        ttl: Some(29),
                        flags: 7,
                        taken: true,
                        stale: true,
                        ..Marks::default()
                    }
                ),
                plain(Status::Missing),
                Reply { marks: Marks { cas: 2, ..marks }, ..plain(Status::Done) },
                plain(Status::Exists),
                plain(Status::NotFound),
                plain(Status::NotStored),
                plain(Status::Done),
            ]
        );
        assert_eq!(replies[9].value, "k exp=1 size=64");
        assert_eq!(replies[10].status, Status::Failed);
        for size in 1..20 {
            assert_eq!(in_pieces(bytes, size).unwrap(), replies);
        }
    }

    #[test]
    fn answers_are_told_from_those_to_other_questions() {
        let mut next = Opaque::default();
        let (first, second) = (next.take(), next.take());
        for (bytes, to_first) in [
            (&b"VA 1 f0 O00\r\nv\r\n"[..], true),
            (b"VA 1 f0 O01\r\nv\r\n", false),
            (b"VA 1 f0\r\nv\r\n", false),
            (b"HD c2 O00\r\n", true),
            (b"HD c2\r\n", false),
            (b"EX c0 O01\r\n", false),
            (b"NF c0 O00\r\n", true),
            (b"NS\r\n", false),
            (b"EN O00\r\n", true),
            (b"EN O01\r\n", false),
            (b"EN\r\n", true),
            (b"ME k exp=1\r\n", true),
            (b"SERVER_ERROR out of memory\r\n", true),
        ] {
            let reply = all(bytes).unwrap().remove(0);
            assert_eq!(reply.answers(first), to_first, "{reply:?}");
            if reply.marks.opaque.is_some() {
                assert_eq!(reply.answers(second), !to_first, "{reply:?}");
            }
        }
    }

    #[test]
    fn what_is_no_reply_is_told() {
        for (bytes, what) in [
            (&b"hello\r\n"[..], "unknown"),
            (b"HTTP/1.1 400 Bad Request\r\n", "unknown"),
            (b"CLIENT_ERROR bad command line format\r\n", "CLIENT_ERROR"),
            (b"ERROR\r\n", "unknown"),
            (b"HD\n", "carriage return"),
            (b"VA x\r\n", "length"),
            (b"VA -1 c1\r\n", "length"),
            (b"VA 99999999999999 c1\r\n", "more than"),
            (b"VA 18446744073709551615\r\n", "more than"),
            (b"VA 3 cX\r\nabc\r\n", "marks"),
            (b"VA 3 O\r\nabc\r\n", "marks"),
            (b"HD O0~\r\n", "marks"),
            (b"VA 3 c1\r\nabcd\r\n", "longer"),
            (&[b'x'; 5_000], "without an end"),
        ] {
            let Malformed(said) = all(bytes).unwrap_err();
            assert!(said.contains(what), "{said}");
        }
    }

    #[test]
    fn a_small_value_does_not_keep_a_large_buffer() {
        let mut input = BytesMut::with_capacity(64 * 1024);
        input.extend_from_slice(b"VA 5\r\nhello\r\n");
        let buffer = input.as_ptr() as usize..input.as_ptr() as usize + 64 * 1024;
        let reply = Parser::new(100).next(&mut input, false).unwrap().unwrap();
        assert!(!buffer.contains(&(reply.value.as_ptr() as usize)));
    }

    #[test]
    fn small_values_of_one_caller_share_their_memory_and_no_more() {
        let bytes = b"VA 100\r\n".iter().chain(&[b'v'; 100]).chain(b"\r\n");
        let mut input: BytesMut = bytes.copied().cycle().take(110 * 100).collect();
        input.reserve(64 * 1024);
        let mut parser = Parser::new(1_000);
        let values: Vec<Bytes> =
            std::iter::from_fn(|| parser.next(&mut input, true).unwrap().map(|reply| reply.value))
                .collect();
        assert_eq!(values.len(), 100);
        assert!(values.iter().all(|value| value[..] == [b'v'; 100]));
        let next_to =
            |pair: &&[Bytes]| pair[0].as_ptr() as usize + 100 == pair[1].as_ptr() as usize;
        let next = values.windows(2).filter(next_to).count();
        assert!((90..100).contains(&next), "{next}");
    }

    proptest! {
        #[test]
        fn a_value_comes_out_as_it_went_in(
            value in prop::collection::vec(any::<u8>(), 0..3_000), size in 1_usize..5_000,
        ) {
            let mut bytes = format!("VA {} c9 t5 f1\r\n", value.len()).into_bytes();
            bytes.extend_from_slice(&value);
            bytes.extend_from_slice(b"\r\nEN\r\n");
            let replies = in_pieces(&bytes, size).unwrap();
            prop_assert_eq!(&replies[0].value[..], &value[..]);
            prop_assert_eq!(replies.len(), 2);
        }
    }
}
