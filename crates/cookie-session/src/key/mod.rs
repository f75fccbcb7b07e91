//! Where keys come from, which of them seals, and what is derived from them.

mod derived;
mod file;
mod ring;
mod root;
mod text;

pub(crate) use self::derived::{Binding, DerivedKey, KEY_ID_BYTES, VERSION};
pub use self::file::{KeyEntry, KeyFile};
pub use self::ring::{KeyRing, KeyState};
pub use self::root::RootKey;
pub(crate) use self::root::no_random_bytes;
