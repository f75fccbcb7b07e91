//! One connection, shared by all callers.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use dogpile_core::{Error, Result};
use tokio::sync::oneshot;

use super::driver::Driver;
use super::{Command, Opaque, Outgoing, Reply};
use crate::error::{closed, lost};
use crate::socket::{Direct, Socket};

/// A connection to one server, on which any number of callers wait for their replies at once.
///
/// Requests are written in the order in which they come, and so arrive the replies, each with the number
/// of its request. Who gives up waiting leaves its place in the queue, and its reply is dropped when it
/// comes: nobody's answer is ever another's. Whatever goes wrong on the way ends the connection, with an
/// error for all who wait.
///
/// Reading, and writing what cannot be written at once, is done by a task of the runtime in which the
/// connection was made. It ends with the last handle.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    /// Which life of the server it is connected to.
    pub(crate) epoch: u32,
}

pub(crate) struct Shared {
    pub(super) server: Arc<str>,
    pub(super) allowed: Duration,
    state: Mutex<State>,
    /// How many callers wait.
    waiting: AtomicUsize,
}

pub(super) struct State {
    /// The way for callers to write at once.
    direct: Option<Direct>,
    pub(super) out: Outgoing,
    /// How many bytes there have been to write, from the beginning.
    added: usize,
    /// The number of the next command.
    next: Opaque,
    /// The lengths of the commands in it, where they are sent in [flights](State::take_flight).
    lengths: Option<VecDeque<usize>>,
    /// Who waits, in the order of the replies.
    pub(super) queue: VecDeque<Waiting>,
    /// The driver is writing what it took out.
    pub(super) writing: bool,
    /// The driver has been told that there is something to write.
    pub(super) roused: bool,
    /// The driver looks at the clock by itself.
    pub(super) timed: bool,
    pub(super) driver: Option<Waker>,
    /// The handle is gone.
    pub(super) unused: bool,
    pub(super) ended: Option<Failure>,
}

/// The most bytes of a flight of more than one command: they fit in one TLS record, and in the buffer
/// into which a server reads it.
const FLIGHT: usize = 15 * 1024;

impl State {
    fn add(&mut self, command: &Command<'_>) {
        let before = self.out.len();
        command.encode(self.next.take(), &mut self.out);
        let length = self.out.len() - before;
        self.added += length;
        if let Some(lengths) = &mut self.lengths {
            lengths.push_back(length);
        }
    }

    /// How many bytes have been taken to be written, from the beginning.
    fn taken(&self) -> usize {
        self.added - self.out.len()
    }

    /// What is to be written next, and how many replies have to come before anything else is: none, but
    /// by TLS.
    ///
    /// There, servers (1.6.18 among them) wait for the socket while bytes that they have read from it
    /// already wait in their TLS library: of two records that arrive together, the second may lie there
    /// until a third arrives. So a record is sent only after the replies to the one before, with
    /// whatever commands have come meanwhile; one that is longer than a record goes alone, because
    /// servers read the values of those to their end.
    pub(super) fn take_flight(&mut self) -> (Outgoing, usize) {
        let Some(lengths) = &mut self.lengths else { return (std::mem::take(&mut self.out), 0) };
        let (mut bytes, mut count) = (0, 0);
        while let Some(next) = lengths.front()
            && (count == 0 || bytes + next <= FLIGHT)
        {
            bytes += next;
            count += 1;
            lengths.pop_front();
        }
        (self.out.split_to(bytes), count)
    }
}

/// A call that waits.
pub(super) struct Waiting {
    pub(super) due: Instant,
    /// How many bytes there were to be written before its own.
    pub(super) begins: usize,
    pub(super) answer: Answer,
}

/// To whom the replies go; none once they have gone.
pub(super) enum Answer {
    One(Option<oneshot::Sender<Result<Reply, Failure>>>),
    Many {
        left: usize,
        replies: Vec<Reply>,
        to: Option<oneshot::Sender<Result<Vec<Reply>, Failure>>>,
    },
}

/// Why there is no reply.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The other side closed the connection, perhaps before it read the request.
    pub(crate) closed: bool,
    /// Nothing of the request was sent.
    pub(crate) unsent: bool,
}

impl Failure {
    pub(crate) const fn new(error: Error) -> Self {
        Self { error, closed: false, unsent: false }
    }

    pub(super) fn closed(server: &str) -> Self {
        Self { error: closed(server), closed: true, unsent: false }
    }

    pub(super) fn lost(server: &str, error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let closed = matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset);
        Self { error: lost(server, error), closed, unsent: false }
    }
}

impl Connection {
    /// Takes over a stream that is ready for commands. `limit` is the longest value to expect.
    pub(crate) fn start(
        socket: Socket,
        server: Arc<str>,
        epoch: u32,
        allowed: Duration,
        limit: usize,
    ) -> Self {
        let shared = Arc::new(Shared {
            server,
            allowed,
            state: Mutex::new(State {
                direct: socket.direct(),
                out: Outgoing::default(),
                added: 0,
                next: Opaque::default(),
                lengths: socket.is_tls().then(VecDeque::new),
                queue: VecDeque::new(),
                writing: false,
                roused: false,
                timed: false,
                driver: None,
                unused: false,
                ended: None,
            }),
            waiting: AtomicUsize::new(0),
        });
        tokio::spawn(Driver::new(Arc::clone(&shared), socket, limit));
        Self { shared, epoch }
    }

    /// How many callers wait for a reply.
    pub(crate) fn load(&self) -> usize {
        self.shared.waiting.load(Relaxed)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.lock().ended.is_none()
    }

    /// The reply to one command.
    pub(crate) async fn one(&self, command: &Command<'_>) -> Result<Reply, Failure> {
        let (to, reply) = oneshot::channel();
        self.shared.submit(&[*command], Answer::One(Some(to)))?;
        let _waits = Waits::new(&self.shared);
        reply.await.unwrap_or_else(|_| Err(self.shared.why()))
    }

    /// The replies to many commands, in their order.
    pub(crate) async fn all(&self, commands: &[Command<'_>]) -> Result<Vec<Reply>, Failure> {
        let (to, replies) = oneshot::channel();
        let left = commands.len();
        if left == 0 {
            return Ok(Vec::new());
        }
        let answer = Answer::Many { left, replies: Vec::with_capacity(left), to: Some(to) };
        self.shared.submit(commands, answer)?;
        let _waits = Waits::new(&self.shared);
        replies.await.unwrap_or_else(|_| Err(self.shared.why()))
    }

    /// Sends commands whose replies nobody waits for.
    pub(crate) fn send(&self, commands: &[Command<'_>]) {
        let (to, _) = oneshot::channel();
        let answer = Answer::Many { left: commands.len(), replies: Vec::new(), to: Some(to) };
        if !commands.is_empty() {
            let _ = self.shared.submit(commands, answer);
        }
    }

    /// Gives the connection up: a reply was not what it should be, and the next may be anybody's.
    pub(crate) fn condemn(&self, error: Error) {
        self.shared.end(&Failure::new(error));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.shared.lock();
            state.unused = true;
            state.driver.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn why(&self) -> Failure {
        let ended = self.lock().ended.clone();
        ended.unwrap_or_else(|| Failure::closed(&self.server))
    }

    /// Writes at once if nobody else is at it, and otherwise leaves it to the driver, which writes
    /// together what many callers left.
    fn submit(&self, commands: &[Command<'_>], answer: Answer) -> Result<(), Failure> {
        let due = Instant::now() + self.allowed;
        let mut state = self.lock();
        if let Some(failure) = &state.ended {
            return Err(Failure { unsent: true, ..failure.clone() });
        }
        let begins = state.added;
        let idle = state.queue.is_empty() && state.out.is_empty() && !state.writing;
        commands.iter().for_each(|command| state.add(command));
        state.queue.push_back(Waiting { due, begins, answer });
        let State { direct, out, .. } = &mut *state;
        if let (true, Some(direct)) = (idle, direct) {
            match out.write_with(|pieces| direct.try_write(pieces)) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    // The caller that waits in the queue is told with the others.
                    drop(state);
                    self.end(&Failure::lost(&self.server, error));
                    return Ok(());
                }
                _ => {}
            }
        }
        let rouses = !state.out.is_empty() && !state.roused;
        state.roused |= rouses;
        let times = !state.timed;
        state.timed = true;
        let waker = if rouses || times { state.driver.take() } else { None };
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Ends the connection, and tells everybody why.
    pub(super) fn end(&self, failure: &Failure) {
        let (queue, taken, waker) = {
            let mut state = self.lock();
            let taken = state.taken();
            if state.ended.is_none() {
                state.ended = Some(failure.clone());
            }
            state.out = Outgoing::default();
            state.lengths = None;
            state.direct = None;
            (std::mem::take(&mut state.queue), taken, state.driver.take())
        };
        waker.into_iter().for_each(Waker::wake);
        for waiting in queue {
            let unsent = waiting.begins >= taken;
            waiting.answer.fail(&Failure { unsent, ..failure.clone() });
        }
    }
}

impl Answer {
    /// Takes the next reply. Whether it waits for more; if not, it is answered.
    pub(super) fn take(&mut self, reply: Reply) -> bool {
        match self {
            Self::One(to) => {
                to.take().map(|to| to.send(Ok(reply)));
                false
            }
            Self::Many { left, replies, to } => {
                if to.as_ref().is_some_and(|to| !to.is_closed()) {
                    replies.push(reply);
                }
                *left -= 1;
                if *left == 0 {
                    to.take().map(|to| to.send(Ok(std::mem::take(replies))));
                }
                *left > 0
            }
        }
    }

    pub(super) fn fail(self, failure: &Failure) {
        match self {
            Self::One(to) => drop(to.map(|to| to.send(Err(failure.clone())))),
            Self::Many { to, .. } => drop(to.map(|to| to.send(Err(failure.clone())))),
        }
    }
}

/// Counts a caller while it waits.
struct Waits<'s>(&'s Shared);

impl<'s> Waits<'s> {
    fn new(shared: &'s Shared) -> Self {
        shared.waiting.fetch_add(1, Relaxed);
        Self(shared)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}
