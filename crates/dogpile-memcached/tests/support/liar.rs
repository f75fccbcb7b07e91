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

/// What is answered instead of what the server would say. Only by the last the server is asked.
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
    /// What becomes of the answer to the next question that begins like this.
    Once(&'static str, Twist),
}

type Told = (Vec<u8>, Then);

/// Makes something else of what a server answers.
#[derive(Clone)]
pub struct Twist(Arc<dyn Fn(Vec<u8>) -> Told + Send + Sync>);

impl Twist {
    pub fn new(twist: impl Fn(Vec<u8>) -> Told + Send + Sync + 'static) -> Self {
        Self(Arc::new(twist))
    }
}

impl std::fmt::Debug for Twist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a twist")
    }
}

/// How it goes on with a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Then {
    Open,
    Closed,
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
    fn lie_to(&self, question: &[u8]) -> Lie {
        let mut lie = self.lie.lock().unwrap();
        match &*lie {
            Lie::Once(begins, _) if question.starts_with(begins.as_bytes()) => {
                std::mem::take(&mut *lie)
            }
            Lie::Once(..) => Lie::No,
            lie => lie.clone(),
        }
    }

    /// What the server says to a question that is asked by another connection.
    fn answer_to(&self, question: &[u8]) -> Vec<u8> {
        const END: &[u8] = b"MN\r\n";
        let mut server = Stream::connect(&self.place).unwrap();
        server.write_all(&[question, b"mn\r\n"].concat()).unwrap();
        let (mut answer, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        while !answer.ends_with(END) {
            let length = server.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "the server is gone");
            answer.extend_from_slice(&buffer[..length]);
        }
        answer.truncate(answer.len() - END.len());
        answer
    }

    fn serve(&self, mut client: Stream) {
        let Ok(mut server) = Stream::connect(&self.place) else { return };
        let (Ok(mut back), Ok(mut from)) = (client.try_clone(), server.try_clone()) else { return };
        let said = self.said;
        // What is told ends the connection, and not that the server has gone meanwhile.
        let telling = Arc::new(AtomicBool::new(false));
        let tells = Arc::clone(&telling);
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
            if !tells.load(Ordering::SeqCst) {
                back.shut_down();
            }
        });
        let mut buffer = vec![0; 64 << 10];
        let mut silent = false;
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            for (from, to) in self.asked {
                replace(&mut buffer[..length], from.as_bytes(), to.as_bytes());
            }
            let lie = self.lie_to(&buffer[..length]);
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
                Lie::Once(_, Twist(twist)) => {
                    telling.store(true, Ordering::SeqCst);
                    let (told, then) = twist(self.answer_to(&buffer[..length]));
                    let _ = client.write_all(&told);
                    if then == Then::Closed {
                        break;
                    }
                    false
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
