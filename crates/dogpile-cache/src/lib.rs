#![doc = include_str!("../README.md")]

mod clock;
mod region;

pub mod backend;
pub mod codec;
pub mod config;
pub mod key;
pub mod layer;
