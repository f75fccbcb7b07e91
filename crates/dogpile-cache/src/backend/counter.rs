//! Counters in this process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use dogpile_core::{Counter, Error, ErrorKind, Key, Result};

/// A [`Counter`] in this process, for regions that share invalidation without a server, and for
/// tests. Clones count together.
///
/// It keeps every key it was ever asked to raise: meant for a few names, such as one a region.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> dogpile_core::Result<()> {
/// use dogpile_cache::backend::MemoryCounter;
/// use dogpile_core::{Counter, Key};
///
/// let generations = MemoryCounter::new();
/// assert_eq!(generations.bump(Key::name("users"), 0).await?, 1);
/// assert_eq!(generations.read(Key::name("users")).await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryCounter(Arc<RwLock<Numbers>>);

/// By group and then by name, so that a borrowed key finds its number without being copied.
#[derive(Debug, Default)]
struct Numbers {
    names: ByName,
    groups: HashMap<Box<[u8]>, ByName>,
}

type ByName = HashMap<Box<[u8]>, u64>;

impl MemoryCounter {
    /// A counter of its own, with every number at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Counter for MemoryCounter {
    async fn read(&self, key: Key<'_>) -> Result<u64> {
        let numbers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let names = match key.group() {
            None => Some(&numbers.names),
            Some(group) => numbers.groups.get(group),
        };
        Ok(names.and_then(|names| names.get(key.as_bytes())).copied().unwrap_or(0))
    }

    async fn bump(&self, key: Key<'_>, at_least: u64) -> Result<u64> {
        let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let names = match key.group() {
            None => &mut numbers.names,
            Some(group) => numbers.groups.entry(group.into()).or_default(),
        };
        let number = names.entry(key.as_bytes().into()).or_insert(0);
        let full =
            || Error::new(ErrorKind::Refused, format!("the counter {key} cannot grow any further"));
        *number = number.checked_add(1).ok_or_else(full)?.max(at_least);
        Ok(*number)
    }
}
