//! Servers of an example's own, and words that stand out on a terminal.
#![allow(dead_code, reason = "each example uses its part")]

use std::io::{self, IsTerminal};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A memcached on a free port, which ends with this value.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts one, and waits until it can be reached.
    pub(crate) fn start() -> io::Result<Self> {
        let port = free_port()?;
        Ok(Self { child: spawn(port)?, port })
    }

    pub(crate) fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Signal 9.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, empty, after it was killed.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.child = spawn(self.port)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port below those that the system hands out to clients: one of them that is tried again and again
/// while its server is down ends up connected to itself.
fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    (0..1_000)
        .filter_map(|_| {
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = std::process::id().wrapping_mul(31).wrapping_add(next);
            u16::try_from(10_000 + number % 20_000).ok()
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| io::Error::other("there is no free port"))
}

fn spawn(port: u16) -> io::Result<Child> {
    // The user's name matters only to root, whom memcached does not serve without one.
    let mut child = Command::new("memcached")
        .args(["-u", "root", "-l", "127.0.0.1", "-U", "0", "-m", "64", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| io::Error::other(format!("memcached cannot be started: {error}")))?;
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(10) || child.try_wait()?.is_some() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::Error::other("memcached does not start"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(child)
}

/// Colours where somebody sees them.
#[derive(Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn new() -> Self {
        Self(io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
