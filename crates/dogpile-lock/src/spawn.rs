//! Running a creation that may outlive its caller.

use std::fmt;

use dogpile_core::{BoxFuture, Error, ErrorKind, Result};

/// Something that runs futures: a runtime, or a queue of work.
///
/// Nothing is spawned unless a caller asks for a detached creation.
pub trait Spawn: Send + Sync {
    /// Starts to run `task`, and returns at once.
    ///
    /// # Errors
    /// If it cannot: the creation is then given up, and its caller told.
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<()>;
}

/// A runtime of your own choice: `Dogpile::local(backend).with_spawner(runtime.handle().clone())`.
impl Spawn for tokio::runtime::Handle {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<()> {
        Self::spawn(self, task);
        Ok(())
    }
}

/// The runtime of whoever calls.
pub(crate) struct TokioSpawn;

impl Spawn for TokioSpawn {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<()> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|none| {
            let what = "a detached creation needs something to run it: call it from a tokio runtime, or choose one \
                        with Dogpile::with_spawner";
            Error::new(ErrorKind::Refused, what).with_source(none)
        })?;
        runtime.spawn(task);
        Ok(())
    }
}

impl fmt::Debug for dyn Spawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawn")
    }
}
