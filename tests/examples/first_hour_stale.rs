//! The second program of docs/first-hour.md.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a first program")]

use dogpile_cache::{Error, Region, Stats, backend::Memory, codec::Shared};
use dogpile_lock::Dogpile;
use std::sync::Arc;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let stats = Arc::new(Stats::new());
    let store = Dogpile::local(Memory::new(10_000)).with_background(true);
    let region = Region::new(store, Shared)
        .expires_after(Duration::from_millis(500))
        .with_observer(stats.clone());

    let query = |price: u32| {
        move || async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, Error>(price)
        }
    };
    println!("{}", region.get_or_create_detached("socks", query(10)).await?);
    println!("{}", region.get_or_create_detached("socks", query(11)).await?);

    tokio::time::sleep(Duration::from_millis(600)).await;
    // It has expired: this one is served the old price, and has the new one made.
    println!("{}", region.get_or_create_detached("socks", query(12)).await?);
    while stats.counts().created < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("{}", region.get_or_create_detached("socks", query(13)).await?);

    let counts = stats.counts();
    println!("{} hits, {} stale, {} created", counts.hits, counts.stale, counts.created);
    Ok(())
}
