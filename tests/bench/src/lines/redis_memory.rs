//! What a value takes in the memory of a Redis server: the table of dogpile-redis, as its example makes it.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::Measured;
use crate::arguments::Settings;
use crate::plot::Plot;
use crate::report::{Bar, Row};

const FILE: &str = "redis-memory.svg";

pub(super) fn run(settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let items = if settings.quick { 100_000 } else { 1_100_000 };
    let picture = std::env::temp_dir().join(format!("{}-{FILE}", std::process::id()));
    let made = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--package", "dogpile-redis", "--example"])
        .args(["memory_table", "--", "--json", "--items", &items.to_string(), "--svg"])
        .arg(&picture)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .stderr(Stdio::inherit())
        .output()?;
    if !made.status.success() {
        return Err("the example memory_table of dogpile-redis failed, see above".into());
    }
    let table: Vec<Value> = serde_json::from_slice(&made.stdout)?;
    let drawn = std::fs::read_to_string(&picture)?;
    std::fs::remove_file(&picture)?;
    let rows = table.iter().filter_map(|row| bytes(row, table.first()?)).collect();
    Ok(Measured { rows, outcomes: Vec::new(), plots: vec![Plot::drawn(FILE, drawn)] })
}

fn bytes(row: &Value, whole: &Value) -> Option<Row> {
    let (name, bytes) = (row["name"].as_str()?, row["bytes_per_item"].as_f64()?);
    let bar = match name {
        "MessagePack, raw, hashes of 100" => Bar::AtMost(12.0),
        "MessagePack, compact, hashes of 100" => Bar::AtMost(16.0),
        "MessagePack, raw, buckets of ids" => Bar::AtMost(8.0),
        _ => Bar::None,
    };
    Some(Row {
        name: format!("Redis memory: {name}"),
        ours: format!("{bytes:.1} B"),
        peer: format!("{:.1} B", whole["bytes_per_item"].as_f64()?),
        figure: row["percent"].as_f64()?,
        unit: " %",
        bar,
        details: json!(row),
    })
}
