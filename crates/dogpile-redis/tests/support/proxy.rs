//! A wire that counts, and that can be slow, stuck or cut.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::resp::{Place, Stream};

/// Listens on a port of its own and passes everything on, until it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    wire: Mutex<Wire>,
    changed: Condvar,
    trips: AtomicU64,
    opened: AtomicU64,
    ended: AtomicBool,
}

/// How the wire behaves.
#[derive(Default)]
struct Wire {
    stalled: bool,
    refused: bool,
    /// Before each piece, in each direction.
    delay: Duration,
    piece: Option<usize>,
    /// How many bytes still go to the server before it is stuck.
    left: Option<usize>,
    /// Counts the cuts: a connection lives in one.
    era: u64,
    open: Vec<(Stream, Stream)>,
}

impl Proxy {
    pub fn to(place: Place) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            place,
            wire: Mutex::default(),
            changed: Condvar::new(),
            trips: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                accepting.opened.fetch_add(1, Ordering::SeqCst);
                Shared::join(&accepting, Stream::Tcp(client));
            }
        });
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Round trips so far: how often a client has spoken after it was answered, over all connections.
    pub fn trips(&self) -> u64 {
        self.shared.trips.load(Ordering::SeqCst)
    }

    /// How many connections there have been.
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// Connections stay open, and nothing passes until it is undone.
    pub fn stall(&self, stalled: bool) {
        self.change(|wire| wire.stalled = stalled);
    }

    /// So many more bytes go to the server, and then nothing passes until it is undone.
    pub fn stall_after(&self, bytes: usize) {
        self.change(|wire| wire.left = Some(bytes));
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.change(Wire::cut);
    }

    /// Ends all connections, and every new one at once, until it is undone.
    pub fn refuse(&self, refused: bool) {
        self.change(|wire| {
            wire.refused = refused;
            wire.cut();
        });
    }

    /// Adds a delay in each direction.
    pub fn delay(&self, delay: Duration) {
        self.change(|wire| (wire.delay, wire.piece) = (delay, None));
    }

    /// Passes on so many bytes at a time, with a pause before each.
    pub fn dribble(&self, piece: usize, pause: Duration) {
        self.change(|wire| (wire.delay, wire.piece) = (pause, Some(piece)));
    }

    fn change(&self, change: impl FnOnce(&mut Wire)) {
        change(&mut self.shared.wire.lock().unwrap());
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.refuse(true);
        // The listener waits for somebody who tells it.
        let _ = Stream::connect(&Place::Port(self.port));
    }
}

impl Wire {
    fn cut(&mut self) {
        self.era += 1;
        for (client, server) in self.open.drain(..) {
            client.shut_down();
            server.shut_down();
        }
    }
}

impl Shared {
    fn join(shared: &Arc<Self>, client: Stream) {
        let Ok(server) = Stream::connect(&shared.place) else { return };
        if let Stream::Tcp(client) = &client {
            let _ = client.set_nodelay(true);
        }
        let (Ok(client2), Ok(server2)) = (client.try_clone(), server.try_clone()) else { return };
        let (Ok(client3), Ok(server3)) = (client.try_clone(), server.try_clone()) else { return };
        let era = {
            let mut wire = shared.wire.lock().unwrap();
            if wire.refused {
                return;
            }
            wire.open.push((client3, server3));
            wire.era
        };
        let answered = Arc::new(AtomicBool::new(true));
        for (from, to, asks) in [(client, server, true), (server2, client2, false)] {
            let (shared, answered) = (Arc::clone(shared), Arc::clone(&answered));
            thread::spawn(move || shared.pass(from, to, asks, &answered, era));
        }
    }

    fn pass(&self, mut from: Stream, mut to: Stream, asks: bool, answered: &AtomicBool, era: u64) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if asks && answered.swap(false, Ordering::SeqCst) {
                self.trips.fetch_add(1, Ordering::SeqCst);
            }
            if !asks {
                answered.store(true, Ordering::SeqCst);
            }
            let mut bytes = &buffer[..length];
            while !bytes.is_empty() {
                let Some((delay, most)) = self.may_pass(era, asks, bytes.len()) else { return };
                if !delay.is_zero() {
                    thread::sleep(delay);
                }
                let (now, later) = bytes.split_at(most);
                if to.write_all(now).is_err() {
                    break;
                }
                bytes = later;
            }
        }
        from.shut_down();
        to.shut_down();
    }

    /// Waits while the wire is stuck; the delay, and how many of these bytes pass now, or `None` after a
    /// cut.
    fn may_pass(&self, era: u64, asks: bool, bytes: usize) -> Option<(Duration, usize)> {
        let wire = self.wire.lock().unwrap();
        let mut wire =
            self.changed.wait_while(wire, |wire| wire.stalled && wire.era == era).unwrap();
        let mut most = wire.piece.unwrap_or(bytes).min(bytes);
        if asks && let Some(left) = wire.left {
            most = most.min(left);
            wire.stalled = left == most;
            wire.left = (left > most).then(|| left - most);
        }
        (wire.era == era).then_some((wire.delay, most))
    }
}
