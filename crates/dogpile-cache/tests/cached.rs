//! `#[cached]`: what it caches, under which key, and what stands beside the function.
#![cfg(feature = "macros")]

#[path = "cached/support.rs"]
mod support;

#[path = "cached/companions.rs"]
mod companions;
#[path = "cached/errors.rs"]
mod errors;
#[path = "cached/flights.rs"]
mod flights;
#[path = "cached/keys.rs"]
mod keys;
#[path = "cached/methods.rs"]
mod methods;
#[path = "cached/options.rs"]
mod options;
#[path = "cached/signatures.rs"]
mod signatures;
