//! Callers of one process who want the same value: one leads, the others follow.

use std::collections::HashMap;
use std::future::Future;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use dogpile_core::{Entry, Error, ErrorKind, Key, KeyBuf};
use foldhash::fast::RandomState;

use crate::primitive::{Arc, Mutex, lock};
use crate::reentrant::Turn;

/// All flights of a dogpile lock. A key takes room only while somebody is at it.
pub(crate) struct Flights<V> {
    shards: Box<[Mutex<Shard<V>>]>,
    hasher: RandomState,
}

struct Shard<V> {
    flights: HashMap<KeyBuf, Arc<Flight<V>>, RandomState>,
    /// How many writes of a key are under way.
    writes: HashMap<KeyBuf, u32, RandomState>,
    /// The groups that are being removed.
    group_writes: Vec<Box<[u8]>>,
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self { flights: HashMap::default(), writes: HashMap::default(), group_writes: Vec::new() }
    }
}

/// One value on its way.
pub(crate) struct Flight<V> {
    key: KeyBuf,
    state: Mutex<State<V>>,
    turn: Arc<Turn>,
    /// How many creators of this key have panicked one after the other before this flight.
    panics: u32,
}

struct State<V> {
    /// The previous value, once the leader has seen it.
    stale: Option<Entry<V>>,
    /// Somebody wrote or deleted the key since the flight began.
    voided: bool,
    landing: Option<Landing<V>>,
    followers: HashMap<u64, Waker>,
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
        let mut shard = lock(flights.shard(key));
        let key = KeyBuf::from(key);
        if let Some(flight) = shard.flights.get(&key) {
            return Place::Follower(Arc::clone(flight));
        }
        let flight = Arc::new(Flight {
            key: key.clone(),
            state: Mutex::new(State {
                stale: None,
                voided: shard.is_written(&key),
                landing: None,
                followers: HashMap::new(),
                next_follower: 0,
            }),
            turn: Arc::new(Turn::default()),
            panics,
        });
        shard.flights.insert(key, Arc::clone(&flight));
        Place::Leader(Seat { flights: Arc::clone(flights), flight, landed: false })
    }

    /// Whether somebody in this process is at a key.
    pub(crate) fn contains(&self, key: Key<'_>) -> bool {
        lock(self.shard(key)).flights.contains_key(&KeyBuf::from(key))
    }

    /// Announces a write of these keys, or of a whole group, until the guard is dropped: flights that
    /// are under way, or begin meanwhile, store nothing, and the next caller begins another.
    pub(crate) fn write<'a>(
        &'a self,
        keys: impl IntoIterator<Item = Key<'a>>,
        group: Option<&[u8]>,
    ) -> Write<'a, V> {
        let keys = keys.into_iter().map(KeyBuf::from).collect();
        let write = Write { flights: self, keys, group: group.map(Into::into) };
        write.announce();
        write
    }

    fn shard(&self, key: Key<'_>) -> &Mutex<Shard<V>> {
        let number = self.hasher.hash_one(key) % self.shards.len() as u64;
        &self.shards[usize::try_from(number).unwrap_or_default()]
    }

    fn remove(&self, flight: &Arc<Flight<V>>) {
        let mut shard = lock(self.shard(flight.key.as_key()));
        // A voided flight has left the table already, and another may have taken its place.
        if shard.flights.get(&flight.key).is_some_and(|present| Arc::ptr_eq(present, flight)) {
            shard.flights.remove(&flight.key);
            if shard.flights.is_empty() && shard.flights.capacity() > 64 {
                shard.flights.shrink_to_fit();
            }
        }
    }
}

impl<V> Shard<V> {
    fn is_written(&self, key: &KeyBuf) -> bool {
        let group = key.as_key().group();
        self.writes.contains_key(key)
            || group.is_some_and(|group| self.group_writes.iter().any(|it| **it == *group))
    }

    /// Takes the flight of a key out of the table. Mostly there is none anywhere, and an empty table
    /// would still hash the key to find that out.
    fn void_one(&mut self, key: &KeyBuf) {
        if !self.flights.is_empty()
            && let Some(flight) = self.flights.remove(key)
        {
            lock(&flight.state).voided = true;
        }
    }

    /// Takes the flights out of the table that a write concerns.
    fn void(&mut self, concerned: impl Fn(Key<'_>) -> bool) {
        for (_, flight) in self.flights.extract_if(|key, _| concerned(key.as_key())) {
            lock(&flight.state).voided = true;
        }
    }
}

/// A write that is under way.
pub(crate) struct Write<'a, V> {
    flights: &'a Flights<V>,
    keys: Vec<KeyBuf>,
    group: Option<Box<[u8]>>,
}

impl<V> Write<'_, V> {
    fn announce(&self) {
        for key in &self.keys {
            let mut shard = lock(self.flights.shard(key.as_key()));
            *shard.writes.entry(key.clone()).or_default() += 1;
            shard.void_one(key);
        }
        if let Some(group) = &self.group {
            for shard in &self.flights.shards {
                let mut shard = lock(shard);
                shard.group_writes.push(group.clone());
                shard.void(|key| key.group() == Some(group));
            }
        }
    }
}

impl<V> Drop for Write<'_, V> {
    fn drop(&mut self) {
        for key in &self.keys {
            let mut shard = lock(self.flights.shard(key.as_key()));
            if let Some(writers) = shard.writes.get_mut(key) {
                *writers -= 1;
                if *writers == 0 {
                    shard.writes.remove(key);
                }
            }
            shard.void_one(key);
        }
        if let Some(group) = &self.group {
            for shard in &self.flights.shards {
                let mut shard = lock(shard);
                if let Some(at) = shard.group_writes.iter().position(|it| it == group) {
                    shard.group_writes.swap_remove(at);
                }
                shard.void(|key| key.group() == Some(group));
            }
        }
    }
}

impl<V> Flight<V> {
    /// What waits for this flight, for [`reentrant`](crate::reentrant).
    pub(crate) fn turn(&self) -> &Arc<Turn> {
        &self.turn
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
    pub(crate) fn land(mut self, landing: Landing<V>) {
        self.end(landing);
    }

    /// Ends the flight with an entry that was found, of which a copy is made only if somebody follows.
    pub(crate) fn land_found(mut self, entry: &Entry<V>) {
        self.flights.remove(&self.flight);
        // Who follows has a pointer to the flight, and out of the table nobody gets another.
        if Arc::strong_count(&self.flight) > 1 {
            self.end(Landing::Entry(entry.clone()));
        }
        self.landed = true;
    }

    /// Ends the flight of a creator that panicked: the first time its followers try themselves, the
    /// second time in a row they are told `error`.
    pub(crate) fn land_panicked(mut self, error: Error) {
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
