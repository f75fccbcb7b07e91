//! Letting commands of callers that call at the same time travel together.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dogpile_core::{Error, ErrorKind, Result};
use redis::{Cmd, Pipeline, Value};
use tokio::sync::oneshot;

use super::{Line, Resend};

/// Gathers what is sent in one turn of the runtime, and sends it as one pipeline: a packet, a timer and
/// a wake for many commands instead of for each.
///
/// While others are under way, the first that comes gathers: it lets the runtime run whoever else is
/// ready, and then sends all that has come. A lone command is sent at once.
#[derive(Default)]
pub(crate) struct Batch {
    queue: Mutex<Queue>,
    /// How many have been sent and not answered.
    under_way: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Cmd, oneshot::Sender<Result<Value>>)>,
    is_gathered: bool,
}

/// More than this go in several pipelines, so that the replies to the first do not wait for the last.
const MOST: usize = 256;

impl Batch {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a command with all others that are sent now.
pub(crate) async fn send(line: &Arc<Line>, command: Cmd) -> Result<Value> {
    let under_way = UnderWay(&line.batch);
    if under_way.0.under_way.fetch_add(1, Relaxed) == 0 {
        return line.send(command, Resend::May).await;
    }
    let (sender, reply) = oneshot::channel();
    let gathers = {
        let mut queue = line.batch.queue();
        queue.waiting.push((command, sender));
        !std::mem::replace(&mut queue.is_gathered, true)
    };
    if gathers {
        let gathering = Gathering(line);
        tokio::task::yield_now().await;
        drop(gathering);
    }
    reply.await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Unavailable, "the runtime that sends commands is shutting down"))
    })
}

/// Counts a command, until it is answered or given up.
struct UnderWay<'a>(&'a Batch);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

/// Sends what was gathered when it is dropped, also if its caller gives up meanwhile.
struct Gathering<'a>(&'a Arc<Line>);

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        let mut waiting = {
            let mut queue = self.0.batch.queue();
            queue.is_gathered = false;
            std::mem::take(&mut queue.waiting)
        };
        // Without a runtime nobody waits either.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(MOST));
            let line = Arc::clone(self.0);
            runtime.spawn(carry(line, std::mem::replace(&mut waiting, rest)));
        }
    }
}

async fn carry(line: Arc<Line>, waiting: Vec<(Cmd, oneshot::Sender<Result<Value>>)>) {
    let mut pipeline = Pipeline::with_capacity(waiting.len());
    let mut senders = Vec::with_capacity(waiting.len());
    for (command, sender) in waiting {
        // Whoever has given up needs no reply.
        if !sender.is_closed() {
            pipeline.add_command(command);
            senders.push(sender);
        }
    }
    if senders.is_empty() {
        return;
    }
    match line.send_many(&pipeline, Resend::May).await {
        Ok(values) => {
            for (sender, value) in senders.into_iter().zip(values) {
                let _ = sender.send(Ok(value));
            }
        }
        Err(error) => {
            for sender in senders {
                let _ = sender.send(Err(error.clone()));
            }
        }
    }
}
