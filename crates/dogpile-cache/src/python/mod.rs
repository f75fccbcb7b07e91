//! One cache for Rust and Python: the keys and the stored form of dogpile.cache 1.5.
//!
//! A Python service that gives its region a JSON serializer, and a Rust service that speaks this
//! module, read and write each other's values. Both have to agree on three things:
//!
//! | | Python | Rust |
//! |---|---|---|
//! | the key | `function_key_generator` and its relatives | [`FunctionKey`] |
//! | the mangled key | `sha1_mangle_key`, `length_conditional_mangler` | [`key::Sha1`](crate::key), [`only_when_long`] |
//! | the stored form | the region's own envelope, `serializer=json.dumps` as bytes | [`PythonWire`] around the backend, the codec `Json`, and version [`VERSION`] |
//!
//! ```python
//! region = make_region(
//!     serializer=lambda value: json.dumps(value).encode(),
//!     deserializer=json.loads,
//! ).configure("dogpile.cache.redis", expiration_time=300)
//! ```
//!
//! ```
//! # #[cfg(feature = "json")]
//! # async fn example() -> Result<(), dogpile_cache::Error> {
//! use dogpile_cache::python::{FunctionKey, PythonWire, VERSION};
//! use dogpile_cache::{Region, backend::MemoryBytes, codec::Json};
//! use dogpile_lock::Dogpile;
//! use std::time::Duration;
//!
//! # let raw_backend = MemoryBytes::new(1_000);
//! let region = Region::new(Dogpile::local(PythonWire::new(raw_backend)), Json)
//!     .with_version(VERSION)
//!     .expires_after(Duration::from_secs(300));
//!
//! // What Python cached for `load_user(15)` in the module `myapp.users`.
//! let user: Option<String> = region.get(FunctionKey::new("myapp.users", "load_user").of(&[&15])).await?;
//! # Ok(())
//! # }
//! ```

mod keys;
mod number;
mod wire;

pub use self::keys::{FunctionKey, OnlyWhenLong, PythonStr, only_when_long};
pub use self::wire::{PythonWire, VERSION};
