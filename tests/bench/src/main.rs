//! Measures what this workspace promises, side by side with other caches.

mod arguments;
mod keys;
mod lines;
mod peers;
mod plot;
mod report;
mod timing;
mod worker;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::arguments::{HELP, Settings, Task};
use crate::lines::{LINES, Line};

fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args().skip(1).collect()) {
        Ok(Task::Run { lines, settings }) => run(&lines, settings),
        Ok(Task::Process(arguments)) => lines::processes::process(&arguments).map(|()| true),
        Ok(Task::Help) => {
            println!("{HELP}");
            Ok(true)
        }
        Ok(Task::List) => {
            list();
            Ok(true)
        }
        Err(what) => {
            eprintln!("{what}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the documentation, whose pictures are drawn by this program.
fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn list() {
    let width = LINES.iter().map(|line| line.name.len()).max().unwrap_or(0);
    for line in LINES {
        println!("  {:<width$}  {}", line.name, line.what);
    }
}

/// Runs lines, and prints and writes what comes out. Whether every bar is held.
fn run(lines: &[&Line], settings: Settings) -> Result<bool, Box<dyn Error>> {
    let mut all = Vec::new();
    let mut outcomes = Vec::new();
    let mut plots = Vec::new();
    let pictures = if settings.docs { docs() } else { report::folder()? };
    for line in lines {
        eprintln!("{}: {}", line.name, line.what);
        let measured = (line.run)(settings)?;
        report::write(line.name, &measured.rows)?;
        all.extend(measured.rows);
        outcomes.extend(measured.outcomes);
        for plot in measured.plots {
            plots.push(plot.write(&pictures)?);
        }
    }
    if !outcomes.is_empty() {
        println!("\n{}", lines::torture::table(&outcomes));
    }
    println!("\n{}", report::table(&all));
    println!("  JSON: {}", report::folder()?.display());
    for plot in plots {
        println!("  plot: {}", plot.display());
    }
    let missed = report::missed(&all);
    if !missed.is_empty() {
        println!("\n  missed: {}", missed.join(", "));
    }
    Ok(missed.is_empty())
}
