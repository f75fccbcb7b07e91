#![doc = include_str!("../README.md")]

mod blocking;
mod creation;
mod damaged;
mod dogpile;
mod drive;
mod file;
mod flight;
mod local;
mod many;
mod name;
mod paired;
mod primitive;
mod read_fn;
mod reentrant;
mod solo;
mod spawn;
mod step;
mod timer;

pub use crate::blocking::Blocking;
pub use crate::dogpile::Dogpile;
pub use crate::file::FileLock;
pub use crate::local::LocalLock;
pub use crate::paired::Paired;
pub use crate::read_fn::{ReadFn, read_fn};
pub use crate::solo::Solo;
pub use crate::spawn::Spawn;
