//! What the tests of the dogpile lock share.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dogpile_core::{
    Backend, Clock, Entry, Error, ErrorKind, Key, KeyBuf, Made, Policy, Request, Result,
    SetOptions, SystemClock,
};

/// A backend that is a map, and counts what it is asked.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Arc<Mutex<HashMap<KeyBuf, Entry<u64>>>>,
    pub gets: Arc<AtomicUsize>,
    pub down: Arc<std::sync::atomic::AtomicBool>,
}

impl Map {
    fn up(&self) -> Result<()> {
        match self.down.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorKind::Unavailable, "the map is down")),
            false => Ok(()),
        }
    }
}

impl Backend for Map {
    type Value = u64;

    async fn get(&self, key: Key<'_>) -> Result<Option<Entry<u64>>> {
        Ok(self.get_many(&[key]).await?.remove(0))
    }

    async fn get_many(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Entry<u64>>>> {
        self.up()?;
        self.gets.fetch_add(1, Ordering::SeqCst);
        let entries = self.entries.lock().unwrap();
        Ok(keys.iter().map(|key| entries.get(&KeyBuf::from(*key)).copied()).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, Entry<u64>)], _: &SetOptions) -> Result<()> {
        self.up()?;
        self.entries
            .lock()
            .unwrap()
            .extend(items.iter().map(|(key, entry)| (KeyBuf::from(*key), *entry)));
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<()> {
        self.up()?;
        let mut entries = self.entries.lock().unwrap();
        keys.iter().for_each(|key| drop(entries.remove(&KeyBuf::from(*key))));
        Ok(())
    }

    async fn delete_group(&self, group: &[u8]) -> Result<()> {
        self.up()?;
        self.entries.lock().unwrap().retain(|key, _| key.as_key().group() != Some(group));
        Ok(())
    }
}

pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Everything is fresh for ever.
pub fn request<'a>(key: &'a str, clock: &'a Arc<dyn Clock>) -> Request<'a> {
    Request::new(Key::name(key), Policy::new(), clock)
}

/// Everything that is there is stale.
pub fn expired<'a>(key: &'a str, clock: &'a Arc<dyn Clock>) -> Request<'a> {
    Request::new(Key::name(key), Policy::new().with_stale_before(clock.now()), clock)
}

pub fn made(value: u64) -> Made<u64> {
    Made::new(Entry::new(SystemClock.now(), value), SetOptions::new())
}

/// An entry of long ago.
pub fn old(value: u64) -> Entry<u64> {
    Entry::new(dogpile_core::Timestamp::from_millis(1_000), value)
}
