//! A server that can be made to answer anything, or nothing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::resp::{Place, Stream};

/// Stands before a real server, and passes everything on until it is told to lie.
pub struct Liar {
    port: u16,
    shared: Arc<Shared>,
}

/// What is answered instead of what the server would say. The server is not asked.
#[derive(Clone, Debug, Default)]
pub enum Lie {
    /// The truth.
    #[default]
    No,
    /// These bytes, and then nothing more on this connection.
    Say(Vec<u8>),
    /// These bytes, and then the end of the connection.
    Hang(Vec<u8>),
    /// What the server says, after these bytes.
    Before(Vec<u8>),
}

struct Shared {
    place: Place,
    lie: Mutex<Lie>,
    opened: AtomicU64,
    closed: AtomicU64,
    ended: AtomicBool,
    /// What clients say, and what they are made to say.
    asked: &'static [(&'static str, &'static str)],
    /// What the server says, and what it is made to say.
    said: &'static [(&'static str, &'static str)],
}

impl Liar {
    pub fn to(place: Place) -> Self {
        Self::start(place, &[], &[])
    }

    /// One that pretends to be of before 1.6: it says so, and knows no `mn`.
    pub fn old(place: Place) -> Self {
        Self::start(place, &[("mn\r\n", "mz\r\n")], &[("VERSION 1.6", "VERSION 1.4")])
    }

    /// One that has no statistics.
    pub fn reticent(place: Place) -> Self {
        Self::start(place, &[("stats", "shhhh")], &[])
    }

    fn start(
        place: Place,
        asked: &'static [(&'static str, &'static str)],
        said: &'static [(&'static str, &'static str)],
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            place,
            lie: Mutex::default(),
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            asked,
            said,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                accepting.opened.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&accepting);
                thread::spawn(move || {
                    shared.serve(Stream::Tcp(client));
                    shared.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("memcached://127.0.0.1:{}", self.port)
    }

    pub fn tell(&self, lie: Lie) {
        *self.shared.lie.lock().unwrap() = lie;
    }

    /// How many connections there have been.
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// How many of them the client has ended.
    pub fn closed(&self) -> u64 {
        self.shared.closed.load(Ordering::SeqCst)
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // The listener waits for somebody who tells it.
        let _ = Stream::connect(&Place::Port(self.port));
    }
}

impl Shared {
    fn serve(&self, mut client: Stream) {
        let Ok(mut server) = Stream::connect(&self.place) else { return };
        let (Ok(mut back), Ok(mut from)) = (client.try_clone(), server.try_clone()) else { return };
        let said = self.said;
        let answers = thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                for (from, to) in said {
                    replace(&mut buffer[..length], from.as_bytes(), to.as_bytes());
                }
                if back.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            back.shut_down();
        });
        let mut buffer = vec![0; 64 << 10];
        let mut silent = false;
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            for (from, to) in self.asked {
                replace(&mut buffer[..length], from.as_bytes(), to.as_bytes());
            }
            let lie = self.lie.lock().unwrap().clone();
            let truth = match lie {
                _ if silent => continue,
                Lie::No => true,
                Lie::Before(bytes) => client.write_all(&bytes).is_ok(),
                Lie::Say(bytes) => {
                    silent = true;
                    let _ = client.write_all(&bytes);
                    false
                }
                Lie::Hang(bytes) => {
                    let _ = client.write_all(&bytes);
                    break;
                }
            };
            if truth && server.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        client.shut_down();
        server.shut_down();
        let _ = answers.join();
    }
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    for at in 0..(bytes.len() + 1).saturating_sub(from.len()) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
}
