//! What has to hold for any bytes: the tests try some, and the fuzz targets many.

use bytes::{Bytes, BytesMut};

use super::{Command, Malformed, Mode, Opaque, Outgoing, Parser, Reply};
use crate::value::Stored;

/// The longest value that the model's server has.
const LIMIT: usize = 1 << 16;

/// Replies are read alike however they arrive, hold no more than what arrived, and once they make no
/// sense nothing more is read.
pub(crate) fn check_replies(bytes: &[u8], size: usize) {
    let (whole, rest) = read(bytes, bytes.len().max(1));
    let (pieces, _) = read(bytes, size.max(1));
    match (&whole, &pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (whole, pieces) => assert_eq!(whole.is_err(), pieces.is_err(), "{bytes:?}"),
    }
    if let Ok(replies) = &whole {
        let length: usize = replies.iter().map(|reply| 4 + reply.value.len()).sum();
        assert!(length + rest <= bytes.len(), "more was read than arrived");
    }
}

fn read(bytes: &[u8], size: usize) -> (Result<Vec<Reply>, Malformed>, usize) {
    let (mut parser, mut input) = (Parser::new(LIMIT), BytesMut::new());
    let mut replies = Vec::new();
    for piece in bytes.chunks(size) {
        input.extend_from_slice(piece);
        assert!(parser.missing(&input) <= LIMIT + 2, "it waits for more than the longest value");
        loop {
            match parser.next(&mut input, replies.len() % 2 == 1) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(malformed) => return (Err(malformed), input.len()),
            }
        }
    }
    (Ok(replies), input.len())
}

/// A command to be.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) what: u8,
    pub(crate) number: u32,
    pub(crate) cas: u64,
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Each command is one line, and a value if it has one, whatever the value holds; and what is written in
/// pieces is what was asked for, in its order.
pub(crate) fn check_requests(steps: &[Step], piece: usize) {
    let (mut out, mut next) = (Outgoing::default(), Opaque::default());
    let mut expected = Vec::new();
    for step in steps {
        // Names are text before they come here.
        let name: Vec<u8> = step.name.iter().map(|byte| b'!' + byte % 90).take(250).collect();
        let name = if name.is_empty() { b"k".to_vec() } else { name };
        let half = step.value.len() / 2;
        let (head, body) =
            (step.value[..half].to_vec(), Bytes::copy_from_slice(&step.value[half..]));
        let value = Stored { flags: step.number, head, body };
        let (name, ttl, cas) = (&name[..], step.number, step.cas);
        let mode = match step.cas % 3 {
            0 => Mode::Always,
            1 => Mode::Add,
            _ => Mode::Cas(cas),
        };
        let command = match step.what % 10 {
            0 => Command::Get { name },
            1 => Command::Look { name },
            2 => Command::Lease { name, seconds: ttl },
            3 => Command::Win { name, seconds: ttl },
            4 => Command::Touch { name, ttl },
            5 => Command::Set { name, value: &value, ttl, mode },
            6 => Command::Delete { name, cas: (cas % 2 == 0).then_some(cas) },
            7 => Command::MarkStale { name, ttl, cas },
            8 => Command::Which { name },
            _ => Command::Describe { name },
        };
        command.encode(next.take(), &mut out);
        let is_set = matches!(command, Command::Set { .. });
        expected.push((name.to_vec(), is_set.then(|| step.value.clone())));
    }
    assert_eq!(understood(&written(out, piece.max(1))), expected);
}

fn written(mut out: Outgoing, piece: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while !out.is_empty() {
        let _ = out.write_with(|pieces| {
            let before = all.len();
            for bytes in pieces {
                let room = piece - (all.len() - before);
                all.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Ok::<_, ()>(all.len() - before)
        });
    }
    all
}

/// The names and values that a server makes of these bytes.
fn understood(mut bytes: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\r').expect("a line has an end");
        let (line, rest) = bytes.split_at(end);
        bytes = rest.strip_prefix(b"\r\n").expect("a line ends by both");
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        assert!(words.iter().all(|word| !word.is_empty()), "one space between words");
        let value = (words[0] == b"ms").then(|| {
            let length = std::str::from_utf8(words[2]).ok().and_then(|word| word.parse().ok());
            let (value, rest) = bytes.split_at(length.expect("a length"));
            bytes = rest.strip_prefix(b"\r\n").expect("a value ends like a line");
            value.to_vec()
        });
        commands.push((words[1].to_vec(), value));
    }
    commands
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        let value = prop_oneof![bytes(), prop::collection::vec(any::<u8>(), 30_000..40_000)];
        (any::<u8>(), any::<u32>(), any::<u64>(), bytes(), value)
            .prop_map(|(what, number, cas, name, value)| Step { what, number, cas, name, value })
    }

    proptest! {
        #[test]
        fn replies_of_any_bytes(
            bytes in prop::collection::vec(
                prop::sample::select(b"VAHDENMX 0123cftWZ\r\n-".to_vec()), 0..60),
            size in 1_usize..10,
        ) {
            check_replies(&bytes, size);
        }

        #[test]
        fn requests_of_any_values(
            steps in prop::collection::vec(step(), 0..6), piece in 1_usize..20_000,
        ) {
            check_requests(&steps, piece);
        }
    }
}
