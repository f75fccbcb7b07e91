//! What generated code calls. It writes little more than these calls, so that the real work is
//! ordinary code.

use dogpile_core::ToKey;
pub use dogpile_core::{Error, Key, KeyBuf, KeyWriter};

pub use super::errors::{
    CachedError, Errors, ErrorsOf, IsNoResult, KeptByItsMaker, NoResult, Plain,
};
pub use super::many::{
    Answers, get_many, get_map, get_or_create_many, get_or_create_many_plain, invalidate_many,
    refresh_many, refresh_many_plain, set_many,
};
pub use super::one::{
    at_hand, get, get_or_create, get_or_create_detached, get_or_create_plain,
    get_or_create_plain_detached, invalidate, refresh, refresh_plain, set,
};
use crate::{Expiry, Region};

/// The region an expression leads to, through whatever dereferences.
pub fn region<R, C>(region: &Region<R, C>) -> &Region<R, C> {
    region
}

/// A key that borrows nothing, because the arguments are about to be moved.
pub fn owned(key: &(impl ToKey + ?Sized)) -> KeyBuf {
    key.to_key().as_key().into()
}

pub fn expiry(expiry: impl Into<Expiry>) -> Expiry {
    expiry.into()
}

pub fn expiry_of<T, X: Into<Expiry>>(value: &T, of: impl FnOnce(&T) -> X) -> Expiry {
    of(value).into()
}

pub fn should_cache<T>(value: &T, predicate: impl FnOnce(&T) -> bool) -> bool {
    predicate(value)
}
