//! The table, as text and as a picture.

use std::cell::Cell;
use std::fmt::Write;
use std::io::IsTerminal;

use crate::strategy::Strategy;

/// What one strategy takes.
pub(crate) struct Row {
    pub(crate) strategy: &'static Strategy,
    /// For each value, with its key.
    pub(crate) bytes: f64,
    pub(crate) percent: f64,
    pub(crate) seconds: f64,
}

impl Row {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.strategy.name,
            "original": self.strategy.original,
            "bytes_per_item": self.bytes,
            "percent": self.percent,
            "seconds": self.seconds,
        })
    }
}

/// A bar on the terminal, as long as it takes.
pub(crate) struct Progress {
    all: usize,
    done: Cell<usize>,
    shown: Cell<usize>,
}

impl Progress {
    pub(crate) fn new(all: usize) -> Self {
        Self { all, done: Cell::new(0), shown: Cell::new(0) }
    }

    pub(crate) fn add(&self, name: &str, items: usize) {
        const WIDTH: usize = 30;
        self.done.set(self.done.get() + items);
        let permille = self.done.get() * 1_000 / self.all;
        if permille == self.shown.replace(permille) || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = "█".repeat(permille * WIDTH / 1_000);
        eprint!("\r\x1b[K{bar:░<WIDTH$} {:5.1} %  {name}", permille as f64 / 10.0);
        if self.done.get() + 1 >= self.all {
            eprint!("\r\x1b[K");
        }
    }
}

pub(crate) fn text(rows: &[Row], items: usize) -> String {
    const WIDTH: f64 = 40.0;
    let name = rows.iter().map(|row| row.strategy.name.len()).max().unwrap_or(0);
    let original = rows.iter().map(|row| row.strategy.original.len()).max().unwrap_or(0);
    let mut out = format!("{items} values\n\n{:name$}  {:original$}   bytes\n", "kept as", "was");
    for Row { strategy, bytes, percent, .. } in rows {
        // A block has eight parts.
        #[expect(clippy::cast_possible_truncation, reason = "it is at most the width")]
        let parts = (percent / 100.0 * WIDTH * 8.0).round().max(1.0) as usize;
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][parts % 8];
        let bar = "█".repeat(parts / 8);
        let (kept, was) = (strategy.name, strategy.original);
        let _ = writeln!(
            out,
            "{kept:name$}  {was:original$}  {bytes:6.1}  {percent:5.1} %  {bar}{rest}"
        );
    }
    out
}

/// `1100000` as `1,100,000`.
fn in_thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(crate) fn svg(rows: &[Row], items: usize) -> String {
    const LEFT: f64 = 300.0;
    const SCALE: f64 = 3.6;
    const LINE: f64 = 26.0;
    const TOP: f64 = 62.0;
    let (width, height) = (LEFT + 100.0 * SCALE + 140.0, TOP + rows.len() as f64 * LINE + 16.0);
    let items = in_thousands(items);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"bold\" fill=\"#222222\">\
         Memory of a server for each value</text>\n\
         <text x=\"16\" y=\"46\" fill=\"#666666\">{items} small values with their keys, in bytes</text>\n"
    );
    for (at, Row { strategy, bytes, percent, .. }) in rows.iter().enumerate() {
        let y = TOP + at as f64 * LINE;
        let text = y + 15.0;
        let bar = percent * SCALE;
        let colour = if strategy.is_in_hashes() { "#1b7f5c" } else { "#8aa4c8" };
        let name_x = LEFT - 10.0;
        let value_x = LEFT + bar + 8.0;
        let _ = writeln!(
            out,
            "<text x=\"{name_x}\" y=\"{text:.1}\" text-anchor=\"end\" fill=\"#222222\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"20\" rx=\"2\" fill=\"{colour}\"/>\n\
             <text x=\"{value_x:.1}\" y=\"{text:.1}\" fill=\"#222222\">{bytes:.1}  ({percent:.1} %)</text>",
            strategy.name
        );
    }
    out.push_str("</svg>\n");
    out
}
