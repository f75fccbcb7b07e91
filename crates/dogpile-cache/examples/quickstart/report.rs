//! What is shown.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::statistics::Statistics;
use crate::supervisor::Measured;
use crate::worker;

/// The line that moves while the workers work, where somebody looks.
pub(crate) struct Progress {
    rounds: usize,
    readers: String,
    quiet: bool,
    moving: bool,
}

impl Progress {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let readers = format!("{} processes, {} tasks each", arguments.processes, arguments.tasks);
        let moving = std::io::stderr().is_terminal();
        Self { rounds: arguments.rounds, readers, quiet: arguments.json, moving }
    }

    pub(crate) fn intro(&self, statistics: &Statistics, once: Duration) {
        if self.quiet {
            return;
        }
        let Statistics { files, words, distinct, top, .. } = statistics;
        let top: Vec<_> =
            top.iter().take(3).map(|(word, count)| format!("{word} ({count})")).collect();
        println!(
            "word statistics: {files} files, {words} words, {distinct} distinct; most frequent {}",
            top.join(", ")
        );
        println!(
            "one creation takes {}; a value is fresh for {}",
            duration(once),
            duration(worker::EXPIRES_AFTER)
        );
        println!("{} read it all the time\n", self.readers);
    }

    pub(crate) fn round(&self, with_lock: bool, expired: u64, creations: u64) {
        if self.quiet || !self.moving {
            return;
        }
        let what = if with_lock { worker::WITH_LOCK } else { worker::WITHOUT_LOCK };
        let done = usize::try_from(expired).unwrap_or(self.rounds).min(self.rounds);
        let bar: String =
            (0..20).map(|at| if at * self.rounds < done * 20 { '█' } else { '░' }).collect();
        let mut out = std::io::stderr();
        let _ = write!(
            out,
            "\r\x1b[2K  {bar} {what}: expired {done} of {} times, {creations} creations",
            self.rounds
        );
        let _ = out.flush();
    }

    pub(crate) fn finish(&self) {
        if !self.quiet && self.moving {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

pub(crate) fn table(arguments: &Arguments, with: &Measured, without: &Measured) -> String {
    let count = |number: u64| number.to_string();
    let per_expiry = |measured: &Measured| match measured.expiries {
        0 => "-".to_owned(),
        expiries => format!("{:.1}", measured.creations as f64 / expiries as f64),
    };
    let micros = |micros: u32| duration(Duration::from_micros(micros.into()));
    let rows = [
        ("missing or expired", count(with.expiries), count(without.expiries)),
        ("creations", count(with.creations), count(without.creations)),
        ("  for each expiry", per_expiry(with), per_expiry(without)),
        ("reads", count(with.reads), count(without.reads)),
        ("  served fresh", count(with.fresh), count(without.fresh)),
        ("  served stale", count(with.stale), count(without.stale)),
        ("  waited", count(with.waited), count(without.waited)),
        ("latency, median", micros(with.p50_us), micros(without.p50_us)),
        ("latency, 99th percentile", micros(with.p99_us), micros(without.p99_us)),
    ];
    let mut text =
        format!("{:<26}{:>18}{:>18}\n{}\n", "", "with the lock", "without it", "─".repeat(62));
    for (name, with, without) in rows {
        text += &format!("{name:<26}{with:>18}{without:>18}\n");
    }
    text += &match (with.creations == with.expiries, arguments.processes * arguments.tasks) {
        (true, readers) => format!(
            "\nEach time one of {readers} readers created the value; the others went on with the previous one."
        ),
        (false, _) => {
            "\nA creation was repeated: a process was stopped for longer than its lease.".to_owned()
        }
    };
    text
}

pub(crate) fn json(with: &Measured, without: &Measured) -> serde_json::Value {
    let object = |measured: &Measured| {
        serde_json::json!({
            "creations": measured.creations,
            "expiries": measured.expiries,
            "stale": measured.stale,
            "waited": measured.waited,
            "fresh": measured.fresh,
            "reads": measured.reads,
            "p50_us": measured.p50_us,
            "p99_us": measured.p99_us,
        })
    };
    let mut all = object(with);
    all["without_lock"] = object(without);
    all
}

fn duration(d: Duration) -> String {
    match d.as_micros() {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros @ 1_000..1_000_000 if micros % 1_000 == 0 => format!("{} ms", micros / 1_000),
        micros @ 1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        micros => format!("{:.2} s", micros as f64 / 1e6),
    }
}
