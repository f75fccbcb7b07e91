//! Between a value and what is stored of it.
//!
//! A region is given a [codec](dogpile_core::Codec) once and holds values of any type that the codec
//! takes:
//!
//! | codec | stored form | for | feature |
//! |---|---|---|---|
//! | [`Shared`] | an [`Object`]: the value itself, behind a pointer | many types in this process | |
//! | [`Typed`] | the value itself | one type in this process, at full speed | |
//! | `MsgPack` | MessagePack, with field names | anything that leaves the process | `msgpack` |
//! | `Json` | JSON | what people or other languages read | `json` |
//!
//! The last two take every type that implements serde's `Serialize` and `DeserializeOwned`. A codec
//! of your own is one `impl` of [`Codec`](dogpile_core::Codec).
//!
//! ```
//! use dogpile_cache::codec::Shared;
//! use dogpile_core::Codec;
//!
//! let stored = Shared.encode(&"a value".to_owned())?;
//! let value: String = Shared.decode(&stored)?;
//! assert_eq!(value, "a value");
//! # Ok::<(), dogpile_core::Error>(())
//! ```

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(any(feature = "json", feature = "msgpack"))]
mod path;
mod shared;
mod typed;

#[cfg(feature = "json")]
pub use self::json::Json;
#[cfg(feature = "msgpack")]
pub use self::msgpack::MsgPack;
pub use self::shared::{Object, Shared};
pub use self::typed::Typed;

/// How deep a serialised value may be nested. A reader needs a bound, or hostile bytes exhaust its
/// stack; a writer keeps the same one, so that what is written can be read.
#[cfg(any(feature = "json", feature = "msgpack"))]
const MAX_DEPTH: usize = 127;
