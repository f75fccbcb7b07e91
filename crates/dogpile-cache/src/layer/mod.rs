//! What can be put around a backend.
//!
//! A layer is a wrapper that is what it wraps: around a [`Backend`](dogpile_core::Backend) it is a
//! `Backend`, around a [`LeaseBackend`](dogpile_core::LeaseBackend) it leases, and
//! [`Prefix`], [`Mangled`] and `Observed` also go around a [`Lock`](dogpile_core::Lock) or a
//! [`Counter`](dogpile_core::Counter).
//!
//! | layer | does | feature |
//! |---|---|---|
//! | [`Prefix`] | puts a namespace in front of every key | |
//! | [`Mangled`] | rewrites keys for a store that does not take them as they are | |
//! | `Compress` | compresses large values | `zstd`, `lz4` |
//! | [`Tiered`] | keeps what was read near for a short time | |
//! | [`Sharded`] | spreads keys over many backends, by any `Locator` | |
//! | `Observed` | tells metrics and traces about every call | `metrics`, `tracing` |
//!
//! The first three map keys and values and nothing else. They are plain values that
//! [`layer`](LayerExt::layer) puts around a backend, the first one nearest to it:
//!
//! ```
//! # #[cfg(feature = "zstd")]
//! # fn example() {
//! use dogpile_cache::backend::MemoryBytes;
//! use dogpile_cache::layer::{Compress, LayerExt, Prefix};
//!
//! let backend = MemoryBytes::new(64 << 20).layer(Compress::zstd()).layer(Prefix::new("billing:"));
//! # }
//! ```
//!
//! A region puts a prefix before its keys and mangles them by itself, and where only a region uses
//! the backend that is the better place: its lock sees the same keys then.
//!
//! # A layer of your own
//!
//! A layer that maps keys or values is a [`MapKey`] and a [`Transform`]. This one seals each value
//! with a checksum of its key and its bytes, so that a value that was damaged, or moved to another
//! key, is taken for missing:
//!
//! ```
//! use bytes::Bytes;
//! use dogpile_cache::backend::MemoryBytes;
//! use dogpile_cache::layer::{LayerExt, MapKey, Transform};
//! use dogpile_core::{Backend, BackendExt, Entry, Error, ErrorKind, Key, KeyBuf, Result, Timestamp};
//!
//! #[derive(Clone, Debug)]
//! struct Sealed;
//!
//! /// Fletcher's checksum.
//! fn checksum(key: Key<'_>, value: &[u8]) -> [u8; 8] {
//!     let bytes = key.group().unwrap_or_default().iter().chain(key.as_bytes()).chain(value);
//!     let (a, b) = bytes.fold((1, 0), |(a, b), byte| {
//!         let a = (a + u64::from(*byte)) % 0xffff_fffb;
//!         (a, (a + b) % 0xffff_fffb)
//!     });
//!     (b << 32 | a).to_le_bytes()
//! }
//!
//! impl MapKey for Sealed {
//!     fn key(&self, _: Key<'_>) -> Result<Option<KeyBuf>> {
//!         Ok(None)
//!     }
//! }
//!
//! impl Transform<Bytes> for Sealed {
//!     type Value = Bytes;
//!
//!     fn encode(&self, key: Key<'_>, value: &Bytes) -> Result<Bytes> {
//!         Ok([&value[..], &checksum(key, value)].concat().into())
//!     }
//!
//!     fn decode(&self, key: Key<'_>, mut value: Bytes) -> Result<Bytes> {
//!         let seal = value.len().checked_sub(8).map(|len| value.split_off(len));
//!         match seal {
//!             Some(seal) if seal[..] == checksum(key, &value) => Ok(value),
//!             _ => Err(Error::new(ErrorKind::Corrupt, "the seal is broken")),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let backend = MemoryBytes::new(1 << 20).layer(Sealed);
//! let key = Key::name("page");
//! backend.set(key, Entry::new(Timestamp::MIN, "text".into())).await?;
//! assert_eq!(backend.get(key).await?.map(|entry| entry.value), Some("text".into()));
//!
//! // Somebody writes past the layer.
//! backend.inner().set(key, Entry::new(Timestamp::MIN, "forged".into())).await?;
//! assert_eq!(backend.get(key).await.unwrap_err().kind(), ErrorKind::Corrupt);
//! # Ok(())
//! # }
//! ```
//!
//! A layer that does anything else implements the contracts itself, as [`Tiered`] and `Observed` do.
//! They have no provided methods, so the compiler names what is still missing.

#[cfg(any(feature = "lz4", feature = "zstd"))]
mod compress;
mod layered;
mod mangled;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod observed;
mod prefix;
mod sharded;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod telemetry;
mod tiered;

#[cfg(any(feature = "lz4", feature = "zstd"))]
pub use self::compress::Compress;
pub use self::layered::{LayerExt, Layered, MapKey, Transform};
pub use self::mangled::Mangled;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub use self::observed::Observed;
pub use self::prefix::Prefix;
pub use self::sharded::Sharded;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub use self::telemetry::Telemetry;
pub use self::tiered::Tiered;
