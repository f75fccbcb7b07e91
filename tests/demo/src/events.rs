//! The events that the dashboard shows, sent as they happen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use dogpile_cache::{Backend, Clock, Key, KeyBuf, Stats, SystemClock};
use futures_util::stream::{self, Stream};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;

use crate::meters::{Callers, Histogram, Requests};
use crate::shop::{Kind, Shop};

const TICK: Duration = Duration::from_millis(500);
/// A minute of ticks is shown at once to who comes later.
const KEPT: usize = 120;

/// The moments of the last minute, and who wants to hear of the next.
#[derive(Debug)]
pub(crate) struct Events {
    kept: Mutex<VecDeque<Arc<Tick>>>,
    next: broadcast::Sender<Arc<Tick>>,
    notes: Mutex<Vec<String>>,
}

/// All numbers at one moment; counts are since the start.
#[derive(Debug, Serialize)]
pub(crate) struct Tick {
    /// Milliseconds since 1970.
    at: u64,
    requests: Requests,
    /// Of all regions together.
    callers: Callers,
    /// Of the region that stands before the database.
    products: Callers,
    /// Of the key that everybody wants.
    wanted: Callers,
    queries: u64,
    failures: u64,
    /// Of the requests of the last second, in milliseconds.
    p50: Option<f64>,
    p99: Option<f64>,
    load: u32,
    skipped: u64,
    slow: bool,
    broken: bool,
    /// Whether each node is up.
    up: Vec<bool>,
    /// A letter for each key: fresh, stale, missing (`f`, `s`, `-`).
    states: String,
    /// A digit for each key: the node that has it.
    owners: String,
    /// The keys that were created since the last tick.
    created: Vec<usize>,
    /// What was done by hand since the last tick.
    notes: Vec<String>,
}

impl Events {
    pub(crate) fn new() -> Self {
        let (next, _) = broadcast::channel(16);
        Self { kept: Mutex::default(), next, notes: Mutex::default() }
    }

    /// Says what was done by hand.
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, tick: Tick) {
        let tick = Arc::new(tick);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&tick));
        // Under the lock, so that who subscribes under it hears of each tick once. Nobody may listen.
        let _ = self.next.send(tick);
    }

    fn subscribe(&self) -> (Vec<Arc<Tick>>, broadcast::Receiver<Arc<Tick>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.iter().cloned().collect(), self.next.subscribe())
    }
}

/// Publishes a tick twice a second, for ever.
pub(crate) async fn tick(shop: Arc<Shop>) {
    let mut beat = tokio::time::interval(TICK);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Histogram::default();
    loop {
        beat.tick().await;
        let latencies = shop.meters.take_latencies();
        let second = before.plus(&latencies);
        before = latencies;
        let tick = now(&shop, &second).await;
        shop.events.publish(tick);
    }
}

async fn now(shop: &Shop, second: &Histogram) -> Tick {
    let (queries, failures) = shop.database.counts();
    Tick {
        at: SystemClock.now().as_millis(),
        requests: shop.meters.requests(),
        callers: shop.meters.callers(),
        products: shop.meters.products.callers(),
        wanted: shop.meters.products.callers_of_wanted(),
        queries,
        failures,
        p50: second.percentile(0.5),
        p99: second.percentile(0.99),
        load: shop.load.per_second(),
        skipped: shop.load.skipped(),
        slow: shop.database.is_slow(),
        broken: shop.database.is_broken(),
        up: shop.nodes.list().map(|(name, _)| !shop.nodes.ring().is_down(name)).collect(),
        states: states(shop).await,
        owners: owners(shop),
        created: shop.meters.take_created(),
        notes: shop.events.take_notes(),
    }
}

/// A letter for each key. What is fresh the regions know; what else is there, their store does.
async fn states(shop: &Shop) -> String {
    let keys: Vec<Key<'_>> = shop.keys.iter().map(|key| key.key.as_key()).collect();
    let Ok(entries) = shop.nodes.store().get_many(&keys).await else {
        return "-".repeat(keys.len());
    };
    let mut states: Vec<char> =
        entries.iter().map(|entry| if entry.is_some() { 's' } else { '-' }).collect();
    for kind in [Kind::Products, Kind::Page, Kind::Fragment] {
        let numbers: Vec<usize> =
            (0..keys.len()).filter(|at| shop.keys[*at].kind == kind).collect();
        let own: Vec<&KeyBuf> = numbers.iter().map(|at| &shop.keys[*at].key).collect();
        // A look is no use of the cache, and is not counted as one.
        let region = shop.region(kind).clone().with_observer(Arc::new(Stats::new()));
        let found = region.get_many::<Anything, _>(&own).await.unwrap_or_default();
        for (at, _) in numbers.iter().zip(found).filter(|(_, value)| value.is_some()) {
            states[*at] = 'f';
        }
    }
    states.into_iter().collect()
}

/// Whatever it is: what counts is that it is there.
#[derive(Debug)]
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self)
    }
}

impl Serialize for Anything {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

fn owners(shop: &Shop) -> String {
    let owner = |key: Key<'_>| {
        let number = shop.nodes.owner(key).and_then(|number| u32::try_from(number).ok());
        number.and_then(|number| char::from_digit(number, 10)).unwrap_or('-')
    };
    shop.keys.iter().map(|key| owner(key.key.as_key())).collect()
}

/// `GET /dashboard/events`: the ring and the last minute, and then what happens.
pub(crate) async fn stream(
    State(shop): State<Arc<Shop>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (kept, next) = shop.events.subscribe();
    let mut first = picture(&shop);
    first["ticks"] = kept.iter().map(|tick| json!(**tick)).collect();
    let first = stream::iter([Ok(Event::default().event("begin").data(first.to_string()))]);
    let rest = stream::unfold(next, |mut next| async move {
        loop {
            match next.recv().await {
                Ok(tick) => return Some((Ok(event(&tick)), next)),
                // Who reads too slowly misses some: the counts of the next tick hold them all.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    Sse::new(stream::StreamExt::chain(first, rest)).keep_alive(KeepAlive::default())
}

fn event(tick: &Tick) -> Event {
    let text = serde_json::to_string(tick).unwrap_or_default();
    Event::default().event("tick").data(text)
}

/// `GET /dashboard/state`: the picture and the present numbers, for who does not want to listen.
pub(crate) async fn state(State(shop): State<Arc<Shop>>) -> axum::Json<Value> {
    let mut state = picture(&shop);
    let (queries, failures) = shop.database.counts();
    state["queries"] = json!(queries);
    state["failures"] = json!(failures);
    state["requests"] = json!(shop.meters.requests());
    state["products"] = json!(shop.meters.products.callers());
    state["fragments"] = json!(shop.meters.fragments.callers());
    state["callers"] = json!(shop.meters.callers());
    state["states"] = json!(states(&shop).await);
    state["owners"] = json!(owners(&shop));
    axum::Json(state)
}

/// What does not change: the ring, its nodes, and where keys lie on it. Places are parts of a turn.
fn picture(shop: &Shop) -> Value {
    let ring = shop.nodes.ring();
    let arcs: Vec<Value> = ring
        .ranges()
        .map(|(range, node)| json!([turn(range.first), range.share(), ring.number(node.name())]))
        .collect();
    let keys = shop.keys.iter().map(|key| {
        let kind = match key.kind {
            Kind::Products => "products",
            Kind::Page => "page",
            Kind::Fragment => "fragment",
        };
        let place = turn(ring.profile().position(key.key.as_key().as_bytes()));
        json!({ "name": key.key.to_string(), "kind": kind, "turn": place })
    });
    let nodes = shop.nodes.list().map(|(name, kind)| json!({ "name": name, "kind": kind }));
    json!({
        "tick": TICK.as_millis(),
        "nodes": nodes.collect::<Vec<_>>(),
        "arcs": arcs,
        "keys": keys.collect::<Vec<_>>(),
    })
}

fn turn(position: shard_ring::Position) -> f64 {
    position.bits() as f64 / u128::MAX as f64
}
