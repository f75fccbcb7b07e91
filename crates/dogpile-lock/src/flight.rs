//! Callers of one process who want the same value: one leads, the others follow.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use dogpile_core::{Entry, Error, Key, KeyBuf};

use crate::primitive::{Arc, Mutex, lock};
use crate::reentrant::Turn;

/// All flights of a dogpile lock. A key takes room only while somebody is at it.
pub(crate) struct Flights<V> {
    shards: Box<[Shard<V>]>,
    hasher: RandomState,
    count: AtomicUsize,
}

type Shard<V> = Mutex<HashMap<KeyBuf, Arc<Flight<V>>>>;

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

impl<V: Clone> Flights<V> {
    pub(crate) fn new(shards: usize) -> Self {
        let shards = (0..shards).map(|_| Mutex::new(HashMap::new())).collect();
        Self { shards, hasher: RandomState::new(), count: AtomicUsize::new(0) }
    }

    /// Joins the flight of a key, or begins it.
    pub(crate) fn join(self: &Arc<Self>, key: Key<'_>, panics: u32) -> Place<V> {
        let mut shard = lock(self.shard(key));
        let key = KeyBuf::from(key);
        if let Some(flight) = shard.get(&key) {
            return Place::Follower(Arc::clone(flight));
        }
        let flight = Arc::new(Flight {
            key: key.clone(),
            state: Mutex::new(State {
                stale: None,
                voided: false,
                landing: None,
                followers: HashMap::new(),
                next_follower: 0,
            }),
            turn: Arc::new(Turn::default()),
            panics,
        });
        shard.insert(key, Arc::clone(&flight));
        self.count.fetch_add(1, Ordering::SeqCst);
        Place::Leader(Seat { flights: Arc::clone(self), flight, landed: false })
    }

    /// Whether somebody in this process is at a key.
    pub(crate) fn contains(&self, key: Key<'_>) -> bool {
        !self.is_empty() && lock(self.shard(key)).contains_key(&KeyBuf::from(key))
    }

    /// Makes the flight of a key store nothing, and lets the next caller begin another.
    pub(crate) fn void(&self, key: Key<'_>) {
        if !self.is_empty() {
            let flight = lock(self.shard(key)).remove(&KeyBuf::from(key));
            flight.into_iter().for_each(|flight| self.ground(&flight));
        }
    }

    /// The same for every key of a group.
    pub(crate) fn void_group(&self, group: &[u8]) {
        if self.is_empty() {
            return;
        }
        for shard in &self.shards {
            let mut shard = lock(shard);
            let keys: Vec<_> =
                shard.keys().filter(|key| key.as_key().group() == Some(group)).cloned().collect();
            for key in keys {
                shard.remove(&key).into_iter().for_each(|flight| self.ground(&flight));
            }
        }
    }

    fn ground(&self, flight: &Flight<V>) {
        lock(&flight.state).voided = true;
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    fn shard(&self, key: Key<'_>) -> &Shard<V> {
        let hash = self.hasher.hash_one(key) as usize;
        &self.shards[hash % self.shards.len()]
    }

    fn remove(&self, flight: &Arc<Flight<V>>) {
        let mut shard = lock(self.shard(flight.key.as_key()));
        // A voided flight has left the table already, and another may have taken its place.
        if shard.get(&flight.key).is_some_and(|present| Arc::ptr_eq(present, flight)) {
            shard.remove(&flight.key);
            self.count.fetch_sub(1, Ordering::SeqCst);
            if shard.is_empty() && shard.capacity() > 64 {
                shard.shrink_to_fit();
            }
        }
    }
}

impl<V> Flight<V> {
    /// What waits for this flight, for [`reentrant`](crate::reentrant).
    pub(crate) fn turn(&self) -> &Arc<Turn> {
        &self.turn
    }

    /// Waits for the leader to land, or to show a stale entry where `stale` accepts one.
    pub(crate) fn follow(self: &Arc<Self>, stale: bool) -> Follow<V> {
        Follow { flight: Arc::clone(self), stale, follower: None }
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

    /// Ends the flight of a creator that panicked: the first time its followers try themselves, the
    /// second time in a row they are told `error`.
    pub(crate) fn land_panicked(self, error: Error) {
        let panics = self.flight.panics + 1;
        self.land(if panics > 1 { Landing::Failed(error) } else { Landing::Abandoned { panics } });
    }

    fn end(&mut self, landing: Landing<V>) {
        self.landed = true;
        self.flight.change(|state| state.landing = Some(landing));
        self.flights.remove(&self.flight);
    }
}

impl<V: Clone> Drop for Seat<V> {
    fn drop(&mut self) {
        if !self.landed {
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
        if let Some(landing) = &state.landing {
            return Poll::Ready(Sight::Landed(landing.clone()));
        }
        if let Some(stale) = state.stale.as_ref().filter(|_| this.stale) {
            return Poll::Ready(Sight::Stale(stale.clone()));
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
