//! Letting commands of callers that call at the same time travel together.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dogpile_core::{BoxFuture, Error, ErrorKind, Result};
use redis::{Cmd, Pipeline, Value};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

use super::{Line, Resend, runtime};

/// Gathers what is sent in one turn of the runtime, and sends it as one pipeline: a packet, a timer and
/// a wake for many commands instead of for each.
///
/// While others are under way, the first that comes gathers: it lets the runtime run whoever else is
/// ready, and then sends all that has come. A lone command is sent at once.
#[derive(Default)]
pub(crate) struct Batch {
    /// One for each runtime on which somebody gathers: a runtime that stands still holds up its own.
    queues: Mutex<Vec<Queue>>,
    /// How many have been sent and not answered.
    under_way: AtomicUsize,
}

struct Queue {
    runtime: Id,
    waiting: Vec<Waiting>,
}

type Waiting = (Cmd, oneshot::Sender<Result<Value>>);

/// More than this go in several pipelines, so that the replies to the first do not wait for the last.
const MOST: usize = 256;

impl Batch {
    /// Adds a command to those that are gathered on a runtime. Whether it is the first.
    fn add(&self, runtime: Id, waiting: Waiting) -> bool {
        let mut queues = self.queues();
        if let Some(queue) = queues.iter_mut().find(|queue| queue.runtime == runtime) {
            queue.waiting.push(waiting);
            return false;
        }
        queues.push(Queue { runtime, waiting: vec![waiting] });
        true
    }

    /// Takes what was gathered on a runtime.
    fn take(&self, runtime: Id) -> Vec<Waiting> {
        let mut queues = self.queues();
        let at = queues.iter().position(|queue| queue.runtime == runtime);
        at.map(|at| queues.swap_remove(at).waiting).unwrap_or_default()
    }

    fn queues(&self) -> MutexGuard<'_, Vec<Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a command with all others that are sent now: it is among them once this returns, so that
/// who waits for the reply keeps no more than that.
pub(crate) fn send(line: &Arc<Line>, command: Cmd) -> impl Future<Output = Result<Value>> + Send {
    let under_way = UnderWay(&line.batch);
    let is_alone = line.batch.under_way.fetch_add(1, Relaxed) == 0;
    let way = runtime().map(|runtime| match is_alone {
        true => Way::Alone(Box::pin(line.send(command, Resend::May))),
        false => Way::join(line, runtime, command),
    });
    async move {
        let _under_way = under_way;
        match way? {
            Way::Alone(reply) => reply.await,
            Way::Together { reply, gathering } => {
                if gathering.is_some() {
                    tokio::task::yield_now().await;
                    drop(gathering);
                }
                reply.await.unwrap_or_else(|_| Err(shutting_down()))
            }
        }
    }
}

/// How a command goes.
enum Way<'a> {
    Alone(BoxFuture<'a, Result<Value>>),
    Together {
        reply: oneshot::Receiver<Result<Value>>,
        /// The first gathers the others.
        gathering: Option<Gathering<'a>>,
    },
}

impl<'a> Way<'a> {
    fn join(line: &'a Arc<Line>, runtime: Handle, command: Cmd) -> Self {
        let (sender, reply) = oneshot::channel();
        let is_first = line.batch.add(runtime.id(), (command, sender));
        Self::Together { reply, gathering: is_first.then(|| Gathering { line, runtime }) }
    }
}

fn shutting_down() -> Error {
    Error::new(ErrorKind::Unavailable, "the runtime that sends commands is shutting down")
}

/// Counts a command, until it is answered or given up.
struct UnderWay<'a>(&'a Batch);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

/// Sends what was gathered when it is dropped, also if its caller gives up meanwhile.
struct Gathering<'a> {
    line: &'a Arc<Line>,
    runtime: Handle,
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        let mut waiting = self.line.batch.take(self.runtime.id());
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(MOST));
            let line = Arc::clone(self.line);
            self.runtime.spawn(carry(line, std::mem::replace(&mut waiting, rest)));
        }
    }
}

async fn carry(line: Arc<Line>, waiting: Vec<Waiting>) {
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
