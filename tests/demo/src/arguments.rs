//! The command line.

use std::time::Duration;

pub(crate) const HELP: &str = "\
A small web shop that uses every crate, and a dashboard that shows live what happens.

Usage: cargo xtask demo [OPTIONS]

  --port PORT      where to listen on this machine [default: 3000, or the next free one; 0: any]
  --load N         drive it with N requests a second, 0 to 5000 [default: 0; the dashboard has a
                   switch as well]
  --fresh SECONDS  how long a product list is fresh [default: 10]
  --redis URL      keep the cache on this server, redis://host:port [default: in memory and in
                   files]; given several times, the four nodes are these servers in turn
  --memcached URL  the same on memcached://host:port
  --help           print this";

/// What the command line says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) port: Option<u16>,
    pub(crate) load: u32,
    pub(crate) fresh: Duration,
    pub(crate) servers: Servers,
}

/// Where the cache is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Servers {
    /// In this process.
    None,
    Redis(Vec<String>),
    Memcached(Vec<String>),
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Run(Arguments),
}

impl Arguments {
    /// Reads the words after the program's name; the error is one line for the person who typed them.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
        let fresh = Duration::from_secs(10);
        let mut parsed = Self { port: None, load: 0, fresh, servers: Servers::None };
        while let Some(word) = words.next() {
            let mut value =
                || words.next().ok_or_else(|| format!("{word} needs a value; see --help"));
            match word.as_str() {
                "--help" | "-h" => return Ok(Command::Help),
                "--port" => parsed.port = Some(number(&word, &value()?, 0, 65_535)?),
                "--load" => parsed.load = number(&word, &value()?, 0, 5_000)?,
                "--fresh" => {
                    let seconds = number(&word, &value()?, 1, 86_400)?;
                    parsed.fresh = Duration::from_secs(seconds);
                }
                "--redis" | "--memcached" => parsed.servers.add(&word, value()?)?,
                _ => return Err(format!("there is no option {word}; see --help")),
            }
        }
        Ok(Command::Run(parsed))
    }
}

impl Servers {
    fn add(&mut self, option: &str, url: String) -> Result<(), String> {
        match (self, option) {
            (Self::Redis(urls), "--redis") | (Self::Memcached(urls), "--memcached") => {
                urls.push(url)
            }
            (none @ Self::None, "--redis") => *none = Self::Redis(vec![url]),
            (none @ Self::None, _) => *none = Self::Memcached(vec![url]),
            _ => return Err("the cache is on --redis or on --memcached, not on both".to_owned()),
        }
        Ok(())
    }
}

fn number<T: TryFrom<u64>>(option: &str, text: &str, least: u64, most: u64) -> Result<T, String> {
    let parsed = text.parse().ok().filter(|number| (least..=most).contains(number));
    parsed.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        format!("{option} takes a whole number from {least} to {most}, not {text:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_understood() {
        let line = "--port 0 --load 200 --fresh 3 --redis redis://a --redis redis://b";
        let servers = Servers::Redis(vec!["redis://a".to_owned(), "redis://b".to_owned()]);
        let (port, fresh) = (Some(0), Duration::from_secs(3));
        assert_eq!(parse(line), Ok(Command::Run(Arguments { port, load: 200, fresh, servers })));
        assert_eq!(parse("--load 200 --help"), Ok(Command::Help));
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        for (line, why) in [
            ("--port", "--port needs a value; see --help"),
            ("--port 70000", "--port takes a whole number from 0 to 65535, not \"70000\""),
            ("--load many", "--load takes a whole number from 0 to 5000, not \"many\""),
            ("--fresh 0", "--fresh takes a whole number from 1 to 86400, not \"0\""),
            (
                "--redis redis://a --memcached memcached://b",
                "the cache is on --redis or on --memcached, not on both",
            ),
            ("--verbose", "there is no option --verbose; see --help"),
            ("shop", "there is no option shop; see --help"),
        ] {
            assert_eq!(parse(line), Err(why.to_owned()));
        }
    }
}
