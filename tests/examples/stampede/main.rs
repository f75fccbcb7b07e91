//! The picture of the README: many requests that meet one expired key, with and without the lock.
//!
//! Both runs are real: the same cache, the same requests, the same database, which takes 100 ms for
//! a query and has 20 connections. Each request is drawn as a line from its arrival to its answer.
//!
//! ```sh
//! cargo xtask picture                                          # draws docs/stampede.svg anew
//! cargo run --release --package tests --example stampede -- 1000 picture.svg
//! ```
#![allow(clippy::print_stdout, reason = "it says what it measured")]

mod run;
mod svg;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [requests, file] = &arguments[..] else {
        eprintln!("stampede: it takes a number of requests, and the file to draw into");
        return ExitCode::from(2);
    };
    match draw(requests, file).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stampede: {error}");
            ExitCode::from(2)
        }
    }
}

async fn draw(requests: &str, file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let requests: usize = requests.parse().map_err(|_| format!("{requests} is no number"))?;
    let without = run::stampede(requests, false).await?;
    let with = run::stampede(requests, true).await?;
    std::fs::write(file, svg::draw(&without, &with)).map_err(|e| format!("{file}: {e}"))?;
    for (what, requests) in [("without the lock", &without), ("with the lock", &with)] {
        let (queries, last) = (run::queries(requests), run::last(requests).as_millis());
        println!("{what}: {queries} queries, the last answer after {last} ms");
    }
    Ok(())
}
