//! Driving the shop by itself: so many requests a second, over real connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{self, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

use crate::goods;
use crate::shop::Shop;

/// The most that may be asked for.
pub(crate) const MOST: u32 = 5_000;
/// More requests than this do not wait at the same time: those that would be are not made.
const AT_ONCE: u32 = 2_000;
const BEAT: Duration = Duration::from_millis(10);

/// How much is asked for.
#[derive(Debug)]
pub(crate) struct Load {
    per_second: AtomicU32,
    waiting: AtomicU32,
    skipped: AtomicU64,
}

impl Load {
    pub(crate) fn new(per_second: u32) -> Self {
        let (waiting, skipped) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { per_second: AtomicU32::new(per_second), waiting, skipped }
    }

    pub(crate) fn per_second(&self) -> u32 {
        self.per_second.load(Relaxed)
    }

    pub(crate) fn set(&self, per_second: u32) {
        self.per_second.store(per_second.min(MOST), Relaxed);
    }

    /// How many requests wait for their answer.
    fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// How many requests were not made, because too many waited.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }
}

/// Sends requests for ever. They do not wait for each other: a slow answer does not lower the load.
pub(crate) async fn drive(shop: Arc<Shop>, address: SocketAddr) {
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut due, mut last) = (0.0, Instant::now());
    loop {
        beat.tick().await;
        let now = Instant::now();
        // What could not be sent while the machine was busy is not made up for all at once.
        let passed = now.duration_since(last).min(BEAT * 5);
        due += f64::from(shop.load.per_second()) * passed.as_secs_f64();
        last = now;
        while due >= 1.0 {
            due -= 1.0;
            if shop.load.waiting() >= AT_ONCE {
                shop.load.skipped.fetch_add(1, Relaxed);
                continue;
            }
            shop.load.waiting.fetch_add(1, Relaxed);
            let (shop, idle, path) = (Arc::clone(&shop), Arc::clone(&idle), chance.path());
            tokio::spawn(async move {
                let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                // A connection that was closed meanwhile is not worth a word.
                if let Ok(connection) = ask(waiting, address, &path).await {
                    idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                }
                shop.load.waiting.fetch_sub(1, Relaxed);
            });
        }
    }
}

type Connection = BufReader<TcpStream>;

/// Sends a request and reads its answer, on this connection or a new one.
async fn ask(
    connection: Option<Connection>,
    address: SocketAddr,
    path: &str,
) -> io::Result<Connection> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => BufReader::new(TcpStream::connect(address).await?),
    };
    connection.get_ref().set_nodelay(true)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if connection.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            _ if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    io::copy(&mut (&mut connection).take(length), &mut io::sink()).await?;
    Ok(connection)
}

/// Numbers that look random: xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    /// Half of all want the same category, and every view of it is wanted.
    fn path(&mut self) -> String {
        let category = match self.below(2) {
            0 => goods::WANTED,
            _ => goods::CATEGORIES[self.below(goods::CATEGORIES.len())].0,
        };
        match self.below(10) {
            0..5 => format!("/api/products/{category}"),
            5..8 => format!("/products/{category}"),
            8 => format!("/fragments/products/{category}"),
            _ => format!("/live/products/{category}"),
        }
    }
}
