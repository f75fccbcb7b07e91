//! The servers' protocol, as little of it as a test needs to look behind the back of what it tests.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// What a server answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    Nothing,
    Number(i64),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Error(String),
}

impl Reply {
    pub fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            other => panic!("not a number: {other:?}"),
        }
    }

    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Nothing => None,
            other => panic!("not bytes: {other:?}"),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("not text: {other:?}"),
        }
    }

    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            other => panic!("not a list: {other:?}"),
        }
    }
}

/// Where a server listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    Port(u16),
    Socket(PathBuf),
}

/// A byte stream to a server.
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub fn connect(place: &Place) -> io::Result<Self> {
        Ok(match place {
            Place::Port(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port))?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
            Place::Socket(path) => Self::Unix(UnixStream::connect(path)?),
        })
    }

    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(timeout),
            Self::Unix(stream) => stream.set_read_timeout(timeout),
        }
    }

    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
        })
    }

    pub fn shut_down(&self) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(std::net::Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(std::net::Shutdown::Both),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection that asks one thing at a time.
pub struct Wire(BufReader<Stream>);

impl Wire {
    pub fn connect(place: &Place, timeout: Duration) -> io::Result<Self> {
        let stream = Stream::connect(place)?;
        stream.set_timeout(Some(timeout))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a command and waits for its reply.
    pub fn ask<A: AsRef<[u8]>>(&mut self, command: &[A]) -> io::Result<Reply> {
        self.send(command)?;
        self.receive()
    }

    pub fn send<A: AsRef<[u8]>>(&mut self, command: &[A]) -> io::Result<()> {
        let mut out = format!("*{}\r\n", command.len()).into_bytes();
        for argument in command {
            let argument = argument.as_ref();
            out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            out.extend_from_slice(argument);
            out.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&out)
    }

    pub fn receive(&mut self) -> io::Result<Reply> {
        let mut line = Vec::new();
        if self.0.read_until(b'\n', &mut line)? < 3 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&line[1..line.len() - 2]).into_owned();
        Ok(match line[0] {
            b'+' => Reply::Bytes(text.into_bytes()),
            b'-' => Reply::Error(text),
            b':' => Reply::Number(text.parse().unwrap()),
            b'$' if text == "-1" => Reply::Nothing,
            b'$' => {
                let mut bytes = vec![0; text.parse::<usize>().unwrap() + 2];
                self.0.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Bytes(bytes)
            }
            b'*' if text == "-1" => Reply::Nothing,
            b'*' => Reply::List(
                (0..text.parse::<usize>().unwrap())
                    .map(|_| self.receive())
                    .collect::<io::Result<_>>()?,
            ),
            other => panic!("a reply that begins with {:?}", char::from(other)),
        })
    }
}
