//! Implementations that are wrong in exactly one way each, to prove that the suites see it.
//!
//! Each has a list of flaws. Built without a flaw it is a plain, sound implementation, and passes its
//! suite; built with one it breaks the properties that the flaw names, and no other.
//!
//! ```
//! use dogpile_conformance::wrong::{BackendFlaw, WrongBackend};
//! use dogpile_conformance::{ManualClock, Subject, backend};
//! use std::panic::catch_unwind;
//!
//! let flaw = BackendFlaw::ShortensNames;
//! assert_eq!(flaw.breaks(), ["long_names_are_told_apart"]);
//!
//! let broken = catch_unwind(|| {
//!     dogpile_conformance::run(async {
//!         let subject = Subject::new(WrongBackend::new(Some(flaw), ManualClock::new()));
//!         backend::long_names_are_told_apart(&subject).await;
//!     });
//! });
//! assert!(broken.is_err());
//! ```

mod backend;
mod codec;
mod counter;
#[cfg(feature = "sessions")]
mod generation;
mod lease;
mod locator;
mod lock;
mod read_through;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::backend::{BackendFlaw, WrongBackend};
pub use self::codec::{CodecFlaw, WrongCodec};
pub use self::counter::{CounterFlaw, WrongCounter};
#[cfg(feature = "sessions")]
pub use self::generation::{GenerationFlaw, MonotonicFlaw, WrongGenerations};
pub use self::lease::{LeaseFlaw, WrongLeaseBackend};
pub use self::locator::{LocatorFlaw, WrongLocator};
pub use self::lock::{LockFlaw, WrongLock};
pub use self::read_through::{ReadThroughFlaw, WrongReadThrough};

/// Declares the flaws of one contract, each with the properties it breaks.
macro_rules! flaws {
    ($(#[$doc:meta])* $name:ident { $($(#[$flaw_doc:meta])* $flaw:ident => $($property:ident)+,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$flaw_doc])* $flaw,)+
        }

        impl $name {
            /// Every flaw there is.
            pub const ALL: &[Self] = &[$(Self::$flaw),+];

            /// The properties that fail on an implementation with this flaw; the first is the one it
            /// is made for.
            #[must_use]
            pub fn breaks(self) -> &'static [&'static str] {
                match self {
                    $(Self::$flaw => &[$(stringify!($property)),+],)+
                }
            }
        }
    };
}
use flaws;

/// A lock that a panicking property does not spoil.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
