//! The table of who holds what, and its bytes.
//!
//! ```text
//! offset  bytes  what (numbers are little-endian)
//! 0       8      "DPHOLDS1"
//! 8       8      xxh3-64 of everything after it
//! 16      4      number of holds; then, for each:
//!         16     token of the lease
//!         16     owner
//!         8      when the lease ends, milliseconds since 1970
//!         8      how long it was granted for, milliseconds
//!         4      length of the group, or 2^32-1 for a plain name
//!         4      length of the name
//!                group, then name
//! ```

use std::time::Duration;

use dogpile_core::{Key, KeyBuf, Lease};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"DPHOLDS1";
const NO_GROUP: u32 = u32::MAX;
/// How far apart, in milliseconds, two readings of the clock may be without it having been set back.
const SKEW: u64 = 1_000;

/// One lock that is held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Hold {
    key: KeyBuf,
    pub(super) lease: Lease,
    pub(super) owner: u128,
    ends: u64,
    granted: u64,
}

impl Hold {
    pub(super) fn new(
        key: Key<'_>,
        lease: Lease,
        owner: u128,
        now: u64,
        lease_for: Duration,
    ) -> Self {
        let mut hold = Self { key: KeyBuf::from(key), lease, owner, ends: 0, granted: 0 };
        hold.extend(now, lease_for);
        hold
    }

    pub(super) fn extend(&mut self, now: u64, lease_for: Duration) {
        self.granted = u64::try_from(lease_for.as_millis()).unwrap_or(u64::MAX).max(1);
        self.ends = now.saturating_add(self.granted);
    }

    /// A lease that ends much later than it could have been granted for is of a clock that was set
    /// back since, and would otherwise hold until that clock caught up.
    pub(super) fn has_ended(&self, now: u64) -> bool {
        self.ends <= now || self.ends - now > self.granted.saturating_add(SKEW)
    }
}

/// All locks of a stripe that are held.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Holds(Vec<Hold>);

impl Holds {
    pub(super) fn find(&self, key: Key<'_>) -> Option<&Hold> {
        self.0.iter().find(|hold| hold.key.as_key() == key)
    }

    pub(super) fn find_mut(&mut self, key: Key<'_>) -> Option<&mut Hold> {
        self.0.iter_mut().find(|hold| hold.key.as_key() == key)
    }

    pub(super) fn put(&mut self, hold: Hold) {
        self.remove(hold.key.clone().as_key());
        self.0.push(hold);
    }

    pub(super) fn remove(&mut self, key: Key<'_>) {
        self.0.retain(|hold| hold.key.as_key() != key);
    }

    pub(super) fn remove_group(&mut self, group: &[u8]) {
        self.0.retain(|hold| hold.key.as_key().group() != Some(group));
    }

    pub(super) fn remove_ended(&mut self, now: u64) {
        self.0.retain(|hold| !hold.has_ended(now));
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let mut body = count.to_le_bytes().to_vec();
        for hold in &self.0 {
            let key = hold.key.as_key();
            let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(NO_GROUP);
            body.extend_from_slice(&hold.lease.token().to_le_bytes());
            body.extend_from_slice(&hold.owner.to_le_bytes());
            body.extend_from_slice(&hold.ends.to_le_bytes());
            body.extend_from_slice(&hold.granted.to_le_bytes());
            body.extend_from_slice(&key.group().map_or(NO_GROUP, length).to_le_bytes());
            body.extend_from_slice(&length(key.as_bytes()).to_le_bytes());
            body.extend_from_slice(key.group().unwrap_or_default());
            body.extend_from_slice(key.as_bytes());
        }
        [&MAGIC[..], &xxh3_64(&body).to_le_bytes(), &body].concat()
    }

    /// `None` for anything that is not a whole table.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (checksum, body) = rest.split_first_chunk::<8>()?;
        if magic != MAGIC || xxh3_64(body) != u64::from_le_bytes(*checksum) {
            return None;
        }
        let mut rest = Rest(body);
        let count = u32::from_le_bytes(rest.array()?);
        let mut holds = Vec::new();
        for _ in 0..count {
            let lease = Lease::new(u128::from_le_bytes(rest.array()?));
            let owner = u128::from_le_bytes(rest.array()?);
            let ends = u64::from_le_bytes(rest.array()?);
            let granted = u64::from_le_bytes(rest.array()?);
            let group = u32::from_le_bytes(rest.array()?);
            let name = u32::from_le_bytes(rest.array()?);
            let group = if group == NO_GROUP { None } else { Some(rest.bytes(group)?) };
            let name = rest.bytes(name)?;
            let key = KeyBuf::from(group.map_or(Key::name(name), |group| Key::field(group, name)));
            holds.push(Hold { key, lease, owner, ends, granted });
        }
        rest.0.is_empty().then_some(Self(holds))
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn bytes(&mut self, length: u32) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Holds {
        let mut holds = Holds::default();
        for (key, token) in
            [(Key::name("a"), 1), (Key::field("g", "a"), 2), (Key::field("", "\0"), 3)]
        {
            holds.put(Hold::new(key, Lease::new(token), 9, 1_000, Duration::from_secs(5)));
        }
        holds
    }

    #[test]
    fn bytes_round_trip() {
        assert_eq!(Holds::from_bytes(&table().to_bytes()), Some(table()));
        assert_eq!(Holds::from_bytes(&Holds::default().to_bytes()), Some(Holds::default()));
    }

    #[test]
    fn anything_else_is_no_table() {
        let good = table().to_bytes();
        for end in 0..good.len() {
            assert_eq!(Holds::from_bytes(&good[..end]), None);
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(Holds::from_bytes(&bad), None);
        }
        assert_eq!(Holds::from_bytes(&[&good[..], b"x"].concat()), None);
    }

    #[test]
    fn a_lease_ends_by_time_and_by_a_clock_set_back() {
        let hold = Hold::new(Key::name("a"), Lease::new(1), 9, 10_000, Duration::from_secs(5));
        assert!(!hold.has_ended(10_000));
        assert!(!hold.has_ended(14_999));
        assert!(hold.has_ended(15_000));
        assert!(!hold.has_ended(9_000));
        assert!(hold.has_ended(8_999), "nobody could have been granted that much");
    }
}
