//! Where entries are kept, without a server.
//!
//! | backend | keeps | bounded by | shared by |
//! |---|---|---|---|
//! | [`Memory`] | values as they are | entries, or a weight of your own | this process |
//! | [`MemoryBytes`] | serialised values | bytes | this process |
//! | [`File`] | serialised values, in a folder | bytes on disk | the processes of a machine |
//! | [`Null`] | nothing | | |
//!
//! [`MemoryCounter`] is the counter that goes with them: generations and invalidation within one
//! process.
//!
//! All of them answer at the first poll, so they need no runtime. Servers are backends of other
//! crates.

mod counter;
mod file;
mod memory;
mod memory_bytes;
mod null;

pub use self::counter::MemoryCounter;
pub use self::file::{File, FileStats};
pub use self::memory::Memory;
pub use self::memory_bytes::MemoryBytes;
pub use self::null::Null;
