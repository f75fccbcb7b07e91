//! A fresh hit: 1,000 keys of 16 bytes in shuffled order, a value of 1 KiB behind an `Arc` for each.

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use dogpile_cache::backend::Memory;
use dogpile_cache::codec::{Shared, Typed};
use dogpile_cache::{Region, cached};
use dogpile_lock::{Dogpile, Solo};
use serde_json::json;

use super::Measured;
use crate::arguments::Settings;
use crate::keys::{names, shuffled};
use crate::report::{Bar, Row};
use crate::timing::{self, Contestant, take_turns};

pub(super) type Value = Arc<[u8]>;
pub(super) type InMemory = Region<Dogpile<Solo<Memory>>, Shared>;

const KEYS: usize = 1_000;
const ROOM: usize = 10 * KEYS;
const HOUR: Duration = Duration::from_secs(3600);

static REGION: LazyLock<InMemory> = LazyLock::new(region);

pub(super) fn region() -> InMemory {
    Region::new(Dogpile::local(Memory::new(ROOM)), Shared).expires_after(HOUR)
}

#[cached(region = REGION, namespace = "images")]
pub(super) async fn images(owner: &str) -> Result<Value, dogpile_cache::Error> {
    Ok(owner.as_bytes().repeat(64).into())
}

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let keys = names(KEYS);
    let order = shuffled(KEYS, 1);
    let value = || -> Value { vec![7; 1024].into() };

    let shared = region();
    let typed = Region::new(Dogpile::local(Memory::<Value>::new(ROOM)), Typed).expires_after(HOUR);
    let quick = quick_cache::sync::Cache::<String, Value>::new(ROOM);
    let moka = moka::future::Cache::<String, Value>::builder()
        .max_capacity(ROOM as u64)
        .time_to_live(HOUR)
        .build();

    // One loop for all: what a call costs besides its cache is the same for each.
    macro_rules! round {
        (|$key:ident| $call:expr) => {
            || {
                runtime.block_on(async {
                    for &at in &order {
                        let $key: &str = &keys[at];
                        let _ = black_box($call);
                    }
                });
                KEYS as u64
            }
        };
    }
    let create = || async { Ok::<_, Infallible>(value()) };
    let insert = || Ok::<_, Infallible>(value());
    let measured = take_turns(
        settings.short_rounds(),
        vec![
            Contestant::new("quick_cache", round!(|key| quick.get_or_insert_with(key, insert))),
            Contestant::new("shared", round!(|key| shared.get_or_create(key, create).await)),
            Contestant::new("typed", round!(|key| typed.get_or_create(key, create).await)),
            Contestant::new("cached", round!(|key| images(key).await)),
            Contestant::new(
                "moka",
                round!(|key| moka.get_with_by_ref(key, async { value() }).await),
            ),
        ],
    );
    let [quick, shared, typed, cached, moka] = &measured[..] else { unreachable!() };
    let row = |name: &str, ours, peer, bar| compare(name, ours, peer, bar);
    Ok(vec![
        row("region hit", shared, quick, Bar::AtMost(1.8)),
        row("region hit", shared, moka, Bar::AtMost(0.3)),
        row("region hit, codec Typed", typed, quick, Bar::None),
        row("#[cached] hit", cached, quick, Bar::AtMost(2.2)),
    ]
    .into())
}

/// A row of how long ours took, as a multiple of a peer.
pub(super) fn compare(
    name: &str,
    ours: &timing::Measured,
    peer: &timing::Measured,
    bar: Bar,
) -> Row {
    let shown = |measured: &timing::Measured| nanos(measured.median());
    let details = |measured: &timing::Measured| {
        let (low, high) = measured.spread();
        json!({ "name": measured.name, "rounds": measured.nanos.len(), "median_ns": measured.median(), "quartiles_ns": [low, high] })
    };
    Row {
        name: format!("{name} / {}", peer.name),
        ours: shown(ours),
        peer: shown(peer),
        figure: ours.ratio_to(peer),
        unit: "x",
        bar,
        details: json!([details(ours), details(peer)]),
    }
}

/// A row of how long something of ours takes, whatever others take.
pub(super) fn time(name: &str, ours: &timing::Measured, bar: Bar) -> Row {
    let (low, high) = ours.spread();
    Row {
        name: name.to_owned(),
        ours: nanos(ours.median()),
        peer: String::new(),
        figure: ours.median(),
        unit: " ns",
        bar,
        details: json!({ "rounds": ours.nanos.len(), "quartiles_ns": [low, high] }),
    }
}

pub(super) fn nanos(nanos: f64) -> String {
    match nanos {
        large if large >= 10_000.0 => format!("{:.1} us", large / 1_000.0),
        _ => format!("{nanos:.1} ns"),
    }
}
