//! A connection to a server that says bytes and hears bytes, to look behind the back of what is tested.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use super::resp::{Place, Stream};

pub struct Wire(BufReader<Stream>);

impl Wire {
    pub fn connect(place: &Place, timeout: Duration) -> io::Result<Self> {
        let stream = Stream::connect(place)?;
        stream.set_timeout(Some(timeout))?;
        Ok(Self(BufReader::new(stream)))
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())
    }

    /// A line, without its end.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.0.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Sends a command whose answer is a line.
    pub fn try_ask(&mut self, command: impl AsRef<[u8]>) -> io::Result<String> {
        self.send(command)?;
        self.send("\r\n")?;
        self.line()
    }

    pub fn ask(&mut self, command: impl AsRef<[u8]>) -> String {
        self.try_ask(command).unwrap()
    }

    pub fn set(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (key, value) = (key.as_ref(), value.as_ref());
        let head = format!(" 0 0 {}\r\n", value.len());
        let all = [b"set ", key, head.as_bytes(), value].concat();
        assert_eq!(self.ask(all), "STORED");
    }

    /// A value as classic clients read it, and its flags: without disturbing what `mg` would.
    pub fn get(&mut self, key: impl AsRef<[u8]>) -> Option<(Vec<u8>, u32)> {
        let head = self.ask([b"get ", key.as_ref()].concat());
        if head == "END" {
            return None;
        }
        let words: Vec<&str> = head.split(' ').collect();
        let mut value = vec![0; words[3].parse::<usize>().unwrap() + 2];
        self.0.read_exact(&mut value).unwrap();
        value.truncate(value.len() - 2);
        assert_eq!(self.line().unwrap(), "END");
        Some((value, words[2].parse().unwrap()))
    }

    /// What `stats`, or `stats` of something, answers.
    pub fn stats(&mut self, of: &str) -> BTreeMap<String, String> {
        self.send(format!("stats {of}").trim_end()).unwrap();
        self.send("\r\n").unwrap();
        let mut stats = BTreeMap::new();
        loop {
            let line = self.line().unwrap();
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("STAT"), Some(name), Some(value)) => {
                    stats.insert(name.to_owned(), value.to_owned());
                }
                (Some("END"), None, None) => return stats,
                _ => panic!("{line}"),
            }
        }
    }

    pub fn stat(&mut self, name: &str) -> u64 {
        let stats = self.stats("");
        let value = stats.get(name).unwrap_or_else(|| panic!("no {name} in {stats:?}"));
        value.parse().unwrap()
    }
}
