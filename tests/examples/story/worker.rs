//! One process of the shop: a hundred callers for each product, who all ask at once.

mod asked;
mod client;
mod clock;

use std::io::BufRead;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dogpile_cache::{Error, Timestamp};
use futures_util::future::join_all;

use self::asked::Asked;
use self::client::{Away, Client};
use self::clock::MinuteHand;
use crate::stage::{Asks, Cache, Stage};

const CALLERS: u64 = 100;
const ORDERS: [&str; 6] = [
    "STORY_STAGE",
    "STORY_PRODUCTS",
    "STORY_FOLDER",
    "STORY_DATABASE",
    "STORY_REDIS",
    "STORY_BEGINS",
];

/// What a process is told when it starts.
pub(crate) struct Orders {
    pub(crate) stage: Stage,
    pub(crate) products: u64,
    pub(crate) folder: PathBuf,
    pub(crate) database: SocketAddr,
    pub(crate) redis: String,
    /// The moment at which the clocks of all processes begin.
    pub(crate) begins: Timestamp,
}

impl Orders {
    pub(crate) fn from_environment() -> Option<Self> {
        let [stage, products, folder, database, redis, begins] = ORDERS.map(std::env::var);
        Some(Self {
            stage: Stage::named(&stage.ok()?)?,
            products: products.ok()?.parse().ok()?,
            folder: folder.ok()?.into(),
            database: database.ok()?.parse().ok()?,
            redis: redis.ok()?,
            begins: Timestamp::from_millis(begins.ok()?.parse().ok()?),
        })
    }

    pub(crate) fn write<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let orders = [
            self.stage.name().to_owned(),
            self.products.to_string(),
            self.folder.display().to_string(),
            self.database.to_string(),
            self.redis.clone(),
            self.begins.as_millis().to_string(),
        ];
        command.envs(ORDERS.into_iter().zip(orders))
    }
}

/// What a process says.
pub(crate) enum Said {
    /// Of its callers, each has been served or waits for the database.
    Settled,
    Done {
        requests: u64,
        waited: u64,
        failed: u64,
    },
}

impl Said {
    pub(crate) fn read(line: &str) -> Option<Self> {
        if line == "settled" {
            return Some(Self::Settled);
        }
        let mut numbers = line.strip_prefix("done ")?.split(' ').map(|n| n.parse().unwrap_or(0));
        let (requests, waited, failed) = (numbers.next()?, numbers.next()?, numbers.next()?);
        Some(Self::Done { requests, waited, failed })
    }
}

/// Lives through a minute for each line of its standard input.
pub(crate) fn run(orders: &Orders) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start a runtime: {error}"))?;
    let shop = runtime.block_on(Shop::open(orders))?;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let minute = line.parse().map_err(|_| format!("{line} is no minute"))?;
        let (requests, waited, failed) = runtime.block_on(shop.minute(minute, orders.products));
        println!("done {requests} {waited} {failed}");
    }
    Ok(())
}

/// Clones are the same shop.
#[derive(Clone)]
struct Shop {
    asks: Asks,
    cache: Cache,
    clock: Arc<MinuteHand>,
    database: Client,
    asked: Arc<Asked>,
    failed: Arc<AtomicU64>,
}

impl Shop {
    async fn open(orders: &Orders) -> Result<Self, String> {
        let asked = Arc::new(Asked::default());
        let clock = Arc::new(MinuteHand::new(orders.begins));
        let database = Client::connect(orders.database, Arc::clone(&asked)).await;
        let cache = orders
            .stage
            .cache(&orders.folder, &orders.redis, clock.clone(), asked.spawner())
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self {
            asks: orders.stage.asks(),
            cache,
            clock,
            database: database.map_err(|error| format!("no way to the database: {error}"))?,
            asked,
            failed: Arc::default(),
        })
    }

    /// All requests of a minute: how many there were, waited for the database, and failed.
    async fn minute(&self, minute: u64, products: u64) -> (u64, u64, u64) {
        self.clock.set(minute);
        let requests = products * CALLERS;
        let failed = self.failed.load(Relaxed);
        self.asked.begin(requests);
        let each: Vec<_> = (0..products)
            .map(|product| {
                let shop = self.clone();
                // All callers of a product take turns in one task: each has asked before any is answered.
                tokio::spawn(async move {
                    join_all((0..CALLERS).map(|_| shop.request(product))).await;
                })
            })
            .collect();
        for task in each {
            let _ = task.await;
        }
        let waited = self.asked.end().await;
        (requests, waited, self.failed.load(Relaxed) - failed)
    }

    async fn request(&self, product: u64) {
        while let Err(error) = self.product(product).await {
            // That the database is away is part of the story. That a store is late, because the
            // machine has too much else to do, is not, and is asked again.
            if error.creation::<Away>().is_some() || !error.is_temporary() {
                self.failed.fetch_add(1, Relaxed);
                break;
            }
            eprintln!("product {product}: {error:?}");
        }
        self.asked.answered();
    }

    async fn product(&self, product: u64) -> Result<String, Error> {
        let database = self.database.clone();
        let load = move || async move { database.product(product).await };
        let key = ("product", product);
        match self.asks {
            Asks::Directly => load().await.map_err(from_creator),
            Asks::WithoutLock => {
                if let Some(found) = self.cache.get(key).await? {
                    return Ok(found);
                }
                let loaded = load().await.map_err(from_creator)?;
                self.cache.set(key, &loaded).await?;
                Ok(loaded)
            }
            Asks::WithLock => self.cache.get_or_create(key, load).await,
            Asks::Detached => self.cache.get_or_create_detached(key, load).await,
        }
    }
}

fn from_creator(away: Away) -> Error {
    Error::from_creator(away)
}
