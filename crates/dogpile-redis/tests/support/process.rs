//! Processes and folders that do not outlive us, free ports, and waiting with an end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything that is being waited for may take, on a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks every few milliseconds until there is something.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// A temporary folder, with a name short enough for the sockets in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("dogpile-{}-{next}", std::process::id()));
        // What a process of the same number left.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that is killed when this is dropped, and also when we end without dropping it: a static
/// is never dropped, nor is anything in a test that is killed.
pub struct Process {
    child: Child,
    guard: Guard,
}

impl Process {
    /// `folder` goes with the process if we cannot remove it ourselves.
    pub fn start(command: &mut Command, folder: &Path) -> Self {
        let child =
            command.stdin(Stdio::null()).spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let guard = Guard::over(child.id(), folder);
        Self { child, guard }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it with signal 9.
    pub fn kill(&mut self) {
        // First, so that nobody is killed who gets the number next.
        self.guard.stand_down();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success(), "kill -s {name} {id}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A shell that waits for the end of its input, which is our end.
struct Guard {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Guard {
    fn over(id: u32, folder: &Path) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", r#"trap "" INT HUP; read -r line || { kill -9 "$0"; rm -rf "$1"; }"#])
            .arg(id.to_string())
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = shell.stdin.take();
        Self { shell, input }
    }

    fn stand_down(&mut self) {
        if let Some(mut input) = self.input.take() {
            let _ = input.write_all(b"done\n");
            drop(input);
            let _ = self.shell.wait();
        }
    }
}

/// A port that nobody listens to.
///
/// Not one of those the system hands out to clients: a client that tries again and again to reach a
/// port of that range while its server is down ends up connected to itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut seed = [0; 4];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut seed).unwrap();
    let start = u32::from_ne_bytes(seed) % 20_000;
    for _ in 0..1_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + (start + step) % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
