//! What was measured: a table for people, JSON for programs.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// One figure, and what it has to be.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: String,
    pub(crate) peer: String,
    /// What is held against the bar.
    pub(crate) figure: f64,
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
    /// Everything else, for the JSON.
    pub(crate) details: Value,
}

/// What a figure has to be.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    /// For comparison only.
    None,
    AtMost(f64),
    AtLeast(f64),
}

impl Row {
    fn is_missed(&self) -> bool {
        // Not a number misses every bar.
        match self.bar {
            Bar::None => false,
            Bar::AtMost(most) => !(self.figure <= most),
            Bar::AtLeast(least) => !(self.figure >= least),
        }
    }

    fn bar(&self) -> String {
        match self.bar {
            Bar::None => String::new(),
            Bar::AtMost(most) => format!("<= {most}{}", self.unit),
            Bar::AtLeast(least) => format!(">= {least}{}", self.unit),
        }
    }

    fn verdict(&self) -> String {
        let by = match self.bar {
            Bar::None => return String::new(),
            _ if !self.is_missed() => return "ok".into(),
            Bar::AtMost(bar) => self.figure - bar,
            Bar::AtLeast(bar) => bar - self.figure,
        };
        format!("MISSED by {}{}", number(by), self.unit)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "ours": self.ours,
            "peer": self.peer,
            "figure": self.figure,
            "unit": self.unit.trim(),
            "bar": self.bar(),
            "ok": !self.is_missed(),
            "details": self.details,
        })
    }
}

/// A number with as many decimals as it is worth.
pub(crate) fn number(x: f64) -> String {
    match x.abs() {
        large if large >= 100.0 => format!("{x:.0}"),
        middle if middle >= 10.0 => format!("{x:.1}"),
        _ if x == x.round() => format!("{x}"),
        small if small >= 0.1 => format!("{x:.2}"),
        _ => format!("{x:.4}"),
    }
}

/// The rows of all lines, as a table.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = ["", "ours", "peer", "figure", "bar", "verdict"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        let figure = format!("{}{}", number(row.figure), row.unit);
        vec![row.name.clone(), row.ours.clone(), row.peer.clone(), figure, row.bar(), row.verdict()]
    }));
    let marks = std::iter::once(Mark::Head).chain(rows.iter().map(|row| match row.bar {
        Bar::None => Mark::Plain,
        _ if row.is_missed() => Mark::Bad,
        _ => Mark::Good,
    }));
    columns(&cells, &marks.collect::<Vec<_>>())
}

/// How a line of a table stands out on a terminal.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    Head,
    Plain,
    Good,
    Bad,
}

/// Cells in aligned columns: the first to the left, the last as it comes, the others to the right.
pub(crate) fn columns(cells: &[Vec<String>], marks: &[Mark]) -> String {
    let count = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let widths =
            cells.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for (line, mark) in cells.iter().zip(marks) {
        let mut out = String::from("  ");
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            match column {
                0 => out.push_str(&format!("{cell:<width$}")),
                last if last + 1 == count => out.push_str(&format!("  {cell}")),
                _ => out.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.push_str(&painted(out.trim_end(), *mark));
        text.push('\n');
    }
    text
}

fn painted(line: &str, mark: Mark) -> String {
    let color = match mark {
        _ if !io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() => None,
        Mark::Head => Some(1),
        Mark::Plain => Some(2),
        Mark::Good => None,
        Mark::Bad => Some(31),
    };
    color.map_or_else(|| line.to_owned(), |color| format!("\u{1b}[{color}m{line}\u{1b}[0m"))
}

/// The names of the rows that miss their bars.
pub(crate) fn missed(rows: &[Row]) -> Vec<&str> {
    rows.iter().filter(|row| row.is_missed()).map(|row| row.name.as_str()).collect()
}

/// Writes one file for a line of the table.
pub(crate) fn write(line: &str, rows: &[Row]) -> io::Result<()> {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let text = serde_json::to_string_pretty(&json!({ "line": line, "rows": rows }))?;
    let folder = folder()?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{line}.json")), text + "\n")
}

/// `bench` in the target folder that this program was built into.
pub(crate) fn folder() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).unwrap_or(Path::new("target"));
    Ok(target.join("bench"))
}
