//! A cache with room for a tenth of its keys, from two threads: read, and set where there is nothing; and
//! read through.

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use dogpile_cache::Region;
use dogpile_cache::backend::Memory;
use dogpile_cache::codec::Shared;
use dogpile_lock::Dogpile;
use serde_json::json;

use super::Measured;
use crate::arguments::Settings;
use crate::keys::{names, zipf};
use crate::report::{Bar, Row};
use crate::timing::quantile;

type Value = Arc<[u8]>;

const KEYS: usize = 100_000;
const ROOM: usize = 10_000;
const THREADS: u64 = 2;
const HOUR: Duration = Duration::from_secs(3600);

/// What a contestant came to, round by round.
struct Tally {
    name: &'static str,
    misses: AtomicU64,
    /// Million operations per second, of all threads.
    throughput: Vec<f64>,
    hit_ratio: Vec<f64>,
}

impl Tally {
    fn new(name: &'static str) -> Self {
        Self { name, misses: AtomicU64::new(0), throughput: Vec::new(), hit_ratio: Vec::new() }
    }

    fn missed(&self, value: &Value) -> Value {
        self.misses.fetch_add(1, Relaxed);
        Arc::clone(value)
    }

    /// All threads draw through their keys once.
    fn round(&mut self, counts: bool, draws: &[Vec<u32>], read: impl Fn(&Self, &[u32]) + Sync) {
        let before = self.misses.load(Relaxed);
        let began = Instant::now();
        std::thread::scope(|scope| {
            for draws in draws {
                let (this, read) = (&*self, &read);
                scope.spawn(move || read(this, draws));
            }
        });
        let took = began.elapsed();
        let operations: usize = draws.iter().map(Vec::len).sum();
        let missed = self.misses.load(Relaxed) - before;
        if counts {
            self.throughput.push(operations as f64 / took.as_secs_f64() / 1e6);
            self.hit_ratio.push(1.0 - missed as f64 / operations as f64);
        }
    }

    fn throughput(&self) -> f64 {
        quantile(&self.throughput, 0.5)
    }

    fn hit_ratio(&self) -> f64 {
        quantile(&self.hit_ratio, 0.5)
    }
}

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let draws = if settings.quick { 100_000 } else { 250_000 };
    let keys = names(KEYS);
    let values: Vec<Value> = keys.iter().map(|key| key.as_bytes().into()).collect();

    let region = || Region::new(Dogpile::local(Memory::new(ROOM)), Shared).expires_after(HOUR);
    let quick = || quick_cache::sync::Cache::<String, Value>::new(ROOM);
    let moka = || {
        moka::future::Cache::<String, Value>::builder()
            .max_capacity(ROOM as u64)
            .time_to_live(HOUR)
            .build()
    };
    let (ours, ours_through) = (region(), region());
    let (quick, quick_through) = (quick(), quick());
    let (moka, moka_through) = (moka(), moka());
    let mut set = ["dogpile", "quick_cache", "moka"].map(Tally::new);
    let mut through = ["dogpile", "quick_cache", "moka"].map(Tally::new);

    // Each thread is a runtime of its own, so that nobody pays for a scheduler.
    macro_rules! reads {
        (|$tally:ident, $key:ident, $value:ident| $call:expr) => {
            |$tally: &Tally, draws: &[u32]| {
                let Ok(runtime) =
                    tokio::runtime::Builder::new_current_thread().enable_all().build()
                else {
                    return;
                };
                runtime.block_on(async {
                    for &at in draws {
                        let ($key, $value) = (keys[at as usize].as_str(), &values[at as usize]);
                        let _ = black_box($call);
                    }
                });
            }
        };
    }
    // The first rounds fill the caches.
    let warm_up = 2;
    for round in 0..settings.rounds + warm_up {
        let draws: Vec<Vec<u32>> = (0..THREADS)
            .map(|thread| zipf(KEYS, 0.99, draws, round as u64 * THREADS + thread))
            .collect();
        let counts = round >= warm_up;
        let [of_ours, of_quick, of_moka] = &mut set;
        of_ours.round(
            counts,
            &draws,
            reads!(|tally, key, value| match ours.get::<Value>(key).await {
                Ok(Some(value)) => Ok(value),
                _ => {
                    let value = tally.missed(value);
                    ours.set(key, &value).await.map(|()| value)
                }
            }),
        );
        of_quick.round(
            counts,
            &draws,
            reads!(|tally, key, value| quick.get(key).unwrap_or_else(|| {
                let value = tally.missed(value);
                quick.insert(key.to_owned(), Arc::clone(&value));
                value
            })),
        );
        of_moka.round(
            counts,
            &draws,
            reads!(|tally, key, value| match moka.get(key).await {
                Some(value) => value,
                None => {
                    let value = tally.missed(value);
                    moka.insert(key.to_owned(), Arc::clone(&value)).await;
                    value
                }
            }),
        );
        let [of_ours, of_quick, of_moka] = &mut through;
        of_ours.round(
            counts,
            &draws,
            reads!(|tally, key, value| ours_through
                .get_or_create(key, || async { Ok::<_, Infallible>(tally.missed(value)) })
                .await),
        );
        of_quick.round(
            counts,
            &draws,
            reads!(|tally, key, value| quick_through
                .get_or_insert_with(key, || Ok::<_, Infallible>(tally.missed(value)))),
        );
        of_moka.round(
            counts,
            &draws,
            reads!(|tally, key, value| moka_through
                .get_with_by_ref(key, async { tally.missed(value) })
                .await),
        );
    }
    let [ours, quick, moka] = &set;
    let [ours_through, quick_through, moka_through] = &through;
    Ok(vec![
        hits("get, then set", ours, quick, Bar::AtMost(0.01)),
        hits("read through", ours_through, quick_through, Bar::AtMost(0.01)),
        throughput("get, then set", ours, moka, Bar::AtLeast(3.0)),
        throughput("get, then set", ours, quick, Bar::None),
        throughput("read through", ours_through, moka_through, Bar::AtLeast(3.0)),
        throughput("read through", ours_through, quick_through, Bar::None),
    ]
    .into())
}

fn hits(how: &str, ours: &Tally, peer: &Tally, bar: Bar) -> Row {
    Row {
        name: format!("Zipf hit ratio, {how} / {}", peer.name),
        ours: format!("{:.4}", ours.hit_ratio()),
        peer: format!("{:.4}", peer.hit_ratio()),
        figure: (ours.hit_ratio() - peer.hit_ratio()).abs(),
        unit: "",
        bar,
        details: json!({ "ours": ours.hit_ratio, "peer": peer.hit_ratio }),
    }
}

fn throughput(how: &str, ours: &Tally, peer: &Tally, bar: Bar) -> Row {
    let ratios: Vec<f64> =
        ours.throughput.iter().zip(&peer.throughput).map(|(ours, peer)| ours / peer).collect();
    Row {
        name: format!("Zipf throughput, {how} / {}", peer.name),
        ours: format!("{:.2} M/s", ours.throughput()),
        peer: format!("{:.2} M/s", peer.throughput()),
        figure: quantile(&ratios, 0.5),
        unit: "x",
        bar,
        details: json!({ "ours": ours.throughput, "peer": peer.throughput }),
    }
}
