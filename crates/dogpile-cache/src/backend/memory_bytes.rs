//! Serialised values, in this process.

use bytes::Bytes;
use dogpile_core::{Backend, Entry, Key, Result, SetOptions};

use super::Memory;

/// Keeps serialised values in this process, bounded by the memory they take.
///
/// The stand-in for a server, the near tier before one, and the backend for values that are to be
/// independent of their maker: with a serialising codec every reader gets a value of its own.
///
/// An entry counts as the length of its key and value and [`OVERHEAD`](Self::OVERHEAD). One that
/// counts as more than a tenth of the capacity is [`ErrorKind::TooLarge`](dogpile_core::ErrorKind).
/// What is stored is a copy, so that a short slice of a long buffer does not keep the buffer.
/// Otherwise it is a [`Memory`]. Clones share their entries.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// use bytes::Bytes;
/// use dogpile_cache::backend::MemoryBytes;
/// use dogpile_core::{BackendExt, Entry, ErrorKind, Key, Timestamp};
///
/// let memory = MemoryBytes::new(1 << 20);
/// memory.set(Key::name("a"), Entry::new(Timestamp::MIN, Bytes::from_static(b"value"))).await?;
/// assert_eq!(memory.bytes(), 1 + 5 + MemoryBytes::OVERHEAD);
///
/// let huge = Entry::new(Timestamp::MIN, Bytes::from(vec![0; 1 << 20]));
/// assert_eq!(memory.set(Key::name("b"), huge).await.unwrap_err().kind(), ErrorKind::TooLarge);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryBytes(Memory<Bytes>);

impl MemoryBytes {
    /// What an entry takes besides its key and its value, about: 192 bytes.
    pub const OVERHEAD: u64 = 192;

    /// Room for this many bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self(Memory::weighted(capacity, |key, value: &Bytes| {
            let key = key.group().map_or(0, <[u8]>::len) + key.as_bytes().len();
            (key + value.len()) as u64 + Self::OVERHEAD
        }))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes the entries count as.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.weight()
    }

    /// How many bytes there is room for.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.0.capacity()
    }
}

impl Backend for MemoryBytes {
    type Value = Bytes;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Bytes>>> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Bytes>>>> {
        self.0.get_many(keys).await
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Bytes>)],
        options: &SetOptions,
    ) -> Result<()> {
        let own = |(key, entry): &(_, Entry<Bytes>)| {
            (*key, entry.clone().map(|value| Bytes::copy_from_slice(&value)))
        };
        self.0.set_many(&items.iter().map(own).collect::<Vec<_>>(), options).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.0.delete_many(keys).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.0.delete_group(group).await
    }
}
