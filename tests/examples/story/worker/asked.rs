//! Who is still waiting for what, so that a slow database knows when it has been slow enough.

use std::sync::{Arc, Mutex, PoisonError};

use dogpile_cache::Result;
use dogpile_core::BoxFuture;
use dogpile_lock::Spawn;
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Asked {
    open: Mutex<Open>,
    idle: Notify,
}

/// What is not finished yet.
#[derive(Debug, Default)]
struct Open {
    callers: u64,
    /// Creations in the background.
    creations: u64,
    /// Queries that the database has not answered.
    queries: u64,
    /// The callers that were left when nobody waited for anything but the database.
    waiting: Option<u64>,
}

impl Asked {
    pub(crate) fn begin(&self, callers: u64) {
        self.change(|open| (open.callers, open.waiting) = (callers, None));
    }

    /// Returns when nothing is open any more: how many callers had to wait for the database.
    pub(crate) async fn end(&self) -> u64 {
        loop {
            let idle = self.idle.notified();
            if self.change(|open| open.creations == 0) {
                return self.change(|open| open.waiting).unwrap_or_default();
            }
            idle.await;
        }
    }

    pub(crate) fn answered(&self) {
        self.change(|open| open.callers -= 1);
    }

    pub(crate) fn query(&self) {
        self.change(|open| open.queries += 1);
    }

    pub(crate) fn query_answered(&self) {
        self.change(|open| open.queries -= 1);
    }

    pub(crate) fn spawner(self: &Arc<Self>) -> impl Spawn + use<> {
        Counted(Arc::clone(self))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut open);
        if open.callers + open.creations == open.queries && open.waiting.is_none() {
            open.waiting = Some(open.callers);
            println!("settled");
        }
        answer
    }
}

/// Counts what it runs on the runtime.
struct Counted(Arc<Asked>);

impl Spawn for Counted {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Result<()> {
        let asked = Arc::clone(&self.0);
        asked.change(|open| open.creations += 1);
        tokio::spawn(async move {
            task.await;
            asked.change(|open| open.creations -= 1);
            asked.idle.notify_one();
        });
        Ok(())
    }
}
