//! A group: a hash of values, a hash of leases beside it, and a hash of values that are too large for
//! the first.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;

use super::names::{Names, beside, native_lease};
use super::{lease_millis, millis};
use crate::script::{
    ASK_FIELDS, EXTEND_FIELD, LEFT_OF_FIELD, RELEASE_FIELD, REMOVE_FIELDS, REMOVE_GROUP,
    STORE_FIELDS, Script,
};
use crate::wire::{Request, Wire};

/// When a group expires as a whole, with all of its fields. It is set in the same step as the write.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum GroupExpiry {
    /// It stays until it is deleted or evicted.
    #[default]
    Never,
    /// So long after its first field was written. Fields that are written later go with the first.
    AfterCreation(Duration),
    /// So long after its last field was written.
    AfterWrite(Duration),
}

/// What stands in the hash for a value that is kept in the other one begins with this, and goes on with
/// eight bytes that are others for each value, so that a change can be seen.
const MARK: u8 = 0xc1;
const MARKER: usize = 9;

pub(crate) fn is_marker(stored: &[u8]) -> bool {
    stored.len() == MARKER && stored.first() == Some(&MARK)
}

fn marker() -> Bytes {
    let unique = RandomState::new().hash_one(MARK).to_be_bytes();
    Bytes::from([&[MARK][..], &unique].concat())
}

/// A value as it goes into a group.
#[derive(Debug)]
pub(crate) struct Stored {
    inside: Bytes,
    outside: Option<Bytes>,
    keep_ms: Option<u64>,
}

impl Stored {
    pub(crate) fn new(stored: Bytes, inline_limit: usize, keep_ms: Option<u64>) -> Self {
        match stored.len() > inline_limit || is_marker(&stored) {
            true => Self { inside: marker(), outside: Some(stored), keep_ms },
            false => Self { inside: stored, outside: None, keep_ms },
        }
    }

    /// Whether the server has to drop it by itself.
    pub(crate) const fn expires(&self) -> bool {
        self.keep_ms.is_some()
    }

    pub(crate) const fn is_outside(&self) -> bool {
        self.outside.is_some()
    }
}

/// The keys of a group.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) hash: Vec<u8>,
    lease_prefix: Vec<u8>,
    part: usize,
}

impl Fields {
    pub(crate) fn new(group: &[u8], names: &Names, wire: &Wire) -> Self {
        let hash = names.group(group);
        Self { part: wire.part_of(&hash), lease_prefix: names.lease_prefix.clone(), hash }
    }

    fn leases(&self) -> Vec<u8> {
        native_lease(&self.lease_prefix, &self.hash)
    }

    fn large(&self) -> Vec<u8> {
        beside(&self.hash, b":large")
    }

    /// What the channels of its fields begin with.
    fn wake(&self) -> Vec<u8> {
        beside(&self.hash, b":wake:")
    }

    /// The channel on which the end of a field's lease is told.
    pub(crate) fn channel(&self, field: &[u8]) -> Vec<u8> {
        [&self.wake(), field].concat()
    }

    pub(crate) fn get(&self, field: &[u8]) -> Request {
        self.plain("HGET", &self.hash, &[field])
    }

    pub(crate) fn get_many(&self, fields: &[&[u8]]) -> Request {
        self.plain("HMGET", &self.hash, fields)
    }

    pub(crate) fn get_large(&self, field: &[u8]) -> Request {
        self.plain("HGET", &self.large(), &[field])
    }

    pub(crate) fn get_all(&self) -> [Request; 2] {
        [self.plain("HGETALL", &self.hash, &[]), self.plain("HGETALL", &self.large(), &[])]
    }

    /// The holder of a field's lease, and the end of it.
    pub(crate) fn holder(&self, field: &[u8]) -> Request {
        self.plain("HGET", &self.leases(), &[field])
    }

    fn plain(&self, command: &str, key: &[u8], fields: &[&[u8]]) -> Request {
        let mut cmd = redis::cmd(command);
        cmd.arg(key);
        fields.iter().for_each(|field| _ = cmd.arg(*field));
        Request::new(self.part, cmd)
    }

    /// Asks for fields: token, field, and what was seen of it.
    pub(crate) fn ask(&self, lease_ms: u64, asks: &[(&str, &[u8], &[u8])]) -> Request {
        let mut cmd = ASK_FIELDS.call(&[&self.hash, &self.leases()]);
        cmd.arg(lease_ms);
        for (token, field, seen) in asks {
            cmd.arg(*token).arg(*field).arg(*seen);
        }
        Request::script(self.part, &ASK_FIELDS, cmd)
    }

    /// Stores fields: the token of the holder or nothing, field, and value.
    pub(crate) fn store(
        &self,
        expiry: GroupExpiry,
        publish: &str,
        items: &[(&str, &[u8], &Stored)],
    ) -> Request {
        let mut cmd = STORE_FIELDS.call(&[&self.hash, &self.leases(), &self.large()]);
        cmd.arg(publish).arg(self.wake());
        let (word, after) = match expiry {
            GroupExpiry::Never => ("", None),
            GroupExpiry::AfterCreation(d) => ("created", millis(d)),
            GroupExpiry::AfterWrite(d) => ("written", millis(d)),
        };
        match after {
            Some(ms) => cmd.arg(word).arg(ms),
            None => cmd.arg("").arg(0),
        };
        for (token, field, stored) in items {
            cmd.arg(*token).arg(*field).arg(&stored.inside[..]);
            cmd.arg(stored.outside.as_deref().unwrap_or_default());
            match stored.keep_ms {
                Some(ms) => cmd.arg(ms),
                None => cmd.arg(""),
            };
        }
        Request::script(self.part, &STORE_FIELDS, cmd)
    }

    pub(crate) fn remove(&self, publish: &str, fields: &[&[u8]]) -> Request {
        let mut cmd = REMOVE_FIELDS.call(&[&self.hash, &self.leases(), &self.large()]);
        cmd.arg(publish).arg(self.wake());
        fields.iter().for_each(|field| _ = cmd.arg(*field));
        Request::script(self.part, &REMOVE_FIELDS, cmd)
    }

    pub(crate) fn remove_all(&self, publish: &str) -> Request {
        let mut cmd = REMOVE_GROUP.call(&[&self.hash, &self.leases(), &self.large()]);
        cmd.arg(publish).arg(self.wake());
        Request::script(self.part, &REMOVE_GROUP, cmd)
    }

    pub(crate) fn extend(&self, token: &str, field: &[u8], lease_for: Duration) -> Request {
        self.of_lease(&EXTEND_FIELD, |cmd| {
            cmd.arg(token).arg(field).arg(lease_millis(lease_for));
        })
    }

    pub(crate) fn release(&self, token: &str, field: &[u8], publish: &str) -> Request {
        self.of_lease(&RELEASE_FIELD, |cmd| {
            cmd.arg(token).arg(field).arg(publish).arg(self.wake());
        })
    }

    /// How many milliseconds the lease of a field has left.
    pub(crate) fn left(&self, field: &[u8]) -> Request {
        self.of_lease(&LEFT_OF_FIELD, |cmd| {
            cmd.arg(field);
        })
    }

    fn of_lease(
        &self,
        script: &'static Script,
        arguments: impl FnOnce(&mut redis::Cmd),
    ) -> Request {
        let mut cmd = script.call(&[&self.leases()]);
        arguments(&mut cmd);
        Request::script(self.part, script, cmd)
    }
}
