//! A plain name: its value is a string, and so is its lease.

use std::borrow::Cow;

use bytes::Bytes;

use super::names::Names;
use crate::script::{ASK, EXTEND, RELEASE, REMOVE, STORE};
use crate::wire::{Request, Wire};

/// The keys of a plain name.
#[derive(Debug)]
pub(crate) struct Plain<'k> {
    pub(crate) value: Cow<'k, [u8]>,
    part: usize,
    names: &'k Names,
}

impl<'k> Plain<'k> {
    pub(crate) fn new(name: &'k [u8], names: &'k Names, wire: &Wire) -> Self {
        let value = names.value(name);
        let part = wire.part_of(&value);
        Self { value, part, names }
    }

    /// The key of the lease. A hit does not need it.
    pub(crate) fn lease(&self) -> Vec<u8> {
        self.names.lease(&self.value)
    }

    pub(crate) const fn part(&self) -> usize {
        self.part
    }

    pub(crate) fn get(&self) -> Request {
        let mut cmd = redis::Cmd::with_capacity(2, 3 + self.value.len());
        cmd.arg("GET").arg(&*self.value);
        Request::new(self.part, cmd)
    }

    /// The values of plain names of one part.
    pub(crate) fn get_many(some: &[&Self]) -> Request {
        let mut cmd = redis::cmd("MGET");
        some.iter().for_each(|plain| _ = cmd.arg(&*plain.value));
        Request::new(some.first().map_or(0, |plain| plain.part), cmd)
    }

    /// The holder of the lease.
    pub(crate) fn holder(&self) -> Request {
        let mut cmd = redis::cmd("GET");
        cmd.arg(self.lease());
        Request::new(self.part, cmd)
    }

    pub(crate) fn ask(&self, token: &str, lease_ms: u64, seen: &[u8]) -> Request {
        let mut cmd = ASK.call(&[&self.value, &self.lease()]);
        cmd.arg(token).arg(lease_ms).arg(seen);
        Request::script(self.part, &ASK, cmd)
    }

    pub(crate) fn store(
        &self,
        token: &str,
        stored: &Bytes,
        keep_ms: Option<u64>,
        publish: &str,
    ) -> Request {
        let mut cmd = STORE.call(&[&self.value, &self.lease()]);
        cmd.arg(token).arg(&stored[..]);
        match keep_ms {
            Some(ms) => cmd.arg(ms),
            None => cmd.arg(""),
        };
        cmd.arg(publish);
        Request::script(self.part, &STORE, cmd)
    }

    pub(crate) fn remove(&self, publish: &str) -> Request {
        let mut cmd = REMOVE.call(&[&self.value, &self.lease()]);
        cmd.arg(publish);
        Request::script(self.part, &REMOVE, cmd)
    }

    pub(crate) fn extend(&self, token: &str, lease_ms: u64) -> Request {
        let mut cmd = EXTEND.call(&[&self.lease()]);
        cmd.arg(token).arg(lease_ms);
        Request::script(self.part, &EXTEND, cmd)
    }

    pub(crate) fn release(&self, token: &str, publish: &str) -> Request {
        let mut cmd = RELEASE.call(&[&self.lease()]);
        cmd.arg(token).arg(publish);
        Request::script(self.part, &RELEASE, cmd)
    }

    /// How many milliseconds the lease has left.
    pub(crate) fn left(&self) -> Request {
        let mut cmd = redis::cmd("PTTL");
        cmd.arg(self.lease());
        Request::new(self.part, cmd)
    }
}
