//! The backends a configuration may name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use dogpile_core::{Backend, BoxFuture, DynBackend, DynLeaseBackend, LeaseBackend, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::strict;
use crate::backend::{File, MemoryBytes, Null};

/// What a factory opens: a backend of bytes, with or without leases of its own.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a program says what it does with each of them")]
pub enum Store {
    /// A backend that leases nothing: it needs a lock.
    Backend(Arc<dyn DynBackend<Value = Bytes>>),
    /// A backend that leases, or one that was paired with a lock.
    Leases(Arc<dyn DynLeaseBackend<Value = Bytes>>),
}

impl Store {
    /// A backend that leases nothing.
    pub fn backend(backend: impl Backend<Value = Bytes> + 'static) -> Self {
        Self::Backend(Arc::new(backend))
    }

    /// A backend that leases.
    pub fn leases(backend: impl LeaseBackend<Value = Bytes> + 'static) -> Self {
        Self::Leases(Arc::new(backend))
    }
}

/// Backends by name, each with the function that opens it.
///
/// | name | arguments | opens |
/// |---|---|---|
/// | `memory` | `capacity` in bytes (64 MiB) | a [`MemoryBytes`] |
/// | `file` | `folder`, `capacity` in bytes (1 GiB), `max_value` in bytes (a tenth of it), `sync` (false) | a [`File`] |
/// | `null` | | a [`Null`] |
///
/// A backend of another crate, or of your own, [registers](Self::register) a function that takes the
/// table of arguments as a type of its own.
#[derive(Clone)]
pub struct Registry(BTreeMap<String, Arc<Factory>>);

type Factory = dyn Fn(Value) -> Result<Opening, String> + Send + Sync;

/// A backend whose arguments were understood, about to be opened.
pub(super) type Opening = BoxFuture<'static, Result<Store>>;

impl Registry {
    /// The backends of this crate.
    #[must_use]
    pub fn new() -> Self {
        Self(BTreeMap::new())
            .register("memory", |arguments: MemoryArguments| async move {
                Ok(Store::backend(MemoryBytes::new(arguments.capacity)))
            })
            .register("file", |arguments: FileArguments| async move {
                let file = File::open(arguments.folder)?
                    .with_capacity(arguments.capacity.unwrap_or(File::DEFAULT_CAPACITY))
                    .with_sync(arguments.sync);
                Ok(Store::backend(match arguments.max_value {
                    Some(bytes) => file.with_max_value(bytes),
                    None => file,
                }))
            })
            .register("null", |_: NoArguments| async { Ok(Store::backend(Null::<Bytes>::new())) })
    }

    /// Adds a backend, or replaces the one of this name.
    ///
    /// `open` is called once for each region that names it, with its arguments. An argument that
    /// the struct `A` has no field for is refused, with a list of those it has.
    ///
    /// ```
    /// use dogpile_cache::config::{Registry, Store};
    /// use dogpile_cache::backend::File;
    /// use dogpile_lock::{FileLock, Paired};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Shared {
    ///     folder: std::path::PathBuf,
    /// }
    ///
    /// // A folder that several processes share, with a lock that they share.
    /// let registry = Registry::new().register("shared-file", |arguments: Shared| async move {
    ///     let file = File::open(arguments.folder.join("values"))?;
    ///     let lock = FileLock::open(arguments.folder.join("locks"))?;
    ///     Ok(Store::leases(Paired::new(file, lock)))
    /// });
    /// assert!(registry.names().any(|name| name == "shared-file"));
    /// ```
    #[must_use]
    pub fn register<A, F, Fut>(mut self, name: impl Into<String>, open: F) -> Self
    where
        A: DeserializeOwned,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Store>> + Send + 'static,
    {
        let factory = move |arguments| -> Result<Opening, String> {
            Ok(Box::pin(open(strict::read(arguments)?)))
        };
        self.0.insert(name.into(), Arc::new(factory));
        self
    }

    /// The names of all backends, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    /// The backend of this name with these arguments, to be opened.
    pub(super) fn prepare(
        &self,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Opening, String> {
        let factory =
            self.0.get(name).ok_or_else(|| strict::unknown("backend", name, self.names()))?;
        factory(arguments.into())
            .map_err(|refusal| format!("arguments of the backend `{name}`: {refusal}"))
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct MemoryArguments {
    capacity: u64,
}

impl Default for MemoryArguments {
    fn default() -> Self {
        Self { capacity: 64 << 20 }
    }
}

#[derive(Deserialize)]
struct FileArguments {
    folder: PathBuf,
    capacity: Option<u64>,
    max_value: Option<u64>,
    #[serde(default)]
    sync: bool,
}

#[derive(Deserialize)]
struct NoArguments {}
