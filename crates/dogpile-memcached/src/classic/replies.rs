//! A stream that lets nothing pass but what a server may say.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest line of a reply: a key of 250 bytes and three numbers, or a sentence.
const LONGEST_LINE: usize = 2048;

/// What a line may begin with; a number may stand alone.
const WORDS: [&[u8]; 11] = [
    b"VALUE ",
    b"END\r\n",
    b"STORED\r\n",
    b"NOT_STORED\r\n",
    b"EXISTS\r\n",
    b"NOT_FOUND\r\n",
    b"DELETED\r\n",
    b"VERSION ",
    b"ERROR\r\n",
    b"CLIENT_ERROR ",
    b"SERVER_ERROR ",
];

/// Reads ahead of who parses the replies, who allocates whatever a line says: a line that is too long,
/// that no server says, or that announces too large a value is an error before it arrives there.
pub(super) struct Replies<S> {
    stream: S,
    largest: usize,
    at: At,
}

enum At {
    /// In a line, of which this much is known.
    Line(Vec<u8>),
    /// In a value, with its line break, of which so many bytes are to come.
    Value(usize),
}

impl<S> Replies<S> {
    /// `largest` is the most bytes of a value.
    pub(super) fn new(stream: S, largest: usize) -> Self {
        Self { stream, largest, at: At::Line(Vec::new()) }
    }

    fn check(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Value(left) => {
                    let now = bytes.len().min(*left);
                    bytes = &bytes[now..];
                    *left -= now;
                    if *left == 0 {
                        self.at = At::Line(Vec::new());
                    }
                }
                At::Line(line) => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let (now, later) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    bytes = later;
                    if line.len() + now.len() > LONGEST_LINE {
                        return Err(invalid(format!("a line of more than {LONGEST_LINE} bytes")));
                    }
                    line.extend_from_slice(now);
                    if end.is_some() {
                        match value_length(line, self.largest)? {
                            Some(length) => self.at = At::Value(length + 2),
                            None => line.clear(),
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The length of the value that follows a line, if one does.
fn value_length(line: &[u8], largest: usize) -> io::Result<Option<usize>> {
    let shown = || String::from_utf8_lossy(&line[..line.len().min(80)]).escape_debug().to_string();
    let is_number = line.trim_ascii().iter().all(u8::is_ascii_digit) && line.len() > 2;
    if !is_number && !WORDS.iter().any(|word| line.starts_with(word)) {
        return Err(invalid(format!("`{}`", shown())));
    }
    if !line.starts_with(b"VALUE ") {
        return Ok(None);
    }
    let length = line.split(|byte| *byte == b' ').nth(3).map(<[u8]>::trim_ascii_end);
    let length = length.and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
    match length {
        Some(length) if length <= largest => Ok(Some(length)),
        Some(length) => Err(invalid(format!("a value of {length} bytes, of {largest} at most"))),
        None => Err(invalid(format!("`{}`", shown()))),
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Replies<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.check(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replies<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of bytes that arrive so many at a time.
    fn passes(bytes: &[u8], piece: usize) -> Result<(), String> {
        let mut replies = Replies::new((), 1000);
        bytes.chunks(piece).try_for_each(|piece| replies.check(piece)).map_err(|e| e.to_string())
    }

    #[test]
    fn replies_pass_however_they_are_cut() {
        let all = b"VALUE a 0 4\r\nVA\r\n\r\nVALUE b 7 0 12\r\n\r\nEND\r\nSTORED\r\n17\r\nVERSION 1.6\r\n\
            SERVER_ERROR out of memory\r\nVALUE a 0 1000\r\n";
        for piece in 1..all.len() {
            passes(all, piece).unwrap();
        }
    }

    #[test]
    fn what_no_server_says_does_not() {
        let long = [b"SERVER_ERROR ".to_vec(), vec![b'x'; 3000]].concat();
        let bad: [&[u8]; 9] = [
            b"HTTP/1.1 400 Bad Request\r\n",
            b"JUNK a b 99999999999\r\n",
            b"VALUE a 0 1001\r\n",
            b"VALUE a 0 18446744073709551615\r\n",
            b"VALUE a 0 99999999999999999999999\r\n",
            b"VALUE a 0 -1\r\n",
            b"VALUE a\r\n",
            b"\r\n",
            &long,
        ];
        for bad in bad {
            for piece in [1, 7, bad.len()] {
                assert!(passes(bad, piece).is_err(), "{}", String::from_utf8_lossy(bad));
            }
        }
    }
}
