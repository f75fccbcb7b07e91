//! Allocations on a fresh hit, by an allocator that counts.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::hint::black_box;

use dogpile_cache::Region;
use dogpile_cache::backend::Memory;
use dogpile_cache::codec::Typed;
use dogpile_lock::Dogpile;
use serde_json::json;

use super::Measured;
use super::hit::{Value, images, region};
use crate::arguments::Settings;
use crate::keys::names;
use crate::report::{Bar, Row};

const HITS: usize = 1_000;

pub(super) fn run(_: Settings) -> Result<Measured, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let keys = names(10);
    let value: Value = vec![7; 1024].into();
    let create = || async { Ok::<_, Infallible>(Value::clone(&value)) };
    let (shared, typed) = (region(), Region::new(Dogpile::local(Memory::<Value>::new(100)), Typed));
    macro_rules! row {
        ($name:literal, |$key:ident| $call:expr) => {{
            let read = async || {
                for $key in &keys {
                    let $key: &str = $key;
                    let _ = black_box($call);
                }
            };
            row($name, allocations(&runtime, read))
        }};
    }
    Ok(vec![
        row!("region hit", |key| shared.get_or_create(key, create).await),
        row!("region hit, codec Typed", |key| typed.get_or_create(key, create).await),
        row!("region get", |key| shared.get::<Value>(key).await),
        row!("#[cached] hit", |key| images(key).await),
    ]
    .into())
}

/// How often a second and later reading allocates, per thousand hits of ten keys.
fn allocations<Fut: Future<Output = ()>>(
    runtime: &tokio::runtime::Runtime,
    read: impl Fn() -> Fut,
) -> u64 {
    runtime.block_on(read());
    runtime.block_on(async {
        // The runtime is entered already: what is counted is the cache's own.
        let mut counted = 0;
        for _ in 0..HITS / 10 {
            let reading = std::pin::pin!(read());
            let mut reading = reading;
            counted += std::future::poll_fn(|cx| {
                let mut done = std::task::Poll::Pending;
                let info = allocation_counter::measure(|| done = reading.as_mut().poll(cx));
                done.map(|()| info.count_total)
            })
            .await;
        }
        counted
    })
}

fn row(name: &str, allocations: u64) -> Row {
    Row {
        name: format!("allocations, {name}"),
        ours: format!("{allocations}"),
        peer: String::new(),
        figure: allocations as f64,
        unit: "",
        bar: Bar::AtMost(0.0),
        details: json!({ "hits": HITS }),
    }
}
