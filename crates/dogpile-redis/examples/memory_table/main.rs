//! How many bytes a server takes for each of a million small values, by how they are kept.
//!
//! ```sh
//! cargo run --release --example memory_table -p dogpile-redis
//! ```
//!
//! It starts a `redis-server` of its own for each row, or another program that is named, loads the data set that the memory table of
//! dogpile_backend_redis_advanced was made with, and asks the server what it takes.
#![expect(clippy::print_stdout, reason = "it is what it is for")]

mod chart;
mod data;
mod strategy;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use dogpile_core::ErrorKind;

use crate::chart::{Progress, Row};
use crate::strategy::STRATEGIES;
use crate::support::{Kind, Server};

const HELP: &str = "\
Loads small values into Redis in different layouts, and tells what each takes.

  --items N     how many values [1100000]
  --server PATH the server's program [redis-server]
  --svg FILE    where the chart is drawn [memory_table.svg]
  --json        print the rows as JSON";

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("{what}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match measure(&options).await {
        Ok(rows) => {
            if options.json {
                println!("{}", serde_json::Value::from_iter(rows.iter().map(Row::json)));
            } else {
                print!("{}", chart::text(&rows, options.items));
            }
            if let Err(error) = std::fs::write(&options.svg, chart::svg(&rows, options.items)) {
                eprintln!("{}: {error}", options.svg.display());
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let progress = Progress::new(STRATEGIES.len() * options.items);
    for strategy in STRATEGIES {
        let server = options.start().ok_or("there is no such server")?;
        let used = || server.info("used_memory").parse::<f64>().map_err(|e| e.to_string());
        let redis = strategy.open(&server.url()).await.map_err(|e| e.to_string())?;
        // What the server allocates once is not counted.
        match strategy.load(&redis, options.items, 0..1, |_| {}).await {
            Err(error) if error.kind() == ErrorKind::Refused => {
                eprintln!("without {:?}: {error}", strategy.name);
                progress.add(strategy.name, options.items);
                continue;
            }
            loaded => loaded.map_err(|error| error.to_string())?,
        }
        let (before, began) = (used()?, Instant::now());
        let done = |items| progress.add(strategy.name, items);
        let items = 1..options.items;
        strategy.load(&redis, options.items, items, done).await.map_err(|e| e.to_string())?;
        let bytes = (used()? - before) / (options.items - 1) as f64;
        rows.push(Row { strategy, bytes, seconds: began.elapsed().as_secs_f64(), percent: 0.0 });
    }
    let whole = rows.first().map_or(1.0, |row| row.bytes);
    rows.iter_mut().for_each(|row| row.percent = row.bytes / whole * 100.0);
    Ok(rows)
}

struct Options {
    items: usize,
    server: Option<PathBuf>,
    svg: PathBuf,
    json: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let svg = "memory_table.svg".into();
        let mut options = Self { items: 1_100_000, server: None, svg, json: false };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match &*name {
                "--help" | "-h" => return Ok(None),
                "--json" => options.json = true,
                "--server" => {
                    let path = value()?;
                    // It is started in another folder.
                    let program = std::fs::canonicalize(&path);
                    options.server = Some(program.map_err(|error| format!("{path}: {error}"))?);
                }
                "--svg" => options.svg = value()?.into(),
                "--items" => {
                    options.items = value()?
                        .parse()
                        .ok()
                        .filter(|items| *items >= 1_000)
                        .ok_or_else(|| "--items takes a number of at least 1000".to_owned())?;
                }
                _ => return Err(format!("there is no option {name}")),
            }
        }
        Ok(Some(options))
    }

    fn start(&self) -> Option<Server> {
        let options = support::Options::new(Kind::Redis);
        match &self.server {
            Some(program) => options.program(program.clone()).start(),
            None => options.start(),
        }
    }
}
