//! The layers that a configuration puts around a backend.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{DynBackend, Policy, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::registry::{Opening, Registry, Store};
use super::strict;
use super::time::Time;
use crate::layer::Tiered;
#[cfg(any(feature = "lz4", feature = "zstd"))]
use crate::layer::{Compress, LayerExt};
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::layer::{Observed, Telemetry};

/// One table of `layers`, understood.
pub(super) enum Layer {
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    Compress(Compress),
    Near {
        near: Opening,
        near_for: Duration,
    },
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    Observe(Telemetry),
}

const KINDS: [&str; 3] = ["compress", "near", "observe"];

impl Layer {
    pub(super) fn read(table: Map<String, Value>, registry: &Registry) -> Result<Self, String> {
        let mut kinds = KINDS.into_iter().filter(|kind| table.contains_key(*kind));
        match (kinds.next(), kinds.next()) {
            (Some("compress"), None) => compress(&strict::read(table.into())?),
            (Some("near"), None) => near(strict::read(table.into())?, registry),
            (Some(_), None) => observe(&strict::read(table.into())?),
            (Some(one), Some(other)) => {
                Err(format!("`{one}` and `{other}` are two layers: give each a table of its own"))
            }
            (None, _) => match table.keys().next() {
                Some(name) => Err(strict::unknown("layer", name, KINDS)),
                None => Err(format!("a layer needs a name: {}", KINDS.join(", "))),
            },
        }
    }

    /// The store behind this layer. `policy` is what plain reads of the region accept.
    pub(super) async fn around(self, store: Store, policy: Policy) -> Result<Store> {
        Ok(match self {
            #[cfg(any(feature = "lz4", feature = "zstd"))]
            Self::Compress(compress) => match store {
                Store::Backend(backend) => Store::backend(backend.layer(compress)),
                Store::Leases(leases) => Store::leases(leases.layer(compress)),
            },
            Self::Near { near, near_for } => {
                let near: Arc<dyn DynBackend<Value = Bytes>> = match near.await? {
                    Store::Backend(backend) => backend,
                    Store::Leases(leases) => leases,
                };
                match store {
                    Store::Backend(far) => {
                        Store::backend(Tiered::new(near, far, near_for).with_policy(policy))
                    }
                    Store::Leases(far) => {
                        Store::leases(Tiered::new(near, far, near_for).with_policy(policy))
                    }
                }
            }
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            Self::Observe(telemetry) => match store {
                Store::Backend(backend) => Store::backend(Observed::new(backend, telemetry)),
                Store::Leases(leases) => Store::leases(Observed::new(leases, telemetry)),
            },
        })
    }
}

#[derive(Deserialize)]
#[cfg_attr(
    not(any(feature = "lz4", feature = "zstd")),
    expect(dead_code, reason = "it is refused")
)]
struct CompressOptions {
    compress: Algorithm,
    level: Option<i32>,
    min_compress_len: Option<usize>,
    max_size: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    Lz4,
    Zstd,
}

fn compress(options: &CompressOptions) -> Result<Layer, String> {
    match options.compress {
        #[cfg(feature = "lz4")]
        Algorithm::Lz4 if options.level.is_some() => Err("`lz4` has no `level`".to_owned()),
        #[cfg(feature = "lz4")]
        Algorithm::Lz4 => Ok(options.complete(Compress::lz4())),
        #[cfg(feature = "zstd")]
        Algorithm::Zstd => match options.level {
            None => Ok(options.complete(Compress::zstd())),
            Some(level @ 1..=22) => Ok(options.complete(Compress::zstd_level(level))),
            Some(level) => Err(format!("`level` has to be from 1 to 22, and is {level}")),
        },
        #[cfg(not(feature = "lz4"))]
        Algorithm::Lz4 => Err("this program is built without the feature `lz4`".to_owned()),
        #[cfg(not(feature = "zstd"))]
        Algorithm::Zstd => Err("this program is built without the feature `zstd`".to_owned()),
    }
}

impl CompressOptions {
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    fn complete(&self, mut compress: Compress) -> Layer {
        if let Some(bytes) = self.min_compress_len {
            compress = compress.with_min_compress_len(bytes);
        }
        if let Some(bytes) = self.max_size {
            compress = compress.with_max_size(bytes);
        }
        Layer::Compress(compress)
    }
}

#[derive(Deserialize)]
struct NearOptions {
    near: String,
    near_for: Time,
    #[serde(default)]
    arguments: Map<String, Value>,
}

fn near(options: NearOptions, registry: &Registry) -> Result<Layer, String> {
    let Time(Some(near_for)) = options.near_for else {
        return Err("`near_for` cannot be \"never\": what others write would never be seen".into());
    };
    Ok(Layer::Near { near: registry.prepare(&options.near, options.arguments)?, near_for })
}

#[derive(Deserialize)]
struct ObserveOptions {
    observe: String,
}

fn observe(options: &ObserveOptions) -> Result<Layer, String> {
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    return Ok(Layer::Observe(Telemetry::new(&*options.observe)));
    #[cfg(not(any(feature = "metrics", feature = "tracing")))]
    Err(format!("to observe {:?}, build with the feature `metrics` or `tracing`", options.observe))
}
