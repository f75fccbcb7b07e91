//! The stages: how the shop keeps its products, each time with one thing more.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dogpile_cache::backend::{File, MemoryBytes};
use dogpile_cache::codec::MsgPack;
use dogpile_cache::{Clock, Error, Region};
use dogpile_core::DynReadThrough;
use dogpile_lock::{Dogpile, FileLock, Spawn};
use dogpile_redis::{Connect, Redis};

/// Products are fresh for this long: for one minute of the story, and not for two.
const FRESH: Duration = Duration::from_secs(100);
/// All requests of a minute come in one moment, on a machine that may have much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cache of products, whatever is behind it.
pub(crate) type Cache = Region<Arc<dyn DynReadThrough<Value = Bytes>>, MsgPack>;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Every caller asks the database.
    Bare,
    /// A cache in each process: look, and if there is nothing, ask and keep.
    Plain,
    /// The dogpile lock in each process.
    Process,
    /// One store and one lock for all processes of the machine.
    Machine,
    /// Creation in the background.
    Background,
    /// The same on a server, for processes on many machines.
    Server,
}

/// How a stage asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asks {
    /// The database.
    Directly,
    /// `get`, and `set` after a miss.
    WithoutLock,
    /// `get_or_create`.
    WithLock,
    /// `get_or_create_detached`.
    Detached,
}

impl Stage {
    pub(crate) const ALL: [Self; 6] =
        [Self::Bare, Self::Plain, Self::Process, Self::Machine, Self::Background, Self::Server];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "no cache",
            Self::Plain => "a cache in each process",
            Self::Process => "the dogpile lock",
            Self::Machine => "one store and one lock",
            Self::Background => "creation in the background",
            Self::Server => "the same on Redis",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    pub(crate) fn asks(self) -> Asks {
        match self {
            Self::Bare => Asks::Directly,
            Self::Plain => Asks::WithoutLock,
            Self::Process | Self::Machine => Asks::WithLock,
            Self::Background | Self::Server => Asks::Detached,
        }
    }

    /// The cache of this stage; the first stage has one that is not used.
    pub(crate) async fn cache(
        self,
        folder: &Path,
        redis: &str,
        clock: Arc<dyn Clock>,
        spawner: impl Spawn + 'static,
    ) -> Result<Cache, Error> {
        let store: Arc<dyn DynReadThrough<Value = Bytes>> = match self {
            Self::Bare | Self::Plain | Self::Process => {
                Arc::new(Dogpile::local(MemoryBytes::new(64 << 20)))
            }
            Self::Machine | Self::Background => {
                let files = File::open(folder.join("values"))?;
                let lock = FileLock::open(folder.join("locks"))?;
                let dogpile = Dogpile::with_lock(files, lock)
                    .with_background(self == Self::Background)
                    .with_spawner(spawner);
                Arc::new(dogpile)
            }
            Self::Server => {
                let patient = Connect::new()
                    .with_connect_timeout(PATIENCE)
                    .with_response_timeout(PATIENCE)
                    .with_total_timeout(PATIENCE);
                let redis = Redis::connect_with(redis, patient).await?;
                Arc::new(Dogpile::leased(redis).with_background(true).with_spawner(spawner))
            }
        };
        Ok(Region::new(store, MsgPack)
            .expires_after(FRESH)
            .with_lease_for(PATIENCE)
            .with_wait_for(PATIENCE)
            .with_clock(clock))
    }
}
