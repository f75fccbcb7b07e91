//! What a region promises, by topic, on an injected clock.

mod create;
mod damage;
mod down;
mod expiry;
mod invalidation;
mod keys;
mod many;
mod options;
mod race;
mod support;
mod write;
