//! What lies in this process is looked at, and not asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;

use dogpile_cache::backend::Memory;
use dogpile_cache::codec::{Object, Shared};
use dogpile_cache::{Backend, Entry, Key, Result};
use dogpile_conformance::ManualClock;
use dogpile_core::SetOptions;

use crate::support::{on, seconds, watched};

/// Counts how often it is asked. It shows what it has, or leaves that out as a remote store does.
#[derive(Clone, Debug)]
struct Asked {
    memory: Memory,
    shows: bool,
    gets: Arc<AtomicUsize>,
}

impl Asked {
    fn new(shows: bool) -> Self {
        Self { memory: Memory::new(100), shows, gets: Arc::default() }
    }

    fn gets(&self) -> usize {
        self.gets.load(SeqCst)
    }
}

impl Backend for Asked {
    type Value = Object;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<Object>>> {
        self.gets.fetch_add(1, SeqCst);
        self.memory.get(key).await
    }

    fn peek<T>(&self, key: Key<'_>, look: impl FnOnce(&Entry<Object>) -> T) -> Poll<Option<T>> {
        match self.shows {
            true => Backend::peek(&self.memory, key, look),
            false => Poll::Pending,
        }
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<Object>>>> {
        self.memory.get_many(keys).await
    }

    async fn set_many(
        &self,
        items: &[(Key<'_>, Entry<Object>)],
        options: &SetOptions,
    ) -> Result<()> {
        self.memory.set_many(items, options).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.memory.delete_many(keys).await
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.memory.delete_group(group).await
    }
}

#[tokio::test]
async fn what_is_seen_to_be_missing_is_not_asked_for() -> Result<()> {
    let backend = Asked::new(true);
    let (region, stats) = watched(on(backend.clone(), Shared, &ManualClock::new()));
    assert_eq!(region.get::<u32>("a").await?, None);
    assert_eq!((stats.counts().misses, stats.counts().hits), (1, 0));
    region.set("a", &1_u32).await?;
    assert_eq!(region.get("a").await?, Some(1_u32));
    assert_eq!((stats.counts().misses, stats.counts().hits), (1, 1));
    assert_eq!(backend.gets(), 0);
    Ok(())
}

#[tokio::test]
async fn what_is_stale_at_first_sight_is_looked_at_closely() -> Result<()> {
    let (backend, clock) = (Asked::new(true), ManualClock::new());
    let (region, stats) = watched(on(backend.clone(), Shared, &clock));
    region.set("a", &1_u32).await?;
    clock.advance(seconds(10));
    assert_eq!(region.get("a").await?, Some(1_u32), "an age of exactly the expiry is fresh");
    clock.advance(seconds(1));
    assert_eq!(region.get::<u32>("a").await?, None);
    assert_eq!((stats.counts().misses, stats.counts().hits), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_store_that_shows_nothing_is_asked() -> Result<()> {
    let backend = Asked::new(false);
    let (region, stats) = watched(on(backend.clone(), Shared, &ManualClock::new()));
    assert_eq!(region.get::<u32>("a").await?, None);
    region.set("a", &1_u32).await?;
    assert_eq!(region.get("a").await?, Some(1_u32));
    assert_eq!((stats.counts().misses, stats.counts().hits), (1, 1));
    assert_eq!(backend.gets(), 2);
    Ok(())
}
