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

/// A card that is light or dark by itself, so that it can be read on any page.
const STYLE: &str = "
    .card { fill: #ffffff; stroke: #d8dee6 }
    .title { fill: #17202b }
    .text { fill: #5a6675 }
    .hashes { fill: #17876b }
    .strings { fill: #8aa4c8 }
    @media (prefers-color-scheme: dark) {
      .card { fill: #12171e; stroke: #2b333d }
      .title { fill: #f0f3f6 }
      .text { fill: #9aa7b5 }
      .hashes { fill: #3ecfa4 }
      .strings { fill: #57739c }
    }
";

pub(crate) fn svg(rows: &[Row], items: usize) -> String {
    const LEFT: f64 = 310.0;
    const SCALE: f64 = 4.3;
    const LINE: f64 = 27.0;
    const TOP: f64 = 90.0;
    let (width, height) = (880.0, TOP + rows.len() as f64 * LINE + 18.0);
    let items = in_thousands(items);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"13\">\n\
         <title>The memory of a server for each value</title>\n<style>{STYLE}</style>\n\
         <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>\n\
         <text class=\"title\" x=\"40\" y=\"44\" font-size=\"21\" font-weight=\"650\">\
         The memory of a server for each value</text>\n\
         <text class=\"text\" x=\"40\" y=\"67\">{items} small values with their keys on Redis: bytes, and \
         percent of what dogpile.cache writes</text>\n",
        width - 1.0,
        height - 1.0,
    );
    for (at, Row { strategy, bytes, percent, .. }) in rows.iter().enumerate() {
        let y = TOP + at as f64 * LINE;
        let text = y + 15.0;
        let bar = percent * SCALE;
        let class = if strategy.is_in_hashes() { "hashes" } else { "strings" };
        let name_x = LEFT - 12.0;
        let value_x = LEFT + bar + 9.0;
        let _ = writeln!(
            out,
            "<text class=\"title\" x=\"{name_x}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text>\n\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"20\" rx=\"3\"/>\n\
             <text class=\"text\" x=\"{value_x:.1}\" y=\"{text:.1}\">{bytes:.1}, {percent:.1} %</text>",
            strategy.name
        );
    }
    out.push_str("</svg>\n");
    out
}
