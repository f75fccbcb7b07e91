//! The dogpile lock at work on real files.
//!
//! Word statistics of a folder tree are an expensive function. Four processes with fifty tasks each
//! want them all the time, through a cache on disk that they share, and the cached value expires
//! under their hands. First the region creates the next value under the dogpile lock; then, for
//! comparison, every task that finds no fresh value computes it, as a plain cache would have it.
//!
//! ```sh
//! cargo run --release --example quickstart            # this repository
//! cargo run --release --example quickstart -- ~/notes # any folder
//! ```
#![allow(clippy::print_stdout, reason = "it prints a report")]

#[path = "quickstart/arguments.rs"]
mod arguments;
#[path = "quickstart/report.rs"]
mod report;
#[path = "quickstart/statistics.rs"]
mod statistics;
#[path = "quickstart/supervisor.rs"]
mod supervisor;
#[path = "quickstart/worker.rs"]
mod worker;

use std::process::ExitCode;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let outcome = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run(arguments)) => match std::env::var_os(worker::ROLE) {
            Some(role) => worker::run(&arguments, role == worker::WITH_LOCK),
            None => supervise(&arguments),
        },
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::from(2)
        }
    }
}

fn supervise(arguments: &Arguments) -> Result<(), String> {
    let started = std::time::Instant::now();
    let statistics = statistics::of_folder(&arguments.folder)?;
    let once = started.elapsed();
    let caches = [
        supervisor::CacheFolder::new(arguments, true)?,
        supervisor::CacheFolder::new(arguments, false)?,
    ];
    let progress = report::Progress::new(arguments);
    progress.intro(&statistics, once);
    let [with_lock, without_lock] = &caches;
    let with_lock = supervisor::run(arguments, with_lock, &progress)?;
    let without_lock = supervisor::run(arguments, without_lock, &progress)?;
    progress.finish();
    if arguments.json {
        println!("{}", report::json(&with_lock, &without_lock));
    } else {
        println!("{}", report::table(arguments, &with_lock, &without_lock));
    }
    Ok(())
}
