//! Keys of entries that are numbered.

use std::num::NonZeroU64;

use dogpile_core::{Key, KeyBuf};

/// Puts numbered entries into hashes of a hundred: `15234` of `media` is the field `34` of the group
/// `media:152`.
///
/// A small value in such a hash takes about a tenth of the memory that it takes under a key of its
/// own, because a server keeps a hash of few and short values in one piece. A hundred is as good as
/// it gets: larger hashes save nothing more and take longer to search, and past 512 fields
/// (`hash-max-listpack-entries`) they are no longer kept in one piece.
///
/// ```
/// use dogpile_core::Key;
/// use dogpile_redis::Buckets;
///
/// let media = Buckets::new("media");
/// assert_eq!(media.key(15_234).as_key(), Key::field("media:152", "34"));
/// assert_eq!(media.group(15_234), "media:152");
/// ```
///
/// A key is what a region or a backend takes: `region.get_or_create(media.key(15_234), ..)`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Buckets {
    name: String,
    size: NonZeroU64,
}

const HUNDRED: NonZeroU64 = NonZeroU64::MIN.saturating_add(99);

impl Buckets {
    /// Buckets of a hundred entries, whose groups begin with this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), size: HUNDRED }
    }

    /// The same with so many entries in each.
    #[must_use]
    pub fn with_size(mut self, size: NonZeroU64) -> Self {
        self.size = size;
        self
    }

    /// The key of an entry.
    #[must_use]
    pub fn key(&self, id: u64) -> KeyBuf {
        let field = (id % self.size).to_string();
        KeyBuf::from(Key::field(&self.group(id), &field))
    }

    /// The group that an entry is in.
    #[must_use]
    pub fn group(&self, id: u64) -> String {
        format!("{}:{}", self.name, id / self.size)
    }

    /// The number of a field of a group: what [`key`](Self::key) made them of. `None` for any other
    /// group and field.
    #[must_use]
    pub fn id(&self, key: Key<'_>) -> Option<u64> {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let bucket = text(key.group()?)?.strip_prefix(&self.name)?.strip_prefix(':')?;
        let (bucket, field): (u64, u64) =
            (bucket.parse().ok()?, text(key.as_bytes())?.parse().ok()?);
        let id = bucket.checked_mul(self.size.get())?.checked_add(field)?;
        // Many spellings are read as one number, of which `key` writes one.
        (self.key(id).as_key() == key).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back() {
        for size in [1, 2, 100, 512] {
            let buckets = Buckets::new("a:b").with_size(NonZeroU64::new(size).unwrap());
            for id in [0, 1, 99, 100, 101, 1_000_000, u64::MAX] {
                assert_eq!(buckets.id(buckets.key(id).as_key()), Some(id));
            }
            assert_eq!(buckets.id(Key::field("a", "1")), None);
            assert_eq!(buckets.id(Key::field("a:b:1", "x")), None);
            assert_eq!(buckets.id(Key::name("a:b:1")), None);
        }
    }

    #[test]
    fn what_it_never_made_has_none() {
        let media = Buckets::new("media");
        for (group, field) in [
            ("media:1", "100"),
            ("media:1", "134"),
            ("media:1", "+1"),
            ("media:1", "007"),
            ("media:1", "-1"),
            ("media:1", ""),
            ("media:01", "1"),
            ("media:+1", "1"),
            ("media:", "1"),
            ("media:184467440737095516", "16"),
        ] {
            assert_eq!(media.id(Key::field(group, field)), None, "{group} {field}");
        }
        assert_eq!(media.id(Key::field("media:1", "34")), Some(134));
    }
}
