//! The three processes, and the minutes they live through.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use dogpile_cache::{Clock, SystemClock};

use crate::database::{Database, Weather};
use crate::report::Counts;
use crate::stage::Stage;
use crate::worker::{Orders, Said};

const PROCESSES: usize = 3;
const MINUTES: u64 = 10;

/// Nothing here takes this long, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn weather(minute: u64) -> Weather {
    match minute {
        1 => Weather::ColdStart,
        5 | 6 => Weather::Slow,
        7 | 8 => Weather::Away,
        _ => Weather::Well,
    }
}

/// The counts of one stage, or `None` if it needs a server that is not here.
pub(crate) fn live_through(stage: Stage, products: u64) -> Result<Option<Counts>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let redis = match stage {
        Stage::Server => match RedisServer::start(folder.path())? {
            Some(server) => Some(server),
            None => return Ok(None),
        },
        _ => None,
    };
    let listener = TcpListener::bind("127.0.0.1:0");
    let listener = listener.map_err(|error| format!("the database has no port: {error}"))?;
    let orders = Orders {
        stage,
        products,
        folder: folder.path().to_path_buf(),
        database: listener.local_addr().map_err(|error| error.to_string())?,
        redis: redis.as_ref().map(RedisServer::url).unwrap_or_default(),
        // The real time, because servers and files have clocks of their own.
        begins: SystemClock.now(),
    };
    let mut fleet = Fleet::start(&orders)?;
    let database = Database::new();
    database.serve(&listener, PROCESSES).map_err(|error| error.to_string())?;

    let mut counts = Counts::default();
    for minute in 1..=MINUTES {
        database.set_weather(weather(minute));
        fleet.live(minute, &database, &mut counts)?;
        counts.minutes.push(database.take_queries());
    }
    Ok(Some(counts))
}

/// The processes, which are killed if they are not told to end.
struct Fleet {
    workers: Vec<(Child, ChildStdin)>,
    said: mpsc::Receiver<(usize, Said)>,
}

impl Fleet {
    fn start(orders: &Orders) -> Result<Self, String> {
        let (send, said) = mpsc::channel();
        let mut fleet = Self { workers: Vec::new(), said };
        for worker in 0..PROCESSES {
            let program = std::env::current_exe().map_err(|error| error.to_string())?;
            let mut child = orders
                .write(&mut Command::new(program))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(|error| format!("cannot start a process: {error}"))?;
            let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
                return Err("a process has no pipes".to_owned());
            };
            fleet.workers.push((child, input));
            let send = send.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines
                    .filter_map(|line| Said::read(&line))
                    .all(|said| send.send((worker, said)).is_ok())
            });
        }
        Ok(fleet)
    }

    /// One minute: all callers of all processes ask at once.
    fn live(
        &mut self,
        minute: u64,
        database: &Database,
        counts: &mut Counts,
    ) -> Result<(), String> {
        for (_, input) in &mut self.workers {
            writeln!(input, "{minute}").map_err(|_| "a process has ended".to_owned())?;
        }
        let (mut settled, mut done) = (HashSet::new(), HashSet::new());
        while done.len() < PROCESSES {
            let said = self.said.recv_timeout(PATIENCE);
            match said.map_err(|_| format!("minute {minute} does not end"))? {
                (worker, Said::Settled) => {
                    settled.insert(worker);
                    if settled.len() == PROCESSES {
                        database.release();
                    }
                }
                (worker, Said::Done { requests, waited, failed }) => {
                    done.insert(worker);
                    counts.requests += requests;
                    counts.failed += failed;
                    match weather(minute) {
                        // There is nothing that could be served meanwhile.
                        Weather::ColdStart => {}
                        Weather::Slow => counts.waited_long += waited,
                        Weather::Well | Weather::Away => counts.waited += waited,
                    }
                }
            }
        }
        Ok(())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for (child, _) in &mut self.workers {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server of its own, on a socket in the story's folder.
struct RedisServer {
    process: Child,
    url: String,
}

impl RedisServer {
    fn start(folder: &std::path::Path) -> Result<Option<Self>, String> {
        let socket = folder.join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]);
        command.arg(&socket).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = command.spawn() else { return Ok(None) };
        let mut server = Self { process, url: format!("unix://{}", socket.display()) };
        let ends = std::time::Instant::now() + PATIENCE;
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            if !matches!(server.process.try_wait(), Ok(None)) || std::time::Instant::now() > ends {
                return Err("redis-server does not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Some(server))
    }

    fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
