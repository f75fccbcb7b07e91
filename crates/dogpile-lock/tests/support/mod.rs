//! What the tests of the dogpile lock share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::panic, clippy::unwrap_in_result, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

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
        keys.iter().for_each(|key| _ = entries.remove(&KeyBuf::from(*key)));
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

/// What is [`old`] is stale.
pub fn expired<'a>(key: &'a str, clock: &'a Arc<dyn Clock>) -> Request<'a> {
    let policy = Policy::new().with_fresh_for(Some(std::time::Duration::from_secs(3600)));
    Request::new(Key::name(key), policy, clock)
}

pub fn made(value: u64) -> Made<u64> {
    Made::new(Entry::new(SystemClock.now(), value), SetOptions::new())
}

/// An entry of long ago.
pub fn old(value: u64) -> Entry<u64> {
    Entry::new(dogpile_core::Timestamp::from_millis(1_000), value)
}

/// Polls futures together until all are done, in one task.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in
            futures.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none())
        {
            if let Poll::Ready(ready) = future.as_mut().poll(cx) {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// Waits, within bounds, until something holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("it did not come to pass that {what}");
}
