#![cfg_attr(
    // Its programs hide nothing from who copies them: they compile where both frameworks are on.
    any(not(doctest), all(feature = "axum", feature = "actix")),
    doc = include_str!("../README.md")
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "actix")]
pub mod actix;
#[cfg(any(feature = "tower", feature = "actix"))]
mod answer;
#[cfg(feature = "axum")]
mod axum;
mod content;
mod cookie;
mod csrf;
mod error;
mod flash;
pub mod generation;
mod header;
mod hex;
mod key;
mod lifetime;
mod load;
mod map;
mod request;
mod save;
mod session;
mod sessions;
mod state;
mod token;
#[cfg(feature = "tower")]
pub mod tower;
mod typed;

pub use crate::cookie::{Attributes, kind};
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::flash::Flash;
pub use crate::key::{KeyEntry, KeyFile, KeyRing, KeyState, RootKey};
pub use crate::map::Map;
pub use crate::request::{CookieHeaders, RequestSession, ResponseHeaders};
pub use crate::session::Session;
pub use crate::sessions::{SessionOptions, Sessions};
pub use crate::typed::{SessionData, Stored};
