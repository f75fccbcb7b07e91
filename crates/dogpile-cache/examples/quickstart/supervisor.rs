//! Starting the workers, watching the value expire, and adding up.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::report::Progress;
use crate::worker;

/// What all workers did together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// How often the value was missing or had expired.
    pub(crate) expiries: u64,
    pub(crate) creations: u64,
    pub(crate) fresh: u64,
    pub(crate) stale: u64,
    pub(crate) waited: u64,
    pub(crate) reads: u64,
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
}

/// Without the lock a round may take long; what was seen until then is enough.
const LONG_ENOUGH: Duration = Duration::from_secs(12);

pub(crate) fn run(
    arguments: &Arguments,
    cache: &CacheFolder,
    progress: &Progress,
) -> Result<Measured, String> {
    let with_lock = cache.with_lock;
    let workers = Workers::start(arguments, &cache.path, with_lock)?;
    let mut measured = Measured::default();
    let mut expires = 0;
    let started = Instant::now();
    // A worker fails at once or not at all, so silence is not a failure but a slow folder.
    while measured.expiries <= arguments.rounds as u64
        && (with_lock || started.elapsed() < LONG_ENOUGH)
    {
        match workers.lines.recv_timeout(LONG_ENOUGH) {
            Ok(line) => measured.add(&line, &mut expires),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        progress.round(with_lock, measured.expiries.saturating_sub(1), measured.creations);
        if measured.expiries > arguments.rounds as u64 {
            break;
        }
    }
    workers.stop(|line| measured.add(line, &mut expires))?;
    measured.read_latencies(&cache.path)?;
    Ok(measured)
}

impl Measured {
    /// A line of a worker. A creation that began after the value had expired is the first for that
    /// expiry; any other is one too many.
    fn add(&mut self, line: &str, expires: &mut u64) {
        let words: Vec<&str> = line.split(' ').collect();
        let number =
            |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
        match words.first() {
            Some(&"created") => {
                self.creations += 1;
                if number(1) >= *expires {
                    self.expiries += 1;
                    *expires = number(2)
                        + u64::try_from(worker::EXPIRES_AFTER.as_micros()).unwrap_or_default();
                }
            }
            Some(&"counts") => {
                self.fresh += number(1);
                self.stale += number(2);
                self.waited += number(3);
            }
            _ => {}
        }
    }

    fn read_latencies(&mut self, dir: &Path) -> Result<(), String> {
        let cannot_read = |error: std::io::Error| format!("cannot read {}: {error}", dir.display());
        let mut latencies: Vec<u32> = Vec::new();
        for file in std::fs::read_dir(dir).map_err(cannot_read)? {
            let file = file.map_err(cannot_read)?;
            if file.file_name().as_encoded_bytes().starts_with(b"latencies.") {
                let bytes = std::fs::read(file.path()).map_err(cannot_read)?;
                latencies
                    .extend(bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)));
                std::fs::remove_file(file.path()).map_err(cannot_read)?;
            }
        }
        latencies.sort_unstable();
        let percentile = |share: usize| {
            latencies.get(latencies.len() * share / 100).copied().unwrap_or_default()
        };
        (self.p50_us, self.p99_us, self.reads) =
            (percentile(50), percentile(99), latencies.len() as u64);
        Ok(())
    }
}

/// The worker processes, killed if they are not stopped.
struct Workers {
    children: Vec<Child>,
    lines: mpsc::Receiver<String>,
}

impl Workers {
    fn start(arguments: &Arguments, dir: &Path, with_lock: bool) -> Result<Self, String> {
        let (send, lines) = mpsc::channel();
        let mut workers = Self { children: Vec::new(), lines };
        let cannot_start =
            |error: std::io::Error| format!("cannot start a worker process: {error}");
        for _ in 0..arguments.processes {
            let mut child = Command::new(std::env::current_exe().map_err(cannot_start)?)
                .arg(&arguments.folder)
                .arg("--dir")
                .arg(dir)
                .args(["--tasks", &arguments.tasks.to_string()])
                .env(worker::ROLE, if with_lock { worker::WITH_LOCK } else { worker::WITHOUT_LOCK })
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(cannot_start)?;
            if let Some(output) = child.stdout.take() {
                let send = send.clone();
                std::thread::spawn(move || {
                    BufReader::new(output)
                        .lines()
                        .map_while(Result::ok)
                        .all(|line| send.send(line).is_ok())
                });
            }
            workers.children.push(child);
        }
        Ok(workers)
    }

    fn stop(mut self, mut last: impl FnMut(&str)) -> Result<(), String> {
        self.children.iter_mut().for_each(|child| drop(child.stdin.take()));
        self.lines.iter().for_each(|line| last(&line));
        for child in &mut self.children {
            let status = child
                .wait()
                .map_err(|error| format!("cannot wait for a worker process: {error}"))?;
            if !status.success() {
                return Err(format!(
                    "a worker process ended with {status}; its line above says why"
                ));
            }
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Where the workers keep the cache: begun empty, and removed at the end.
pub(crate) struct CacheFolder {
    path: PathBuf,
    with_lock: bool,
}

impl CacheFolder {
    pub(crate) fn new(arguments: &Arguments, with_lock: bool) -> Result<Self, String> {
        let name = if with_lock { "with" } else { "without" };
        let name = format!("dogpile-quickstart-{}-{name}", std::process::id());
        let path = arguments.dir.clone().unwrap_or_else(std::env::temp_dir).join(name);
        std::fs::create_dir_all(&path)
            .map_err(|error| format!("cannot keep the cache in {}: {error}", path.display()))?;
        Ok(Self { path, with_lock })
    }
}

impl Drop for CacheFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
