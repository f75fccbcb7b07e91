//! Regions by name, from a configuration. Feature `config`.
//!
//! Where values are kept, how long they are fresh and what is wrapped around their backend is often
//! to be decided where the program runs, and not in its code. A [`Config`] is read by serde from
//! any format that describes itself: TOML, JSON, YAML, or a table inside the program's own
//! configuration.
//!
//! ```
//! use dogpile_cache::config::{Config, Regions, Registry, Store};
//! use dogpile_lock::Dogpile;
//! use std::sync::Arc;
//!
//! const CONFIG: &str = r#"
//!     [defaults]
//!     backend = "memory"
//!     expires_after = "5m"
//!     jitter = 0.1
//!
//!     [regions.users]
//!     arguments = { capacity = 10_000_000 }
//!     hard_deadline = "1h"
//!
//!     [regions.pages]
//!     expires_after = "1h 30m"
//!     codec = "json"
//! "#;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let config: Config = toml::from_str(CONFIG)?;
//!     let regions = Regions::build(&config, &Registry::new(), |store| match store {
//!         Store::Backend(backend) => Arc::new(Dogpile::local(backend)),
//!         Store::Leases(leases) => Arc::new(Dogpile::leased(leases)),
//!     })
//!     .await?;
//!
//!     let users = regions.region("users")?;
//!     let name: String = users
//!         .get_or_create(15, || async { Ok::<_, std::io::Error>("Ada".to_owned()) })
//!         .await?;
//!     assert_eq!(name, "Ada");
//!     Ok(())
//! }
//! ```
//!
//! The function given to [`Regions::build`] is where the program decides who creates: it puts each
//! backend behind a dogpile lock.
//!
//! # Options of a region
//!
//! Each region is a table `regions.<name>`. What it does not say is taken from the table `defaults`,
//! and else from here. Arguments are inherited one by one, and only by a region that does not name a
//! backend of its own.
//!
//! | option | value | default |
//! |---|---|---|
//! | `backend` | a name in the [`Registry`] | |
//! | `arguments` | a table, for that backend | none |
//! | `codec` | `"msgpack"` or `"json"` | `"msgpack"` |
//! | `expires_after` | a time, see below | `"never"` |
//! | `hard_deadline` | a time after which stale values are not served | `"never"` |
//! | `jitter` | 0 to 1, see [`with_jitter`](crate::Region::with_jitter) | 0 |
//! | `layers` | a list of layers, see below | none |
//! | `lease_for` | a time, see [`with_lease_for`](crate::Region::with_lease_for) | `"5s"` |
//! | `mangle` | `"sha1"`, `"sha256"`, or as in `"sha256-when-longer-than-200"` (bytes) | none |
//! | `observe` | whether a `Telemetry` of the region's name observes it | `false` |
//! | `prefix` | before every key; `{region}` stands for the region's name | `"{region}:"` |
//! | `serve_stale` | whether a stale value is served while the next is created | `true` |
//! | `version` | of the values, a number | 0 |
//! | `wait_for` | how long to wait for somebody else's creation | `"30s"` |
//! | `when_down` | `"error"` or `"miss"`, see [`WhenDown`](crate::WhenDown) | `"error"` |
//!
//! A time is written `"90s"`, `"5m"`, `"1h 30m"`, `"250ms"`, `"2d"`, or `"never"` where there need
//! be no end, and is at most a thousand years. It is never a bare number.
//!
//! Each region opens a backend of its own. Regions that name the same folder or server share it, and
//! the prefix keeps them apart.
//!
//! # Layers
//!
//! `layers` is a list of tables, the first nearest to the backend; see [`layer`](crate::layer).
//!
//! ```toml
//! layers = [
//!     { compress = "zstd", min_compress_len = 2048, max_size = 10_000_000, level = 3 },
//!     { near = "memory", near_for = "2s", arguments = { capacity = 1_000_000 } },
//!     { observe = "pages" },
//! ]
//! ```
//!
//! - `compress` is `"zstd"` or `"lz4"`, with the features of the same names. Only zstd has a level.
//! - `near` names the backend of the near one of [two tiers](crate::layer::Tiered), and `near_for`
//!   is the time values may be kept there.
//! - `observe` tells metrics and traces about each call, under the name given.
//!
//! # Errors
//!
//! Nothing is guessed and nothing is ignored: an unknown name, a wrong type or a value out of range
//! is [`ErrorKind::Refused`] and says which region, which option, and what is known there.

mod codec;
mod layers;
mod region;
mod registry;
mod strict;
mod time;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use dogpile_core::{DynReadThrough, Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

pub use self::codec::AnyCodec;
pub use self::registry::{Registry, Store};
use crate::Region;

/// A region whose backend, lock and codec were chosen when the program started.
///
/// It takes values that implement serde's `Serialize` and `DeserializeOwned`.
pub type NamedRegion = Region<Arc<dyn DynReadThrough<Value = Bytes>>, AnyCodec>;

/// What a configuration says of regions, not yet looked at.
///
/// Reading it fails only if the text is not well-formed. What it says is judged by
/// [`Regions::build`], which can name the region and the option.
///
/// ```
/// use dogpile_cache::config::Config;
///
/// /// The configuration of a program, in which the cache is one table.
/// #[derive(serde::Deserialize)]
/// struct Program {
///     listen: String,
///     #[serde(default)]
///     cache: Config,
/// }
///
/// let program: Program = toml::from_str(r#"
///     listen = "0.0.0.0:80"
///     [cache.regions.users]
///     backend = "memory"
/// "#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Config(Value);

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

impl fmt::Debug for Config {
    /// The names of the regions: their arguments may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regions = self.0.get("regions").and_then(Value::as_object);
        f.write_str("Config ")?;
        f.debug_set().entries(regions.into_iter().flat_map(Map::keys)).finish()
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Tables {
    defaults: Map<String, Value>,
    regions: BTreeMap<String, Map<String, Value>>,
}

/// The regions of a configuration, open.
#[derive(Clone, Debug)]
pub struct Regions(BTreeMap<String, NamedRegion>);

impl Regions {
    /// Opens all regions of a configuration, in the order of their names.
    ///
    /// `lock` puts the backend of each region behind a dogpile lock. Nothing is opened before the
    /// whole configuration was found to be right.
    ///
    /// # Errors
    /// - [`ErrorKind::Refused`] for a configuration that is not right; see the [module](self).
    /// - The error of a backend that cannot be opened, with the region's name before it.
    pub async fn build(
        config: &Config,
        registry: &Registry,
        mut lock: impl FnMut(Store) -> Arc<dyn DynReadThrough<Value = Bytes>> + Send,
    ) -> Result<Self> {
        let table = match &config.0 {
            Value::Null => Value::Object(Map::new()),
            table => table.clone(),
        };
        let tables: Tables =
            strict::read(table).map_err(|refusal| refused("the cache", &refusal))?;
        region::Options::read(tables.defaults.clone())
            .map_err(|refusal| refused("the defaults", &refusal))?;

        let mut prepared = Vec::with_capacity(tables.regions.len());
        for (name, own) in tables.regions {
            let region = region::Options::read(region::inherit(&tables.defaults, own))
                .and_then(|options| options.prepare(registry))
                .map_err(|refusal| refused(&format!("the region `{name}`"), &refusal))?;
            prepared.push((name, region));
        }

        let mut regions = BTreeMap::new();
        for (name, region) in prepared {
            let backend = region.backend.clone();
            let region = region.open(&name, &mut lock).await.map_err(|error| {
                let message =
                    format!("the backend `{backend}` of the region `{name}` cannot be opened");
                Error::new(error.kind(), message).with_source(error)
            })?;
            regions.insert(name, region);
        }
        Ok(Self(regions))
    }

    /// The region of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if there is none, with the names there are.
    pub fn region(&self, name: &str) -> Result<&NamedRegion> {
        self.0.get(name).ok_or_else(|| {
            Error::new(ErrorKind::Refused, strict::unknown("region", name, self.names()))
        })
    }

    /// The names of all regions, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }
}

fn refused(what: &str, refusal: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("{what}: {refusal}"))
}
