//! One region of a configuration.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dogpile_core::{DynReadThrough, Policy, Result};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use super::layers::Layer;
use super::registry::{Opening, Registry, Store};
use super::time::Time;
use super::{AnyCodec, NamedRegion, strict};
use crate::key::{Mangle, Sha1, Sha256, only_when_long};
use crate::{Expiry, Region, WhenDown};

/// The options of a region as they are written.
#[derive(serde::Deserialize)]
#[serde(default)]
pub(super) struct Options {
    backend: Option<String>,
    arguments: Map<String, Value>,
    codec: AnyCodec,
    expires_after: Time,
    hard_deadline: Time,
    jitter: f64,
    layers: Vec<Map<String, Value>>,
    lease_for: Option<Time>,
    mangle: Option<Mangling>,
    observe: bool,
    prefix: String,
    serve_stale: bool,
    version: u32,
    wait_for: Option<Time>,
    when_down: Down,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: None,
            arguments: Map::new(),
            codec: AnyCodec::default(),
            expires_after: Time(None),
            hard_deadline: Time(None),
            jitter: 0.0,
            layers: Vec::new(),
            lease_for: None,
            mangle: None,
            observe: false,
            prefix: "{region}:".to_owned(),
            serve_stale: true,
            version: 0,
            wait_for: None,
            when_down: Down::Error,
        }
    }
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Down {
    Error,
    Miss,
}

/// `sha1`, `sha256`, or either followed by `-when-longer-than-` and a number of bytes.
#[derive(Clone, Copy)]
struct Mangling {
    sha256: bool,
    longer_than: Option<usize>,
}

impl<'de> Deserialize<'de> for Mangling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (hash, longer_than) = match text.split_once("-when-longer-than-") {
            Some((hash, number)) => (hash, Some(number.parse().ok())),
            None => (&*text, None),
        };
        let refused = || {
            D::Error::custom(format!(
                "{text:?} is not \"sha1\", \"sha256\" or, as an example, \"sha256-when-longer-than-200\""
            ))
        };
        let sha256 = match hash {
            "sha1" => false,
            "sha256" => true,
            _ => return Err(refused()),
        };
        let longer_than = longer_than.map(|number| number.ok_or_else(refused)).transpose()?;
        Ok(Self { sha256, longer_than })
    }
}

impl Mangling {
    fn mangler(self) -> Box<dyn Mangle> {
        let at_least = self.longer_than.map_or(0, |longer| longer.saturating_add(1));
        match self.sha256 {
            true => Box::new(only_when_long(at_least, Sha256)),
            false => Box::new(only_when_long(at_least, Sha1)),
        }
    }
}

/// What is written under `[defaults]`, overlaid with what is written for a region.
pub(super) fn inherit(
    defaults: &Map<String, Value>,
    own: Map<String, Value>,
) -> Map<String, Value> {
    let mut all = defaults.clone();
    if own.contains_key("backend") {
        // They were meant for another backend.
        all.remove("arguments");
    }
    for (name, value) in own {
        match (all.get_mut(&name), value) {
            (Some(Value::Object(inherited)), Value::Object(own)) if name == "arguments" => {
                inherited.extend(own);
            }
            (_, value) => {
                all.insert(name, value);
            }
        }
    }
    all
}

impl Options {
    /// Understands the options, and says what is wrong with them.
    pub(super) fn read(table: Map<String, Value>) -> Result<Self, String> {
        let options: Self = strict::read(table.into())?;
        if !(0.0..=1.0).contains(&options.jitter) {
            return Err(format!("`jitter` has to be from 0 to 1, and is {}", options.jitter));
        }
        if let (Time(Some(fresh)), Time(Some(deadline))) =
            (options.expires_after, options.hard_deadline)
            && deadline < fresh
        {
            return Err("`hard_deadline` has to be longer than `expires_after`".to_owned());
        }
        if options.lease_for == Some(Time(Some(Duration::ZERO))) {
            return Err("`lease_for` has to be longer than nothing".to_owned());
        }
        for (name, time) in [("lease_for", options.lease_for), ("wait_for", options.wait_for)] {
            if time == Some(Time(None)) {
                return Err(format!("`{name}` cannot be \"never\""));
            }
        }
        #[cfg(not(any(feature = "metrics", feature = "tracing")))]
        if options.observe {
            return Err("`observe` needs the feature `metrics` or `tracing`".to_owned());
        }
        Ok(options)
    }

    /// Finds what is to be opened.
    pub(super) fn prepare(mut self, registry: &Registry) -> Result<Prepared, String> {
        let Some(backend) = self.backend.take() else {
            let known: Vec<_> = registry.names().map(|name| format!("`{name}`")).collect();
            return Err(format!("it has no `backend` (known: {})", known.join(", ")));
        };
        let opening = registry.prepare(&backend, std::mem::take(&mut self.arguments))?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for (at, layer) in std::mem::take(&mut self.layers).into_iter().enumerate() {
            let layer = Layer::read(layer, registry);
            layers.push(layer.map_err(|refusal| format!("`layers[{at}]`: {refusal}"))?);
        }
        Ok(Prepared { options: self, backend, opening, layers })
    }
}

/// A region that is all right as far as can be told before its backend is opened.
pub(super) struct Prepared {
    options: Options,
    pub(super) backend: String,
    opening: Opening,
    layers: Vec<Layer>,
}

impl Prepared {
    pub(super) async fn open(
        self,
        name: &str,
        lock: &mut (impl FnMut(Store) -> Arc<dyn DynReadThrough<Value = Bytes>> + Send),
    ) -> Result<NamedRegion> {
        let Time(fresh_for) = self.options.expires_after;
        let policy = Policy::new().with_fresh_for(fresh_for);
        let mut store = self.opening.await?;
        for layer in self.layers {
            store = layer.around(store, policy).await?;
        }
        Ok(self.options.apply(name, Region::new(lock(store), self.options.codec)))
    }
}

impl Options {
    fn apply(&self, name: &str, region: NamedRegion) -> NamedRegion {
        let mut region = region
            .with_expiry(self.expires_after.0.map_or(Expiry::never(), Expiry::after))
            .with_jitter(self.jitter)
            .with_version(self.version)
            .with_serve_stale(self.serve_stale)
            .with_prefix(self.prefix.replace("{region}", name))
            .when_down(match self.when_down {
                Down::Error => WhenDown::Error,
                Down::Miss => WhenDown::Miss,
            });
        if let Time(Some(deadline)) = self.hard_deadline {
            region = region.with_hard_deadline(deadline);
        }
        if let Some(Time(Some(d))) = self.wait_for {
            region = region.with_wait_for(d);
        }
        if let Some(Time(Some(d))) = self.lease_for {
            region = region.with_lease_for(d);
        }
        if let Some(mangling) = self.mangle {
            region = region.with_mangler(mangling.mangler());
        }
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        if self.observe {
            region = region.with_observer(Arc::new(crate::layer::Telemetry::new(name)));
        }
        region
    }
}
