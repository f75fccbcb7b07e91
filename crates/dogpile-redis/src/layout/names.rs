//! The names of keys on the server.
//!
//! A plain name is itself, so that it can be found with `redis-cli` and by other programs. What belongs
//! to it is named after it, in the same slot of a cluster. `docs/formats/redis.md` has the rules.

use std::borrow::Cow;

/// What this crate puts at the end of the keys it adds.
const OURS: [&[u8]; 5] = [b":fields", b":lease", b":large", b":wake", b":count"];
/// The slot of names that have none of their own.
const NO_SLOT: &[u8] = b"{~}";

/// How keys are named.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) prefix: Vec<u8>,
    pub(crate) group_suffix: Vec<u8>,
    /// What native leases begin with.
    pub(crate) lease_prefix: Vec<u8>,
    /// `None` for the native leases, or what Python's locks begin with.
    pub(crate) lock_prefix: Option<Vec<u8>>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            prefix: Vec::new(),
            group_suffix: b":fields".to_vec(),
            lease_prefix: Vec::new(),
            lock_prefix: None,
        }
    }
}

impl Names {
    /// The key of a plain name.
    pub(crate) fn value<'k>(&self, name: &'k [u8]) -> Cow<'k, [u8]> {
        let mut key = match self.prefix.is_empty() {
            true => Cow::Borrowed(name),
            false => Cow::Owned([&self.prefix, name].concat()),
        };
        if !has_slot(&key) {
            key = Cow::Owned([NO_SLOT, &key].concat());
        }
        let end = key.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let looks_like_ours = OURS.iter().any(|tail| key[..end].ends_with(tail))
            || (!self.group_suffix.is_empty() && key[..end].ends_with(&self.group_suffix));
        if looks_like_ours {
            key.to_mut().push(0);
        }
        key
    }

    /// The hash of a group.
    pub(crate) fn group(&self, group: &[u8]) -> Vec<u8> {
        with_slot([&self.prefix, group, &self.group_suffix].concat())
    }

    /// The lease of a plain name, whose key is `value`.
    pub(crate) fn lease(&self, value: &[u8]) -> Vec<u8> {
        match &self.lock_prefix {
            Some(prefix) => [prefix, value].concat(),
            None => native_lease(&self.lease_prefix, value),
        }
    }

    /// The counter of a name or a field.
    pub(crate) fn counter(&self, group: Option<&[u8]>, name: &[u8]) -> Vec<u8> {
        match group {
            // The length tells where the field begins, whatever bytes are in it.
            Some(group) => {
                let length = group.len().to_string();
                with_slot([&self.prefix, group, name, b":", length.as_bytes(), b":count"].concat())
            }
            None => with_slot([&self.prefix, name, b"::count"].concat()),
        }
    }
}

/// The native lease of a name, or the leases of a group.
pub(crate) fn native_lease(prefix: &[u8], key: &[u8]) -> Vec<u8> {
    [prefix, &beside(key, b":lease")].concat()
}

/// A key that belongs to `key` and lives in its slot.
pub(crate) fn beside(key: &[u8], tail: &[u8]) -> Vec<u8> {
    match tag(key) {
        // Doubled, so that `{a}` and `a` have different ones.
        Some(_) => [key, b":", tail].concat(),
        None => [b"{", key, b"}", tail].concat(),
    }
}

/// The part of a key that decides its slot, if that is not the whole.
pub(crate) fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')?;
    let length = key[open + 1..].iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &key[open + 1..open + 1 + length])
}

/// Whether other keys can be put into the slot of this one: around a key such as `a}b` no braces can be
/// set.
fn has_slot(key: &[u8]) -> bool {
    let closed = key.contains(&b'}') && tag(key).is_none();
    !closed && !key.is_empty() && !key.starts_with(NO_SLOT)
}

/// The same key, or one in a slot that other keys can be put into as well.
fn with_slot(key: Vec<u8>) -> Vec<u8> {
    if has_slot(&key) { key } else { [NO_SLOT, &key].concat() }
}

/// A token as leases have it: 128 random bits, of which the 13th digit is an 8, as in UUIDs of makers'
/// own kind. Python's are UUIDs of another kind; so each side can tell whose lock it sees.
pub(crate) const fn token_of(random: u128) -> u128 {
    random & !(0xf << 76) | (0x8 << 76)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn plain_names_are_themselves() {
        let names = Names::default();
        for name in ["user:15", "(user,15)", "a b", "a{b}c", "{a}", "\u{e9}", "a:leases"] {
            assert_eq!(names.value(name.as_bytes()), name.as_bytes());
        }
    }

    fn with_lease_prefix() -> Names {
        Names { lease_prefix: b"lock:".to_vec(), ..Names::default() }
    }

    #[test]
    fn no_two_things_share_a_key() {
        for names in [Names::default(), with_lease_prefix()] {
            no_two_share_a_key(&names);
        }
    }

    fn no_two_share_a_key(names: &Names) {
        let odd: Vec<&[u8]> = vec![
            b"",
            b"a",
            b"{a}",
            b"{a}:lease",
            b"a:lease",
            b"a:lease\0",
            b"a:lease\0\0",
            b"{a}::lease",
            b"a}b",
            b"{~}a}b",
            b"{~}{~}a}b",
            b"{}",
            b"}",
            b"a{}b",
            b"a:fields",
            b"a:fields\0",
            b"{~}",
            b"~",
            b"{a:fields}:lease",
            b"lock:{a}:lease",
            b"lock:a",
            b"lock:",
            b"{a:fields}:large",
            b"a:1:count",
            b"::count",
            b"a::count",
            b"{",
        ];
        let mut seen = HashSet::new();
        for name in &odd {
            let value = names.value(name);
            let lease = names.lease(&value);
            let hash = names.group(name);
            for key in [
                value.into_owned(),
                lease,
                native_lease(&names.lease_prefix, &hash),
                beside(&hash, b":large"),
                hash,
            ] {
                assert!(
                    seen.insert(key.clone()),
                    "{:?} is used twice",
                    String::from_utf8_lossy(&key)
                );
            }
            assert!(seen.insert(names.counter(None, name)), "{name:?}");
        }
        assert_ne!(names.counter(Some(b"ab"), b"c"), names.counter(Some(b"a"), b"bc"));
        assert_ne!(names.counter(Some(b"a"), b""), names.counter(None, b"a"));
    }

    #[test]
    fn what_belongs_together_shares_a_slot() {
        let (names, prefixed) = (Names::default(), with_lease_prefix());
        let slot = |key: &[u8]| tag(key).unwrap_or(key).to_vec();
        for name in ["", "a", "{a}", "a{b}c", "a}b", "a{}b", "}", "{", "{}", "a{b", "{{a}}"] {
            let value = names.value(name.as_bytes());
            assert_eq!(slot(&value), slot(&names.lease(&value)), "{name}");
            assert_eq!(slot(&value), slot(&prefixed.lease(&value)), "{name}");
            let hash = names.group(name.as_bytes());
            assert_eq!(slot(&hash), slot(&beside(&hash, b":large")), "{name}");
        }
    }
}
