//! Callers of one process who want the same value: one leads, the others follow.

use std::collections::BTreeMap;
use std::collections::hash_map::{self, HashMap};
use std::future::Future;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use dogpile_core::{Entry, Error, ErrorKind, Key};
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::name::Name;
use crate::primitive::{Arc, Mutex, lock};
use crate::reentrant::Turn;

/// All flights of a dogpile lock. A key takes room only while somebody is at it.
pub(crate) struct Flights<V> {
    shards: Box<[Mutex<Shard<V>>]>,
    hasher: RandomState,
}

struct Shard<V> {
    /// By the hash of their key, which each remembers.
    flights: HashTable<Arc<Flight<V>>>,
    /// How many there are who write a key, by its hash. Another key of the same hash would only not be
    /// stored once.
    writes: HashMap<u64, u32, RandomState>,
    /// The groups that are being removed.
    group_writes: Vec<Box<[u8]>>,
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self { flights: HashTable::new(), writes: HashMap::default(), group_writes: Vec::new() }
    }
}

/// One value on its way.
pub(crate) struct Flight<V> {
    key: Name,
    hash: u64,
    state: Mutex<State<V>>,
    /// Made for those who create or wait; most flights find a fresh entry.
    turn: OnceLock<Arc<Turn>>,
    /// How many creators of this key have panicked one after the other before this flight.
    panics: u32,
}

struct State<V> {
    /// The previous value, once the leader has seen it.
    stale: Option<Entry<V>>,
    /// Somebody wrote or deleted the key since the flight began.
    voided: bool,
    landing: Option<Landing<V>>,
    /// In the order in which they came.
    followers: BTreeMap<u64, Waker>,
    next_follower: u64,
}

impl<V: Clone> State<V> {
    fn sight(&self, stale: bool) -> Option<Sight<V>> {
        match (&self.landing, self.stale.as_ref().filter(|_| stale)) {
            (Some(Landing::Entry(entry)), _) => Some(Sight::Landed(Landing::Entry(entry.clone()))),
            (_, Some(stale)) => Some(Sight::Stale(stale.clone())),
            (landing, None) => landing.clone().map(Sight::Landed),
        }
    }
}

/// How a flight ended.
#[derive(Clone, Debug)]
pub(crate) enum Landing<V> {
    /// With an entry.
    Entry(Entry<V>),
    /// With a failure, which is the failure of all who followed.
    Failed(Error),
    /// With nothing: whoever still wants the value starts again. After a panic, that many in a row.
    Abandoned { panics: u32 },
}

/// The place of a caller in a flight.
pub(crate) enum Place<V: Clone> {
    Leader(Seat<V>),
    Follower(Arc<Flight<V>>),
}

impl<V> Flights<V> {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Mutex::new(Shard::default())).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Joins the flight of a key, or begins it.
    pub(crate) fn join(flights: &Arc<Self>, key: Key<'_>, panics: u32) -> Place<V>
    where
        V: Clone,
    {
        let hash = flights.hash(key);
        let mut shard = lock(flights.shard(hash));
        if let Some(flight) = shard.flights.find(hash, |flight| flight.key.as_key() == key) {
            return Place::Follower(Arc::clone(flight));
        }
        let flight = Arc::new(Flight {
            state: Mutex::new(State {
                stale: None,
                voided: shard.is_written(hash, key),
                landing: None,
                followers: BTreeMap::new(),
                next_follower: 0,
            }),
            key: Name::from(key),
            hash,
            turn: OnceLock::new(),
            panics,
        });
        shard.flights.insert_unique(hash, Arc::clone(&flight), |flight| flight.hash);
        Place::Leader(Seat { flights: Arc::clone(flights), flight, landed: false })
    }

    /// Whether somebody in this process is at a key.
    pub(crate) fn contains(&self, key: Key<'_>) -> bool {
        let hash = self.hash(key);
        let shard = lock(self.shard(hash));
        shard.flights.find(hash, |flight| flight.key.as_key() == key).is_some()
    }

    /// Announces a write of these keys until the guard is dropped: flights that are under way, or begin
    /// meanwhile, store nothing, and the next caller begins another.
    pub(crate) fn write<'a, K>(&'a self, keys: K) -> Write<'a, V, K>
    where
        K: Iterator<Item = Key<'a>> + Clone,
    {
        let write = Write { flights: self, keys };
        write.each(|shard, hash| *shard.writes.entry(hash).or_default() += 1);
        write
    }

    /// The same for all keys of a group.
    pub(crate) fn write_group<'a>(&'a self, group: &'a [u8]) -> WriteGroup<'a, V> {
        let write = WriteGroup { flights: self, group };
        write.each(|shard| shard.group_writes.push(group.into()));
        write
    }

    fn hash(&self, key: Key<'_>) -> u64 {
        self.hasher.hash_one(key)
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<V>> {
        // The tables go by the other bits.
        let number = (hash >> 32) % self.shards.len() as u64;
        &self.shards[usize::try_from(number).unwrap_or_default()]
    }

    fn remove(&self, flight: &Arc<Flight<V>>) {
        let mut shard = lock(self.shard(flight.hash));
        // A voided flight has left the table already, and another may have taken its place.
        let present = shard.flights.find_entry(flight.hash, |present| Arc::ptr_eq(present, flight));
        if let Ok(present) = present {
            present.remove();
            if shard.flights.is_empty() && shard.flights.capacity() > 64 {
                shard.flights.shrink_to(0, |flight| flight.hash);
            }
        }
    }
}

impl<V> Shard<V> {
    fn is_written(&self, hash: u64, key: Key<'_>) -> bool {
        let group = key.group();
        self.writes.contains_key(&hash)
            || group.is_some_and(|group| self.group_writes.iter().any(|it| **it == *group))
    }

    /// Takes the flight of a key out of the table.
    fn void_one(&mut self, hash: u64, key: Key<'_>) {
        if let Ok(flight) = self.flights.find_entry(hash, |flight| flight.key.as_key() == key) {
            lock(&flight.remove().0.state).voided = true;
        }
    }

    /// Takes the flights out of the table that a write concerns.
    fn void(&mut self, concerned: impl Fn(Key<'_>) -> bool) {
        for flight in self.flights.extract_if(|flight| concerned(flight.key.as_key())) {
            lock(&flight.state).voided = true;
        }
    }
}

/// A write of keys that is under way.
pub(crate) struct Write<'a, V, K: Iterator<Item = Key<'a>> + Clone> {
    flights: &'a Flights<V>,
    keys: K,
}

impl<'a, V, K: Iterator<Item = Key<'a>> + Clone> Write<'a, V, K> {
    /// Changes the shard of each key, and takes the flight of the key out of it.
    fn each(&self, change: impl Fn(&mut Shard<V>, u64)) {
        for key in self.keys.clone() {
            let hash = self.flights.hash(key);
            let mut shard = lock(self.flights.shard(hash));
            change(&mut shard, hash);
            shard.void_one(hash, key);
        }
    }
}

impl<'a, V, K: Iterator<Item = Key<'a>> + Clone> Drop for Write<'a, V, K> {
    fn drop(&mut self) {
        self.each(|shard, hash| {
            if let hash_map::Entry::Occupied(mut writers) = shard.writes.entry(hash) {
                *writers.get_mut() -= 1;
                if *writers.get() == 0 {
                    writers.remove();
                }
            }
            if shard.writes.is_empty() && shard.writes.capacity() > 64 {
                shard.writes.shrink_to_fit();
            }
        });
    }
}

/// A write of a group that is under way.
pub(crate) struct WriteGroup<'a, V> {
    flights: &'a Flights<V>,
    group: &'a [u8],
}

impl<V> WriteGroup<'_, V> {
    fn each(&self, change: impl Fn(&mut Shard<V>)) {
        for shard in &self.flights.shards {
            let mut shard = lock(shard);
            change(&mut shard);
            shard.void(|key| key.group() == Some(self.group));
        }
    }
}

impl<V> Drop for WriteGroup<'_, V> {
    fn drop(&mut self) {
        self.each(|shard| {
            if let Some(at) = shard.group_writes.iter().position(|it| **it == *self.group) {
                shard.group_writes.swap_remove(at);
            }
        });
    }
}

impl<V> Flight<V> {
    pub(crate) fn key(&self) -> Key<'_> {
        self.key.as_key()
    }

    /// What waits for this flight, for [`reentrant`](crate::reentrant).
    pub(crate) fn turn(&self) -> &Arc<Turn> {
        self.turn.get_or_init(Arc::default)
    }

    /// What there is to see without waiting. A stale entry that is accepted comes before the news
    /// that its flight was given up: otherwise each follower would begin another.
    pub(crate) fn sight(&self, stale: bool) -> Option<Sight<V>>
    where
        V: Clone,
    {
        lock(&self.state).sight(stale)
    }

    /// Waits for the leader to land, or to show a stale entry where `stale` accepts one.
    pub(crate) fn follow(flight: &Arc<Self>, stale: bool) -> Follow<V> {
        Follow { flight: Arc::clone(flight), stale, follower: None }
    }

    fn change(&self, change: impl FnOnce(&mut State<V>)) {
        let followers = {
            let mut state = lock(&self.state);
            change(&mut state);
            std::mem::take(&mut state.followers)
        };
        followers.into_values().for_each(Waker::wake);
    }
}

/// The leader's place. Dropped without landing, it leaves the flight to its followers.
pub(crate) struct Seat<V: Clone> {
    flights: Arc<Flights<V>>,
    flight: Arc<Flight<V>>,
    landed: bool,
}

impl<V: Clone> Seat<V> {
    pub(crate) fn flight(&self) -> &Arc<Flight<V>> {
        &self.flight
    }

    /// Whether the key was written or deleted since the flight began.
    pub(crate) fn is_voided(&self) -> bool {
        lock(&self.flight.state).voided
    }

    /// Shows the stale entry to those who may be served one.
    pub(crate) fn show_stale(&self, entry: Entry<V>) {
        self.flight.change(|state| state.stale = Some(entry));
    }

    /// Ends the flight.
    pub(crate) fn land(&mut self, landing: Landing<V>) {
        self.end(landing);
    }

    /// Ends the flight with an entry, of which a copy is made only if somebody follows.
    pub(crate) fn land_with(&mut self, entry: &Entry<V>) {
        self.flights.remove(&self.flight);
        // Who follows has a pointer to the flight, and out of the table nobody gets another.
        if Arc::strong_count(&self.flight) > 1 {
            self.end(Landing::Entry(entry.clone()));
        }
        self.landed = true;
    }

    /// Ends the flight of a creator that panicked: the first time its followers try themselves, the
    /// second time in a row they are told `error`.
    pub(crate) fn land_panicked(&mut self, error: Error) {
        self.end_panicked(error);
    }

    fn end_panicked(&mut self, error: Error) {
        let panics = self.flight.panics + 1;
        self.end(if panics > 1 { Landing::Failed(error) } else { Landing::Abandoned { panics } });
    }

    fn end(&mut self, landing: Landing<V>) {
        self.landed = true;
        // First out of the table, or a woken follower would find the ended flight there and follow it.
        self.flights.remove(&self.flight);
        self.flight.change(|state| state.landing = Some(landing));
    }
}

impl<V: Clone> Drop for Seat<V> {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        if std::thread::panicking() {
            // Not the creator, but what was done with its value: to copy it, to store it.
            let what = "the value of this key was created, and what came after it panicked";
            self.end_panicked(Error::new(ErrorKind::Panicked, what));
        } else {
            self.end(Landing::Abandoned { panics: self.flight.panics });
        }
    }
}

/// What a follower sees.
#[derive(Clone, Debug)]
pub(crate) enum Sight<V> {
    Stale(Entry<V>),
    Landed(Landing<V>),
}

/// A follower's wait.
pub(crate) struct Follow<V> {
    flight: Arc<Flight<V>>,
    stale: bool,
    follower: Option<u64>,
}

impl<V: Clone> Future for Follow<V> {
    type Output = Sight<V>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sight<V>> {
        let this = self.get_mut();
        let mut state = lock(&this.flight.state);
        if let Some(sight) = state.sight(this.stale) {
            return Poll::Ready(sight);
        }
        let follower = *this.follower.get_or_insert(state.next_follower);
        state.next_follower = state.next_follower.max(follower + 1);
        state.followers.insert(follower, cx.waker().clone());
        Poll::Pending
    }
}

impl<V> Drop for Follow<V> {
    fn drop(&mut self) {
        if let Some(follower) = self.follower {
            lock(&self.flight.state).followers.remove(&follower);
        }
    }
}
