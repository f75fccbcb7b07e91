//! Waiting for somebody else's turn to end: one task of a process looks, the others wait for it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dogpile_core::{Key, Result};
use foldhash::fast::RandomState;
use futures_util::future::select;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};

use crate::expiry::lease;
use crate::health::jittered;
use crate::memcached::Memcached;
use crate::meta::{Command, Status};
use crate::server::{Line, Server};
use crate::stats::add;
use crate::value::{Record, SHORTEST};

/// The pauses between two looks: an eighth of the time that has been waited, within these.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// How long the watches of keys are kept that nobody waits for.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// How many watches there are before the old ones are looked for.
const MANY: usize = 1_024;

/// The turns of others that this process has seen.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    watches: HashMap<Box<[u8]>, Arc<Watch>, RandomState>,
    sweep_at: usize,
}

/// One key that is waited for.
#[derive(Debug)]
struct Watch {
    /// Held by who looks.
    looking: tokio::sync::Mutex<()>,
    ended: Notify,
    seen: Mutex<Seen>,
}

/// A turn, as far as this process can tell.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    turn: Option<Turn>,
}

/// Which item: its `cas`, and in which life of the server, because each begins again with 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Item {
    pub(crate) epoch: u32,
    pub(crate) cas: u64,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    item: Item,
    since: Instant,
    /// After how long without a sign of life it may be taken away; none if that is left to the server.
    lease_for: Option<Duration>,
    /// Its holder has extended it before.
    extended: bool,
    /// What the server says that the item takes.
    size: Option<usize>,
}

impl Watches {
    /// Remembers a turn that somebody was told of who asked with `lease_for`.
    pub(crate) fn saw(
        &self,
        name: &[u8],
        item: Item,
        record: Option<Record>,
        lease_for: Duration,
        ttl: Option<u64>,
    ) {
        let lease_for = match record {
            Some(record) => record.lease_for(),
            // Its holder asked for a longer one than this asker.
            None if ttl.is_none_or(|left| left > u64::from(lease(lease_for))) => None,
            None => Some(lease_for),
        };
        let watch = self.watch(name);
        let mut seen = lock(&watch.seen);
        seen.at = Instant::now();
        if seen.turn.is_none_or(|turn| turn.item != item) {
            let (since, extended) = (seen.at, record.is_some());
            seen.turn = Some(Turn { item, since, lease_for, extended, size: None });
        }
    }

    fn watch(&self, name: &[u8]) -> Arc<Watch> {
        let mut table = lock(&self.table);
        if let Some(watch) = table.watches.get(name) {
            return Arc::clone(watch);
        }
        if table.watches.len() >= table.sweep_at.max(MANY) {
            table.watches.retain(|_, watch| {
                Arc::strong_count(watch) > 1 || lock(&watch.seen).at.elapsed() < FORGET_AFTER
            });
            table.sweep_at = table.watches.len() * 2;
        }
        let seen = Mutex::new(Seen { at: Instant::now(), turn: None });
        let watch =
            Arc::new(Watch { looking: tokio::sync::Mutex::default(), ended: Notify::new(), seen });
        table.watches.insert(name.into(), Arc::clone(&watch));
        watch
    }

    /// Forgets a turn that has ended.
    fn forget(&self, name: &[u8], watch: &Arc<Watch>) {
        let mut table = lock(&self.table);
        if table.watches.get(name).is_some_and(|present| Arc::ptr_eq(present, watch)) {
            table.watches.remove(name);
        }
    }
}

impl Memcached {
    pub(crate) async fn wait_for_turn(&self, key: Key<'_>, at_most: Duration) {
        let name = self.name(key);
        let Ok(server) = self.fleet.server(&name) else { return };
        let watch = self.watches.watch(&name);
        let mut ended = pin!(watch.ended.notified());
        // From here on no end is missed.
        ended.as_mut().enable();
        let look = async {
            let _looking = watch.looking.lock().await;
            self.look(server, key, &name, &watch).await;
            self.watches.forget(&name, &watch);
            watch.ended.notify_waiters();
        };
        let deadline = Instant::now().checked_add(at_most);
        let expired = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        select(ended, select(pin!(look), pin!(expired))).await;
    }

    /// Looks again and again, until the turn has ended.
    async fn look(&self, server: &Arc<Server>, key: Key<'_>, name: &[u8], watch: &Watch) {
        let began = Instant::now();
        loop {
            match self.is_over(server, key, name, watch).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => {
                    // Who waits will ask, and be told what is wrong; but not all the time.
                    sleep(jittered(LONGEST_PAUSE)).await;
                    return;
                }
            }
            let pause = (began.elapsed() / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            let pause = jittered(pause);
            let left = watch.left();
            sleep(left.map_or(pause, |left| pause.min(left.max(SHORTEST_PAUSE)))).await;
        }
    }

    #[cfg_attr(
        not(feature = "classic"),
        expect(
            unused_variables,
            clippy::infallible_destructuring_match,
            reason = "only classic locks have keys of their own, and there is but one kind of line"
        )
    )]
    async fn is_over(
        &self,
        server: &Arc<Server>,
        key: Key<'_>,
        name: &[u8],
        watch: &Watch,
    ) -> Result<bool> {
        let connection = match server.line().await? {
            Line::Meta(connection) => connection,
            #[cfg(feature = "classic")]
            Line::Classic(classic) => return Ok(!self.classic_lock_is_held(&classic, key).await?),
        };
        // Unlike a read, this takes no win from who is at taking a turn.
        let describe = Command::Describe { name };
        let (reply, connection) = server.one(connection, &describe).await?;
        let epoch = connection.epoch;
        let item = match reply.status {
            Status::Missing => return Ok(true),
            Status::Described => Described::new(&reply.value),
            _ => return Err(server.odd("me", &reply)),
        };
        let (Some(cas), Some(size)) = (item.cas, item.size) else { return Ok(true) };
        match watch.look_at(Item { epoch, cas }, size) {
            Look::Over => Ok(true),
            Look::Runs => Ok(false),
            Look::Silent => {
                // Its holder is dead: it would have extended its turn. The server knows whether it has
                // just done so.
                let delete = Command::Delete { name, cas: Some(cas) };
                let (reply, _) = server.one(connection, &delete).await?;
                match reply.status {
                    Status::Done => {
                        add(&server.counts.expired_leases, 1);
                        tracing::debug!(
                            server = &*server.name,
                            "a lease that was not extended is over"
                        );
                        Ok(true)
                    }
                    Status::Exists => Ok(false),
                    Status::NotFound => Ok(true),
                    _ => Err(server.odd("md", &reply)),
                }
            }
        }
    }
}

/// What a look at an item says of the turn on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look {
    Runs,
    Over,
    /// It runs, but its holder gave no sign of life for as long as it may last without.
    Silent,
}

impl Watch {
    fn look_at(&self, item: Item, size: usize) -> Look {
        let mut seen = lock(&self.seen);
        seen.at = Instant::now();
        let now = seen.at;
        let Some(turn) = &mut seen.turn else {
            // Nobody was told of this turn: its end is the first change, or the server's affair.
            let (lease_for, extended) = (None, false);
            seen.turn = Some(Turn { item, since: now, lease_for, extended, size: Some(size) });
            return Look::Runs;
        };
        if turn.item == item {
            turn.size = Some(size);
            return match turn.lease_for {
                Some(lease_for) if now.duration_since(turn.since) >= lease_for => Look::Silent,
                _ => Look::Runs,
            };
        }
        if turn.item.epoch != item.epoch || !turn.is_extended_by(size) {
            return Look::Over;
        }
        *turn = Turn { item, since: now, extended: true, size: Some(size), ..*turn };
        Look::Runs
    }

    /// How long the holder may still be silent.
    fn left(&self) -> Option<Duration> {
        let turn = lock(&self.seen).turn?;
        Some(turn.lease_for?.saturating_sub(turn.since.elapsed()))
    }
}

impl Turn {
    /// Whether an item of this size can only be the same turn, extended. An entry is larger.
    fn is_extended_by(&self, size: usize) -> bool {
        let Some(before) = self.size else { return false };
        let grown = if self.extended { 0 } else { FLAGS + Record::LENGTH };
        size == before + grown
    }
}

/// What client flags take in an item that has some.
const FLAGS: usize = 4;
const _: () = assert!(Record::LENGTH < SHORTEST, "a record is shorter than every entry");

/// What the server knows of an item: `k exp=-1 la=2 cas=4 fetch=yes cls=1 size=63`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Described {
    /// The seconds until it expires; none if it does not.
    pub(crate) expires_in: Option<u64>,
    /// The seconds since it was last used.
    pub(crate) idle: Option<u64>,
    pub(crate) cas: Option<u64>,
    pub(crate) size: Option<usize>,
}

impl Described {
    pub(crate) fn new(line: &[u8]) -> Self {
        let mut item = Self::default();
        for word in String::from_utf8_lossy(line).split(' ').skip(1) {
            match word.split_once('=') {
                Some(("exp", seconds)) => item.expires_in = seconds.parse().ok(),
                Some(("la", seconds)) => item.idle = seconds.parse().ok(),
                Some(("cas", number)) => item.cas = number.parse().ok(),
                Some(("size", bytes)) => item.size = bytes.parse().ok(),
                _ => {}
            }
        }
        item
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(40);

    const fn item(cas: u64) -> Item {
        Item { epoch: 1, cas }
    }

    fn watched(record: Option<Record>, ttl: u64) -> Arc<Watch> {
        let watches = Watches::default();
        watches.saw(b"k", item(7), record, LEASE, Some(ttl));
        watches.watch(b"k")
    }

    #[test]
    fn a_silent_holder_is_found_out_after_its_lease_and_not_before() {
        let watch = watched(None, 2);
        let began = lock(&watch.seen).turn.unwrap().since;
        loop {
            let before = began.elapsed();
            match watch.look_at(item(7), 60) {
                Look::Runs => assert!(before < LEASE),
                Look::Silent => break assert!(began.elapsed() >= LEASE),
                Look::Over => panic!("it is still there"),
            }
        }
    }

    #[test]
    fn an_extension_is_told_from_an_entry_by_its_size() {
        let watch = watched(None, 2);
        assert_eq!(watch.look_at(item(7), 60), Look::Runs);
        assert_eq!(watch.look_at(item(8), 70), Look::Runs);
        assert_eq!(watch.look_at(item(9), 70), Look::Runs);
        assert_eq!(watch.look_at(Item { epoch: 2, cas: 10 }, 70), Look::Over);
        assert_eq!(watch.look_at(item(10), 71), Look::Over);
        let watch = watched(Some(Record::new(3, LEASE)), 2);
        assert_eq!(watch.look_at(item(7), 70), Look::Runs);
        assert_eq!(watch.look_at(item(8), 60), Look::Over);
    }

    #[test]
    fn a_holder_with_a_longer_lease_is_left_to_the_server() {
        for watch in [watched(None, 3), watched(Some(Record::new(3, Duration::MAX)), 2)] {
            std::thread::sleep(LEASE);
            assert_eq!(watch.look_at(item(7), 60), Look::Runs);
        }
    }

    #[test]
    fn watches_are_forgotten() {
        let watches = Watches::default();
        for key in 0..4_000_u32 {
            let name = key.to_be_bytes();
            watches.saw(&name, item(1), None, LEASE, Some(1));
            if key % 2 == 0 {
                let watch = watches.watch(&name);
                watches.forget(&name, &watch);
            }
        }
        assert_eq!(lock(&watches.table).watches.len(), 2_000);
        let old = Instant::now().checked_sub(FORGET_AFTER).unwrap();
        lock(&watches.table).watches.values().for_each(|watch| lock(&watch.seen).at = old);
        lock(&watches.table).sweep_at = 0;
        watches.saw(b"one more", item(1), None, LEASE, Some(1));
        assert_eq!(lock(&watches.table).watches.len(), 1);
    }

    #[test]
    fn descriptions() {
        let item = Described::new(b"k exp=-1 la=19 cas=11 fetch=yes cls=1 size=64");
        let known = Described { expires_in: None, idle: Some(19), cas: Some(11), size: Some(64) };
        assert_eq!(item, known);
        assert_eq!(Described::new(b"k exp=10").expires_in, Some(10));
        assert_eq!(Described::new(b""), Described::default());
    }
}
