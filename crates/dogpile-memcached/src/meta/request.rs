//! Commands as bytes.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use super::Opaque;
use crate::value::Stored;

/// One command. A name is one that [`is_name`](crate::key::is_name): nothing is checked here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command<'a> {
    /// `mg k v f`: what is there. Like each `mg`, it takes the win of an item that is marked stale.
    Get { name: &'a [u8] },
    /// `mg k v c t f`: what is there, and which item it is.
    Look { name: &'a [u8] },
    /// `mg k v c t f N`: what is there, or the turn to create it, for some seconds.
    Lease { name: &'a [u8], seconds: u32 },
    /// `mg k c t`: which item is there.
    Which { name: &'a [u8] },
    /// `mg k c t N`: the turn alone, without what is there.
    Win { name: &'a [u8], seconds: u32 },
    /// `mg k c t T`: lets what is there live so many seconds from now.
    Touch { name: &'a [u8], ttl: u32 },
    /// `ms k`, and the new `cas` in answer.
    Set { name: &'a [u8], value: &'a Stored, ttl: u32, mode: Mode },
    /// `md k`, of this `cas` only if there is one.
    Delete { name: &'a [u8], cas: Option<u64> },
    /// `md k I T C`: keeps it so many seconds, marked stale, and gives the next asker the win.
    MarkStale { name: &'a [u8], ttl: u32, cas: u64 },
    /// `me k`: what the server knows of it. It changes nothing, not even when it was last used.
    Describe { name: &'a [u8] },
}

/// When to store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    Always,
    /// If nothing is there.
    Add,
    /// If what is there has this `cas`.
    Cas(u64),
}

impl Command<'_> {
    /// Whether it may be sent again that was perhaps carried out.
    ///
    /// - What only reads may be, and so may asking for a turn: the turn that the first asking took is
    ///   nobody's, and ends like that of a holder who died.
    /// - What is deleted twice was deleted and evicted, which becomes of any item at any time.
    /// - An item of this `cas` is marked once.
    /// - What is stored twice is not: over the one who stored something else in between.
    /// - Nor is what answers whether it was this command that did it.
    pub(crate) fn may_repeat(&self) -> bool {
        match self {
            Self::Get { .. } | Self::Look { .. } | Self::Which { .. } | Self::Describe { .. } => {
                true
            }
            Self::Lease { .. } | Self::Win { .. } | Self::MarkStale { .. } => true,
            Self::Delete { cas, .. } => cas.is_none(),
            Self::Touch { .. } | Self::Set { .. } => false,
        }
    }

    /// Whether it is for an item of one life of the server: in another, the same `cas` is another item's.
    pub(crate) fn compares(&self) -> bool {
        match self {
            Self::MarkStale { .. } => true,
            Self::Delete { cas, .. } => cas.is_some(),
            Self::Set { mode, .. } => matches!(mode, Mode::Cas(_)),
            _ => false,
        }
    }

    pub(crate) fn encode(&self, opaque: Opaque, out: &mut Outgoing) {
        match *self {
            Self::Get { name } => out.words(&[b"mg ", name, b" v f"]),
            Self::Look { name } => out.words(&[b"mg ", name, b" v c t f"]),
            Self::Which { name } => out.words(&[b"mg ", name, b" c t"]),
            Self::Lease { name, seconds } => {
                out.words(&[b"mg ", name, b" v c t f N"]);
                out.number(seconds);
            }
            Self::Win { name, seconds } => {
                out.words(&[b"mg ", name, b" c t N"]);
                out.number(seconds);
            }
            Self::Touch { name, ttl } => {
                out.words(&[b"mg ", name, b" c t T"]);
                out.number(ttl);
            }
            Self::Set { name, value, ttl, mode } => {
                out.words(&[b"ms ", name, b" "]);
                out.number(value.len() as u64);
                out.bytes(b" c T");
                out.number(ttl);
                out.bytes(b" F");
                out.number(value.flags);
                match mode {
                    Mode::Always => {}
                    Mode::Add => out.bytes(b" ME"),
                    Mode::Cas(cas) => out.compare(cas),
                }
            }
            Self::Delete { name, cas } => {
                out.words(&[b"md ", name]);
                cas.into_iter().for_each(|cas| out.compare(cas));
            }
            Self::MarkStale { name, ttl, cas } => {
                out.words(&[b"md ", name, b" I T"]);
                out.number(ttl);
                out.compare(cas);
            }
            // Its answer carries nothing but what is known of the item.
            Self::Describe { name } => return out.words(&[b"me ", name, b"\r\n"]),
        }
        let [high, low] = opaque.as_bytes();
        out.bytes(&[b' ', b'O', high, low, b'\r', b'\n']);
        if let Self::Set { value, .. } = self {
            out.bytes(&value.head);
            out.shared(&value.body);
            out.bytes(b"\r\n");
        }
    }
}

/// Bytes to be written: small ones copied together, large ones as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    /// What comes first.
    sealed: VecDeque<Bytes>,
    tail: BytesMut,
}

/// From this size on a value is not copied.
const LARGE: usize = 16 * 1024;
/// How many pieces one write takes.
const PIECES: usize = 16;

impl Outgoing {
    fn words(&mut self, words: &[&[u8]]) {
        words.iter().for_each(|word| self.bytes(word));
    }

    fn number(&mut self, number: impl Into<u64>) {
        let (mut digits, mut at, mut rest) = ([0; 20], 20, number.into());
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10).to_le_bytes()[0];
            rest /= 10;
            if rest == 0 {
                return self.bytes(&digits[at..]);
            }
        }
    }

    fn compare(&mut self, cas: u64) {
        self.bytes(b" C");
        self.number(cas);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    fn shared(&mut self, bytes: &Bytes) {
        if bytes.len() < LARGE {
            return self.bytes(bytes);
        }
        self.seal();
        self.sealed.push_back(bytes.clone());
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.sealed.push_back(self.tail.split().freeze());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.tail.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.sealed.iter().map(Bytes::len).sum::<usize>() + self.tail.len()
    }

    /// Takes the first bytes out.
    pub(crate) fn split_to(&mut self, length: usize) -> Self {
        let (mut first, mut left) = (Self::default(), length);
        while let Some(piece) = self.sealed.front_mut()
            && left > 0
        {
            let part = piece.split_to(left.min(piece.len()));
            left -= part.len();
            if piece.is_empty() {
                self.sealed.pop_front();
            }
            first.sealed.push_back(part);
        }
        first.tail = self.tail.split_to(left.min(self.tail.len()));
        first
    }

    /// Has the first pieces written, and forgets what was.
    pub(crate) fn write_with<E>(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let all = self.sealed.iter().map(|piece| &piece[..]).chain([&self.tail[..]]);
        let mut count = 0;
        for (to, piece) in pieces.iter_mut().zip(all.filter(|piece| !piece.is_empty())) {
            *to = IoSlice::new(piece);
            count += 1;
        }
        let mut written = write(&pieces[..count])?;
        let all_written = written;
        while let Some(first) = self.sealed.front_mut()
            && written > 0
        {
            let part = first.len().min(written);
            first.advance(part);
            written -= part;
            if first.is_empty() {
                self.sealed.pop_front();
            }
        }
        self.tail.advance(written.min(self.tail.len()));
        if self.is_empty() {
            // One large request must not keep its memory for good.
            match self.tail.capacity() > 8 * LARGE {
                true => self.tail = BytesMut::new(),
                false => self.tail.clear(),
            }
        }
        Ok(all_written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(commands: &[Command<'_>]) -> String {
        let mut out = Outgoing::default();
        let mut next = Opaque::default();
        commands.iter().for_each(|command| command.encode(next.take(), &mut out));
        String::from_utf8(drained(out, 7)).unwrap()
    }

    /// Writes at most so many bytes at a time.
    fn drained(mut out: Outgoing, at_most: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !out.is_empty() {
            let _ = out.write_with(|pieces| {
                let joined: Vec<u8> =
                    pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
                let part = joined.len().min(at_most);
                all.extend_from_slice(&joined[..part]);
                Ok::<_, ()>(part)
            });
        }
        all
    }

    #[test]
    fn commands_as_the_protocol_has_them() {
        let value = Stored { flags: 7, head: b"h".to_vec(), body: Bytes::from_static(b"ello") };
        let name = b"k";
        for (command, bytes) in [
            (Command::Get { name }, "mg k v f O00\r\n"),
            (Command::Look { name }, "mg k v c t f O00\r\n"),
            (Command::Lease { name, seconds: 30 }, "mg k v c t f N30 O00\r\n"),
            (Command::Which { name }, "mg k c t O00\r\n"),
            (Command::Win { name, seconds: 2 }, "mg k c t N2 O00\r\n"),
            (Command::Touch { name, ttl: 9 }, "mg k c t T9 O00\r\n"),
            (
                Command::Set { name, value: &value, ttl: 60, mode: Mode::Always },
                "ms k 5 c T60 F7 O00\r\nhello\r\n",
            ),
            (
                Command::Set { name, value: &value, ttl: 0, mode: Mode::Cas(12) },
                "ms k 5 c T0 F7 C12 O00\r\nhello\r\n",
            ),
            (
                Command::Set { name, value: &value, ttl: 1, mode: Mode::Add },
                "ms k 5 c T1 F7 ME O00\r\nhello\r\n",
            ),
            (Command::Delete { name, cas: None }, "md k O00\r\n"),
            (Command::Delete { name, cas: Some(3) }, "md k C3 O00\r\n"),
            (Command::Delete { name, cas: Some(u64::MAX) }, "md k C18446744073709551615 O00\r\n"),
            (Command::MarkStale { name, ttl: 30, cas: 8 }, "md k I T30 C8 O00\r\n"),
            (Command::Describe { name }, "me k\r\n"),
        ] {
            assert_eq!(written(&[command]), bytes);
        }
    }

    #[test]
    fn large_values_are_not_copied_and_stay_in_order() {
        let large = Bytes::from(vec![b'x'; LARGE]);
        let value = Stored { flags: 1, head: Vec::new(), body: large.clone() };
        let set = Command::Set { name: b"k", value: &value, ttl: 0, mode: Mode::Always };
        let (mut out, mut next) = (Outgoing::default(), Opaque::default());
        Command::Get { name: b"a" }.encode(next.take(), &mut out);
        set.encode(next.take(), &mut out);
        Command::Get { name: b"b" }.encode(next.take(), &mut out);
        assert_eq!(out.sealed[1].as_ptr(), large.as_ptr());

        let expected =
            [&b"mg a v f O00\r\nms k 16384 c T0 F1 O01\r\n"[..], &large, b"\r\nmg b v f O02\r\n"]
                .concat();
        assert_eq!(out.len(), expected.len());
        for at in [5, 10, 40, 10_000, expected.len() - 5, expected.len()] {
            let mut rest = out.clone();
            let first = drained(rest.split_to(at), 1_000);
            assert_eq!((first.as_slice(), drained(rest, 1_000).as_slice()), expected.split_at(at));
        }
    }
}
