//! What reads a connection, and writes what callers could not write themselves.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::AsyncWrite;
use tokio::time::Sleep;

use super::connection::{Failure, Shared, Waiting};
use super::{Malformed, Opaque, Outgoing, Parser};
use crate::error::{garbled, unanswered};
use crate::socket::Socket;

/// The task of one connection.
pub(super) struct Driver {
    shared: Arc<Shared>,
    socket: Socket,
    parser: Parser,
    input: BytesMut,
    /// The number of the next answer.
    next: Opaque,
    /// Who waits for more replies than have come.
    current: Option<Waiting>,
    clock: Pin<Box<Sleep>>,
    /// It has let other tasks run since it was told to write.
    yielded: bool,
    /// TLS keeps what it was given until it is flushed.
    unflushed: bool,
    /// What could not be written yet of what was taken to be written.
    rest: Outgoing,
    /// How many replies have to come before anything else is written.
    flight: usize,
}

const BUFFER: usize = 64 * 1024;

enum Step {
    On,
    Wait,
    Over,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, socket: Socket, limit: usize) -> Self {
        Self {
            shared,
            socket,
            parser: Parser::new(limit),
            input: BytesMut::with_capacity(BUFFER),
            next: Opaque::default(),
            current: None,
            clock: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            yielded: false,
            unflushed: false,
            rest: Outgoing::default(),
            flight: 0,
        }
    }

    /// Keeps the clock wound up while somebody waits.
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        loop {
            if self.clock.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            let due = {
                let mut state = self.shared.lock();
                let first = self.current.as_ref().or_else(|| state.queue.front());
                let due = first.map(|waiting| waiting.due);
                state.timed = due.is_some();
                due
            };
            match due {
                None => return Ok(()),
                Some(due) if due > Instant::now() => self.clock.as_mut().reset(due.into()),
                Some(_) => {
                    return Err(Failure::new(unanswered(&self.shared.server, self.shared.allowed)));
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<Step, Failure> {
        if self.rest.is_empty() {
            let mut state = self.shared.lock();
            if state.out.is_empty() || self.flight > 0 {
                state.roused = !state.out.is_empty();
                if !self.unflushed {
                    return Ok(Step::On);
                }
            } else if state.roused && !self.yielded {
                // Other callers that are ready now write into the same packet.
                self.yielded = true;
                cx.waker().wake_by_ref();
                return Ok(Step::Wait);
            } else {
                state.writing = true;
                (self.rest, self.flight) = state.take_flight();
            }
        }
        self.yielded = false;
        let mut wrote = Ok(Step::On);
        while !self.rest.is_empty() {
            let written = self.rest.write_with(|pieces| {
                match Pin::new(&mut self.socket).poll_write_vectored(cx, pieces) {
                    Poll::Ready(written) => written,
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            });
            self.unflushed = true;
            match written {
                Ok(0) => wrote = Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wrote = Ok(Step::Wait),
                Err(error) => wrote = Err(error),
            }
            break;
        }
        if self.unflushed && wrote.is_ok() {
            match Pin::new(&mut self.socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => wrote = Err(error),
                Poll::Pending => {}
            }
        }
        let mut state = self.shared.lock();
        state.writing = !self.rest.is_empty();
        state.roused = !state.out.is_empty();
        self.yielded = state.roused;
        drop(state);
        if self.yielded && self.flight == 0 && matches!(wrote, Ok(Step::On)) {
            // It came while the rest was written, and nobody woke this task for it.
            cx.waker().wake_by_ref();
        }
        wrote.map_err(|error| Failure::lost(&self.shared.server, error))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<Step, Failure> {
        if self.input.is_empty() && self.input.capacity() > 4 * BUFFER {
            self.input = BytesMut::with_capacity(BUFFER);
        }
        let room = self.parser.missing(&self.input).clamp(BUFFER / 4, 4 * BUFFER);
        self.input.reserve(room);
        match self.socket.poll_fill(cx, &mut self.input) {
            Poll::Pending => return Ok(Step::Wait),
            Poll::Ready(Err(error)) => return Err(Failure::lost(&self.shared.server, error)),
            Poll::Ready(Ok(0)) => return Err(Failure::closed(&self.shared.server)),
            Poll::Ready(Ok(_)) => {}
        }
        loop {
            match self.parser.next(&mut self.input, self.current.is_some()) {
                Ok(Some(reply)) => {
                    self.flight = self.flight.saturating_sub(1);
                    if !reply.answers(self.next.take()) {
                        let what = format!("{:?} in answer to another question", reply.status);
                        return Err(Failure::new(garbled(&self.shared.server, what)));
                    }
                    let waiting = match &mut self.current {
                        Some(waiting) => waiting,
                        none => none.insert(next_waiting(&self.shared)?),
                    };
                    if !waiting.answer.take(reply) {
                        self.current = None;
                    }
                }
                Ok(None) => return Ok(Step::On),
                Err(Malformed(what)) => {
                    return Err(Failure::new(garbled(&self.shared.server, what)));
                }
            }
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Result<Step, Failure> {
        {
            let mut state = self.shared.lock();
            if state.ended.is_some() || state.unused {
                return Ok(Step::Over);
            }
            if !state.driver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                state.driver = Some(cx.waker().clone());
            }
        }
        let wrote = self.poll_write(cx)?;
        let read = self.poll_read(cx)?;
        if matches!(read, Step::Wait) {
            // What has arrived is not late, however late this task comes to read it.
            self.poll_clock(cx)?;
        }
        Ok(match (wrote, read) {
            (_, Step::On) => Step::On,
            _ => Step::Wait,
        })
    }
}

fn next_waiting(shared: &Shared) -> Result<Waiting, Failure> {
    let waiting = shared.lock().queue.pop_front();
    waiting.ok_or_else(|| Failure::new(garbled(&shared.server, "it answers what nobody asked")))
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        loop {
            match driver.step(cx) {
                Ok(Step::On) => {}
                Ok(Step::Wait) => return Poll::Pending,
                Ok(Step::Over) => return Poll::Ready(()),
                Err(failure) => {
                    if let Some(waiting) = driver.current.take() {
                        waiting.answer.fail(&failure);
                    }
                    driver.shared.end(&failure);
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl Drop for Driver {
    /// However it ends, also with its runtime: nobody waits for what will not come.
    fn drop(&mut self) {
        let failure = Failure::closed(&self.shared.server);
        if let Some(waiting) = self.current.take() {
            waiting.answer.fail(&failure);
        }
        self.shared.end(&failure);
    }
}
