//! Seeing a creation that waits for itself.
//!
//! Each creation is a [`Turn`]. A task carries the turns it holds, as a chain; a turn remembers what
//! its holder waits for. Whoever is about to wait follows these links, and where one leads back to a
//! turn of its own the wait could never end.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock};

use dogpile_core::{Error, ErrorKind, Result};

use crate::primitive::lock;

/// The right to create one value, as something that can be waited for.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// More than one where a creator waits for several at a time.
    waits_for: Mutex<Vec<Arc<Self>>>,
    /// The turn that its holder had before, in the same task.
    outer: OnceLock<Arc<Self>>,
}

tokio::task_local! {
    /// The innermost turn of a task.
    static HELD: Option<Arc<Turn>>;
}

/// Runs a creation so that everything it does is known to hold `turns`.
pub(crate) async fn holding<F: Future>(
    turns: impl IntoIterator<Item = Arc<Turn>>,
    creation: F,
) -> F::Output {
    let held = turns.into_iter().fold(held(), |outer, turn| {
        outer.into_iter().for_each(|outer| _ = turn.outer.set(outer));
        Some(turn)
    });
    HELD.scope(held, creation).await
}

/// The same creator for another thread, where it is still known to hold the turns of this task.
pub(crate) fn carried<T>(create: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let held = held();
    move || HELD.sync_scope(held, create)
}

/// Announces that this task waits for `turn`, until the guard is dropped.
///
/// # Errors
/// [`ErrorKind::Reentrant`] if that wait could never end.
pub(crate) fn wait_for(turn: &Arc<Turn>) -> Result<Waiting> {
    let waiting = Waiting { held: held(), turn: Arc::clone(turn) };
    waiting.turns().for_each(|held| lock(&held.waits_for).push(Arc::clone(turn)));
    let mut chain = vec![Arc::clone(turn)];
    let mut at = 0;
    while let Some(turn) = chain.get(at).cloned() {
        at += 1;
        if waiting.turns().any(|held| Arc::ptr_eq(held, &turn)) {
            return Err(Error::new(
                ErrorKind::Reentrant,
                "the creator of this key asks for a value that waits for this key: it would wait for ever",
            ));
        }
        for next in lock(&turn.waits_for).iter() {
            if !chain.iter().any(|seen| Arc::ptr_eq(seen, next)) {
                chain.push(Arc::clone(next));
            }
        }
    }
    Ok(waiting)
}

fn held() -> Option<Arc<Turn>> {
    HELD.try_with(Clone::clone).ok().flatten()
}

/// The announcement of a wait.
pub(crate) struct Waiting {
    held: Option<Arc<Turn>>,
    turn: Arc<Turn>,
}

impl Waiting {
    fn turns(&self) -> impl Iterator<Item = &Arc<Turn>> {
        std::iter::successors(self.held.as_ref(), |held| held.outer.get())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        for held in self.turns() {
            let mut waits_for = lock(&held.waits_for);
            if let Some(at) = waits_for.iter().position(|turn| Arc::ptr_eq(turn, &self.turn)) {
                waits_for.swap_remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_cannot_wait_for_itself() {
        let turn = Arc::new(Turn::default());
        holding([Arc::clone(&turn)], async {
            assert_eq!(wait_for(&turn).err().unwrap().kind(), ErrorKind::Reentrant);
            let other = Arc::new(Turn::default());
            assert!(wait_for(&other).is_ok());
            holding([other], async { assert!(wait_for(&turn).is_err()) }).await;
        })
        .await;
        assert!(wait_for(&turn).is_ok());
    }

    #[tokio::test]
    async fn two_tasks_that_wait_for_each_other_are_seen() {
        let (a, b) = (Arc::new(Turn::default()), Arc::new(Turn::default()));
        let first = holding([Arc::clone(&a)], async { wait_for(&b) }).await.ok().unwrap();
        let second = holding([Arc::clone(&b)], async { wait_for(&a).is_err() });
        assert!(second.await, "b waits for a, which waits for b");
        drop(first);
        assert!(holding([b], async { wait_for(&a).is_ok() }).await);
    }
}
