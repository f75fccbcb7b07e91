//! The story of the book: one shop, one database, and how often it is asked.
//!
//! A thousand products, each wanted by a hundred callers at the same moment, in each of three
//! processes, once a minute for ten minutes. In minutes 5 and 6 the database is slow, in 7 and 8 it is
//! away. The same ten minutes are lived through once for each stage, and each stage has one thing
//! more than the one before it.
//!
//! ```sh
//! cargo run --release --package tests --example story                 # two minutes or so
//! cargo run --release --package tests --example story -- --products 50
//! cargo xtask picture                                                 # draws docs/story.svg anew
//! ```
//!
//! The counts are exact and the same in every run. The minutes are those of a clock that the program
//! moves by hand. The database is this program's first process, and slower than any cache: it answers
//! when everybody else has been served, or waits for it too.
#![allow(clippy::print_stdout, reason = "it prints a report")]

mod chart;
mod database;
mod fleet;
mod report;
mod stage;
mod worker;

use std::process::ExitCode;

use stage::Stage;

/// What the program was asked for.
struct Arguments {
    products: u64,
    json: bool,
    chart: Option<String>,
}

fn main() -> ExitCode {
    let outcome = match worker::Orders::from_environment() {
        Some(orders) => worker::run(&orders),
        None => arguments().and_then(|arguments| tell(&arguments)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("story: {error}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { products: 1_000, json: false, chart: None };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--json" => arguments.json = true,
            "--chart" => match given.next() {
                Some(file) => arguments.chart = Some(file),
                None => return Err("--chart takes the file to draw into".to_owned()),
            },
            "--products" => {
                let number = given.next().unwrap_or_default();
                arguments.products = match number.parse() {
                    Ok(number @ 1..=10_000) => number,
                    _ => return Err("--products takes a whole number from 1 to 10000".to_owned()),
                };
            }
            other => return Err(format!("there is no option {other}; see the top of this file")),
        }
    }
    Ok(arguments)
}

fn tell(arguments: &Arguments) -> Result<(), String> {
    let mut told = Vec::new();
    for stage in Stage::ALL {
        match fleet::live_through(stage, arguments.products)? {
            Some(counts) => {
                eprintln!("{}: {} queries", stage.name(), counts.queries());
                told.push((stage, counts));
            }
            None => eprintln!("{}: left out, there is no redis-server here", stage.name()),
        }
    }
    if let Some(file) = &arguments.chart {
        std::fs::write(file, chart::draw(&told)).map_err(|error| format!("{file}: {error}"))?;
    }
    print!("{}", if arguments.json { report::json(&told) } else { report::table(&told) });
    Ok(())
}
