//! Numbers on the server that say which tokens still count.
//!
//! A cookie that was handed out cannot be taken back. What can be changed is a number on the server
//! that the cookie has to match: its generation. Raise the number, and every token of an older
//! generation is void.

mod counter;
mod judge;
mod memory;
mod options;
mod store;
mod timer;

pub use self::counter::OverCounter;
pub(crate) use self::judge::{Standing, is_just_now, judge};
pub use self::memory::MemoryStore;
pub use self::options::{Conflict, Generations, Outage, Resolution};
pub(crate) use self::store::DynGenerationStore;
pub use self::store::{Advance, Generation, GenerationStore, MonotonicStore};
pub use self::timer::Timer;
