//! The database: it counts what it is asked, and it can be slow, or away.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weather {
    /// Nobody has anything yet: it answers as fast as it can.
    ColdStart,
    /// It answers when everybody else has been served, or waits for it too.
    Well,
    /// The same, and it takes its time.
    Slow,
    /// It answers nothing, until the connection's time is up.
    Away,
}

/// Clones are the same database.
#[derive(Clone)]
pub(crate) struct Database(Arc<Mutex<State>>);

struct State {
    queries: u64,
    weather: Weather,
    /// Whether queries are kept waiting.
    holds: bool,
    held: Vec<Query>,
    connections: Vec<BufWriter<TcpStream>>,
}

struct Query {
    connection: usize,
    id: u64,
    product: u64,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            queries: 0,
            weather: Weather::ColdStart,
            holds: false,
            held: Vec::new(),
            connections: Vec::new(),
        })))
    }

    /// Takes the connections of so many clients, and serves each on a thread until it hangs up.
    pub(crate) fn serve(&self, listener: &TcpListener, clients: usize) -> std::io::Result<()> {
        for connection in 0..clients {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            self.with(|state| -> std::io::Result<()> {
                state.connections.push(BufWriter::new(stream.try_clone()?));
                Ok(())
            })?;
            let database = self.clone();
            std::thread::spawn(move || database.listen(connection, stream));
        }
        Ok(())
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.with(|state| {
            state.weather = weather;
            state.holds = weather != Weather::ColdStart;
        });
    }

    /// Answers what was kept waiting, and until the weather changes whatever comes.
    pub(crate) fn release(&self) {
        self.with(|state| {
            state.holds = false;
            for query in std::mem::take(&mut state.held) {
                state.answer(&query);
            }
            state.flush();
        });
    }

    /// How often it was asked since it was last wanted to know.
    pub(crate) fn take_queries(&self) -> u64 {
        self.with(|state| std::mem::take(&mut state.queries))
    }

    fn listen(&self, connection: usize, stream: TcpStream) {
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
            let mut numbers = line.trim_end().split(' ').map(|number| number.parse().unwrap_or(0));
            let id = numbers.next().unwrap_or(0);
            let query = Query { connection, id, product: numbers.next().unwrap_or(0) };
            line.clear();
            let more = !lines.buffer().is_empty();
            self.with(|state| {
                state.queries += 1;
                if state.holds {
                    state.held.push(query);
                } else {
                    state.answer(&query);
                }
                if !more {
                    state.flush();
                }
            });
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// A client that hung up is told nothing.
    fn answer(&mut self, query: &Query) {
        let Query { connection, id, product } = query;
        let out = &mut self.connections[*connection];
        let _ = match self.weather {
            Weather::Away => writeln!(out, "{id} "),
            _ => writeln!(out, "{id} product {product}"),
        };
    }

    fn flush(&mut self) {
        self.connections.iter_mut().for_each(|out| _ = out.flush());
    }
}
