//! The command line of the applications.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use cookie_session::generation::{Generations, MemoryStore, MonotonicStore};
use cookie_session::{Attributes, KeyFile, KeyRing, RootKey, SessionOptions, Sessions};

use super::sqlite::SqliteStore;

type Failure = Box<dyn std::error::Error>;

const HELP: &str = "\
A small application whose users log in, with sessions in an encrypted cookie.

  --port PORT      where to listen on this machine (default 8080; 0 for any free port)
  --mode MODE      what the server can end before its time (default per-session):
                     stateless    nothing: a cookie is valid until it expires
                     per-user     all sessions of a user
                     per-session  also one session: logout is real
                     monotonic    also every cookie that is not the newest of its session
  --idle SECONDS   how long a session lives without a request (default 1800)
  --absolute SECONDS
                   how long a session lives at most (default 43200)
  --key-file FILE  the keys, made when absent; without it a new key, which nobody else has
  --db FILE        generations in this SQLite database; without it in memory
";

/// What it says.
#[derive(Debug)]
pub struct Options {
    port: u16,
    mode: Mode,
    idle: Duration,
    absolute: Duration,
    key_file: Option<PathBuf>,
    db: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Stateless,
    PerUser,
    PerSession,
    Monotonic,
}

impl Options {
    /// From the arguments of the process. `None` if only help was wanted.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Failure> {
        let mut options = Self {
            port: 8080,
            mode: Mode::PerSession,
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(12 * 60 * 60),
            key_file: None,
            db: None,
        };
        while let Some(name) = arguments.next() {
            if name == "--help" || name == "-h" {
                eprint!("{HELP}");
                return Ok(None);
            }
            let mut value =
                || arguments.next().ok_or_else(|| format!("{name} needs a value; see --help"));
            match name.as_str() {
                "--port" => options.port = number(&name, &value()?)?,
                "--mode" => options.mode = mode(&value()?)?,
                "--idle" => options.idle = Duration::from_secs(number(&name, &value()?)?),
                "--absolute" => options.absolute = Duration::from_secs(number(&name, &value()?)?),
                "--key-file" => options.key_file = Some(value()?.into()),
                "--db" => options.db = Some(value()?.into()),
                _ => return Err(format!("there is no option {name}; see --help").into()),
            }
        }
        Ok(Some(options))
    }

    /// This machine only: cookies for development go over plain http.
    pub fn address(&self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.port)
    }

    /// The sessions of the application.
    pub fn sessions(&self) -> Result<Sessions, Failure> {
        let options = SessionOptions::new()
            .with_cookie(Attributes::insecure_for_development("session")?)
            .with_audience("login-example")
            .with_idle(self.idle.min(self.absolute))
            .with_absolute(self.absolute);
        let options = match &self.db {
            Some(file) => options.with_generations(self.generations(SqliteStore::open(file)?)),
            None => options.with_generations(self.generations(MemoryStore::new())),
        };
        Ok(Sessions::new(self.keys()?, options)?)
    }

    fn generations(&self, store: impl MonotonicStore + 'static) -> Generations {
        match self.mode {
            Mode::Stateless => Generations::stateless(),
            Mode::PerUser => Generations::per_user(store),
            Mode::PerSession => Generations::per_session(store),
            Mode::Monotonic => Generations::monotonic(store),
        }
    }

    fn keys(&self) -> Result<KeyRing, Failure> {
        let Some(file) = &self.key_file else { return Ok(KeyRing::new(RootKey::generate()?)) };
        if !file.exists() {
            match KeyFile::new(file).create() {
                Err(_) if file.exists() => {} // Another process was faster.
                made => made?,
            }
        }
        Ok(KeyRing::from_file(file)?)
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| format!("{name} needs a number, and not {text:?}").into())
}

fn mode(text: &str) -> Result<Mode, Failure> {
    Ok(match text {
        "stateless" => Mode::Stateless,
        "per-user" => Mode::PerUser,
        "per-session" => Mode::PerSession,
        "monotonic" => Mode::Monotonic,
        _ => return Err("--mode is stateless, per-user, per-session or monotonic".into()),
    })
}
