//! What a key holds: the questions that people ask a server by telnet.

use std::fmt;
use std::time::Duration;

use dogpile_core::{Clock, Key, Result, SystemClock, Timestamp};

use crate::backend::{give_back, runs};
use crate::expiry::GRACE;
use crate::memcached::Memcached;
use crate::meta::{Command, Status};
use crate::server::Line;
use crate::value::{Found, Packed};
use crate::wait::Described;

/// What is known of a key: [`Memcached::inspect`]. It prints itself as one line for people.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// The server that has it.
    pub server: String,
    /// The name of its item, as it is sent.
    pub name: String,
    /// Whether an entry is there.
    pub is_there: bool,
    /// The bytes of what is stored, with the stamps and after compression, without its parts.
    pub stored_len: usize,
    /// The bytes that the whole item takes in the server; none where the server does not say.
    pub item_size: Option<usize>,
    /// The client flags. Classic commands do not show them; then they are those that we keep in the
    /// value.
    pub flags: u32,
    /// The [number of the codec](Memcached::with_codec_number) that wrote it, if it is an entry.
    pub codec: Option<u8>,
    /// The name of the algorithm that compressed it, if one did.
    pub compression: Option<&'static str>,
    /// The number of its parts and the bytes of all of them, if it was split.
    pub parts: Option<(usize, usize)>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it stops being fresh by its own account, if it says so.
    pub expires: Option<Timestamp>,
    /// The version of its value.
    pub version: u32,
    /// How old it is.
    pub age: Option<Duration>,
    /// How long the server will keep it; none for ever, or where the server does not say.
    pub expires_in: Option<Duration>,
    /// How long ago it was last used, where the server says so.
    pub idle: Option<Duration>,
    /// Whether somebody is creating it.
    pub lease: LeaseState,
    /// Why what is there is no entry, if it is none.
    pub foreign: Option<String>,
}

/// Who holds the lease of a key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LeaseState {
    /// Nobody: who asks next and finds nothing fresh may create.
    Free,
    /// Somebody, whose lease the server ends after this time at the latest unless it is extended; none
    /// where the server does not say.
    Held {
        /// The time that is left.
        left: Option<Duration>,
    },
    /// Nobody yet: it was marked stale, and the next that asks is to create.
    MarkedStale,
}

impl Memcached {
    /// What a key holds, its age, its lease, and on which server it is.
    ///
    /// It takes no lease and changes no value. The server counts it as a use of the item.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](dogpile_core::ErrorKind::Unavailable) or
    /// [`ErrorKind::TimedOut`](dogpile_core::ErrorKind::TimedOut) if its server does not answer.
    pub async fn inspect(&self, key: Key<'_>) -> Result<Inspection> {
        let name = self.name(key);
        let server = self.fleet.server(&name)?;
        let mut seen = Inspection::of(&server.name, &name);
        match server.line().await? {
            Line::Meta(connection) => {
                let commands = [Command::Describe { name: &name }, Command::Look { name: &name }];
                let (replies, connection) = server.all(connection, &commands).await?;
                let [described, got] = &replies[..] else { return Ok(seen) };
                match described.status {
                    Status::Missing => {}
                    Status::Described => seen.describe(Described::new(&described.value)),
                    _ => return Err(server.odd("me", described)),
                }
                let marks = got.marks;
                match got.status {
                    Status::Missing => return Ok(seen),
                    Status::Value => give_back(&connection, &name, &marks),
                    _ => return Err(server.odd("mg", got)),
                }
                seen.stored_len = got.value.len();
                let held_for = |seconds: Option<u64>| LeaseState::Held {
                    left: seconds.map(Duration::from_secs),
                };
                if runs(&marks) {
                    seen.lease = match marks.won {
                        true => LeaseState::MarkedStale,
                        false => held_for(marks.ttl.map(|left| left - u64::from(GRACE))),
                    };
                } else if marks.stale {
                    seen.lease = LeaseState::MarkedStale;
                }
                seen.flags = marks.flags;
                seen.expires_in = marks.ttl.map(Duration::from_secs);
                let found = self.settings.values.found(marks.flags, got.value.clone());
                if let Found::Turn(record) = &found
                    && !marks.stale
                    && (marks.taken || record.is_some())
                {
                    seen.lease = held_for(marks.ttl);
                }
                seen.found(found);
            }
            #[cfg(feature = "classic")]
            Line::Classic(classic) => {
                let lock = self.settings.names.lock(key);
                let mut found = classic.get_many(&[&name, &lock]).await?.into_iter();
                let value = found.next().flatten();
                if found.next().flatten().is_some() {
                    seen.lease = LeaseState::Held { left: None };
                }
                if let Some(value) = value {
                    seen.stored_len = value.len();
                    if let Some((flags, _)) = value.split_first_chunk() {
                        seen.flags = u32::from_be_bytes(*flags);
                    }
                    seen.found(self.settings.values.found_joined(value));
                }
            }
        }
        Ok(seen)
    }
}

impl Inspection {
    fn of(server: &str, name: &[u8]) -> Self {
        Self {
            server: server.to_owned(),
            name: String::from_utf8_lossy(name).into_owned(),
            is_there: false,
            stored_len: 0,
            item_size: None,
            flags: 0,
            codec: None,
            compression: None,
            parts: None,
            created: None,
            expires: None,
            version: 0,
            age: None,
            expires_in: None,
            idle: None,
            lease: LeaseState::Free,
            foreign: None,
        }
    }

    fn describe(&mut self, item: Described) {
        self.item_size = item.size;
        self.idle = item.idle.map(Duration::from_secs);
        self.expires_in = item.expires_in.map(Duration::from_secs);
    }

    fn found(&mut self, found: Found) {
        match found {
            Found::Turn(_) => {}
            Found::Foreign(error) => self.foreign = Some(error.to_string()),
            Found::Entry(packed) => self.entry(&packed),
        }
    }

    fn entry(&mut self, packed: &Packed) {
        let stamps = packed.stamps;
        self.is_there = true;
        self.codec = Some(packed.flags().codec);
        self.compression = packed.compression();
        self.parts = packed.parts();
        self.created = Some(stamps.created);
        self.expires = Some(stamps.expires).filter(|expires| *expires != Timestamp::MAX);
        self.version = stamps.version;
        self.age = Some(SystemClock.now().since(stamps.created));
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: ", self.name, self.server)?;
        match (&self.foreign, self.is_there) {
            (Some(why), _) => write!(f, "{} bytes that are no entry ({why})", self.stored_len)?,
            (None, false) => f.write_str("nothing")?,
            (None, true) => {
                write!(f, "{} bytes", self.stored_len)?;
                if let Some((parts, bytes)) = self.parts {
                    write!(f, " that name {parts} parts of {bytes} bytes in all")?;
                }
                if let Some(compression) = self.compression {
                    write!(f, ", compressed by {compression}")?;
                }
                if let Some(age) = self.age {
                    write!(f, ", {:.1} s old", age.as_secs_f64())?;
                }
                match self.expires_in {
                    Some(left) => write!(f, ", kept for {} s more", left.as_secs())?,
                    None => f.write_str(", kept until it is evicted")?,
                }
            }
        }
        match self.lease {
            LeaseState::Free => Ok(()),
            LeaseState::Held { left: Some(left) } => {
                write!(f, "; somebody is creating it, for {} s more at most", left.as_secs())
            }
            LeaseState::Held { left: None } => f.write_str("; somebody is creating it"),
            LeaseState::MarkedStale => f.write_str("; marked stale"),
        }
    }
}
