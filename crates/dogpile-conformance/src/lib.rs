#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod faulty;
mod poll;
mod sample;
mod subject;
mod suite;

pub mod backend;
pub mod codec;
pub mod counter;
#[cfg(feature = "sessions")]
pub mod generation;
pub mod lease;
pub mod locator;
pub mod lock;
#[cfg(feature = "sessions")]
pub mod monotonic;
pub mod read_through;
pub mod torture;
pub mod wrong;

pub use crate::clock::ManualClock;
pub use crate::faulty::Faulty;
pub use crate::poll::poll_then_drop;
pub use crate::sample::Sample;
pub use crate::subject::Subject;
pub use crate::suite::run;
