//! What groups save: the same small values as plain keys and as fields of hashes, on a server of your
//! own.
//!
//! ```sh
//! cargo run --release --example hstore -p dogpile-redis -- redis://127.0.0.1/
//! ```
#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::time::{Duration, Instant};

use dogpile_cache::{Field, Region, codec::MsgPack};
use dogpile_core::{Error, KeyBuf, Policy, Result};
use dogpile_lock::Dogpile;
use dogpile_redis::{Buckets, Envelope, GroupExpiry, Redis};

type Cache = Region<Dogpile<Redis>, MsgPack>;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1/".to_owned());
    let redis = Redis::connect(&url)
        .await?
        .with_prefix("hstore example ")
        .with_envelope(Envelope::compact())
        .with_group_expiry(GroupExpiry::AfterWrite(DAY));
    let region = Region::new(Dogpile::leased(redis.clone()), MsgPack).expires_after(DAY);
    fields(&redis, &region).await?;
    numbers(&redis, &region).await
}

/// A user is a group, and what is known of it are its fields.
async fn fields(redis: &Redis, region: &Cache) -> Result<()> {
    let before = redis.stats().round_trips;
    let keys: Vec<_> = ["ada", "bob"]
        .iter()
        .flat_map(|user| ["name", "mail", "town"].map(|what| Field(user, what)))
        .collect();
    let values: Vec<String> = region
        .get_or_create_many(&keys, |missing| async move {
            println!("created: {} values", missing.len());
            Ok::<_, Error>(missing.iter().map(|key| format!("{} of {}", key.1, key.0)).collect())
        })
        .await?;
    println!(
        "{} fields of 2 groups, {} round trips",
        values.len(),
        redis.stats().round_trips - before
    );

    let before = redis.stats().round_trips;
    let ada = redis.read_group("ada").await?;
    let town: Option<String> = ada.value("town", &Policy::new(), &MsgPack)?;
    println!(
        "a group of {} fields, one of them decoded: {town:?}; {} round trip",
        ada.len(),
        redis.stats().round_trips - before
    );
    for user in ["ada", "bob"] {
        region.delete_group(user).await?;
    }
    Ok(())
}

/// Ten thousand numbered values in a hundred hashes, written and read a thousand at a time.
async fn numbers(redis: &Redis, region: &Cache) -> Result<()> {
    let media = Buckets::new("media");
    let ids: Vec<u64> = (0..10_000).collect();
    let began = Instant::now();
    for some in ids.chunks(1_000) {
        let items: Vec<(KeyBuf, u64)> = some.iter().map(|id| (media.key(*id), id * 7)).collect();
        region.set_many(&items).await?;
    }
    println!("wrote {} values in {:.0?}", ids.len(), began.elapsed());
    let (began, before) = (Instant::now(), redis.stats().round_trips);
    let mut found = 0;
    for some in ids.chunks(1_000) {
        let keys: Vec<_> = some.iter().map(|id| media.key(*id)).collect();
        found += region.get_many::<u64, _>(&keys).await?.iter().flatten().count();
    }
    let trips = redis.stats().round_trips - before;
    println!("read {found} values in {:.0?}, {trips} round trips", began.elapsed());
    for bucket in ids.chunks(100) {
        region.delete_group(&media.group(bucket[0])).await?;
    }
    Ok(())
}
