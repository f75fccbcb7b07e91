//! The database calls of each stage, minute by minute.

use std::fmt::Write;

use crate::database::Weather;
use crate::fleet;
use crate::report::Counts;
use crate::stage::Stage;

const LEFT: f64 = 258.0;
const CELL: f64 = 60.0;
const TOP: f64 = 128.0;
const ROW: f64 = 66.0;
/// The height of the largest bar.
const BAR: f64 = 36.0;

/// A card that is light or dark by itself, so that it can be read on any page.
const STYLE: &str = "
    .card { fill: #ffffff; stroke: #d8dee6 }
    .title { fill: #17202b }
    .text { fill: #5a6675 }
    .line { stroke: #d8dee6 }
    .slow { fill: #f7b955; fill-opacity: 0.20 }
    .away { fill: #cf3f1d; fill-opacity: 0.13 }
    .bar { fill: #2f6fb2 }
    .few { fill: #17876b }
    @media (prefers-color-scheme: dark) {
      .card { fill: #12171e; stroke: #2b333d }
      .title { fill: #f0f3f6 }
      .text { fill: #9aa7b5 }
      .line { stroke: #2b333d }
      .bar { fill: #6aa5e0 }
      .few { fill: #3ecfa4 }
    }
";

pub(crate) fn draw(told: &[(Stage, Counts)]) -> String {
    // Between machines it is the same as on one.
    let told: Vec<_> = told.iter().filter(|(stage, _)| *stage != Stage::Server).collect();
    let minutes = told.first().map_or(0, |(_, counts)| counts.minutes.len());
    let most = told.iter().flat_map(|(_, counts)| &counts.minutes).max().copied().unwrap_or(0);
    let width = LEFT + minutes as f64 * CELL + 34.0;
    let bottom = TOP + told.len() as f64 * ROW;
    let height = bottom + 26.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n\
         <title>Database calls, minute by minute</title>\n<desc>{}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>\n\
         <text class=\"title\" x=\"32\" y=\"44\" font-size=\"21\" font-weight=\"650\">\
         Database calls, minute by minute</text>\n\
         <text class=\"text\" x=\"32\" y=\"67\" font-size=\"13.5\">300,000 requests a minute. \
         The height of a bar grows with the square root.</text>\n",
        described(&told),
        width - 1.0,
        height - 1.0,
    );
    heads(&mut out, minutes, bottom);
    for (row, (stage, counts)) in told.iter().enumerate() {
        let base = TOP + (row + 1) as f64 * ROW - 14.0;
        label(&mut out, stage.name(), counts.queries(), base);
        for (at, calls) in counts.minutes.iter().enumerate() {
            bar(&mut out, LEFT + at as f64 * CELL, base, *calls, most);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// All numbers in words, for those who do not see it, and for the test that compares them.
fn described(told: &[&(Stage, Counts)]) -> String {
    let row = |(stage, counts): &&(Stage, Counts)| {
        let minutes: Vec<String> = counts.minutes.iter().map(u64::to_string).collect();
        format!("{}: {}.", stage.name(), minutes.join(" "))
    };
    told.iter().map(row).collect::<Vec<_>>().join(" ")
}

/// The minutes, and what the database is like in them.
fn heads(out: &mut String, minutes: usize, bottom: f64) {
    for (at, minute) in (1..=minutes as u64).enumerate() {
        let (left, middle) = (LEFT + at as f64 * CELL, LEFT + (at as f64 + 0.5) * CELL);
        let class = match fleet::weather(minute) {
            Weather::Slow => Some("slow"),
            Weather::Away => Some("away"),
            Weather::ColdStart | Weather::Well => None,
        };
        if let Some(class) = class {
            let (top, height) = (TOP - 40.0, bottom - TOP + 40.0);
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{CELL}\" height=\"{height}\"/>"
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"title\" x=\"{middle}\" y=\"{}\" font-size=\"13\" text-anchor=\"middle\">{minute}</text>",
            TOP - 6.0
        );
    }
    for (minute, what) in [(1.0, "cold start"), (5.5, "slow"), (7.5, "away")] {
        let _ = writeln!(
            out,
            "<text class=\"text\" x=\"{}\" y=\"{}\" font-size=\"12\" text-anchor=\"middle\">{what}</text>",
            LEFT + (minute - 0.5) * CELL,
            TOP - 23.0
        );
    }
}

fn label(out: &mut String, name: &str, all: u64, base: f64) {
    let x = LEFT - 18.0;
    let _ = writeln!(
        out,
        "<line class=\"line\" x1=\"32\" x2=\"{}\" y1=\"{base}\" y2=\"{base}\"/>\n\
         <text class=\"title\" x=\"{x}\" y=\"{}\" font-size=\"14\" font-weight=\"600\" text-anchor=\"end\">{name}</text>\n\
         <text class=\"text\" x=\"{x}\" y=\"{}\" font-size=\"12.5\" text-anchor=\"end\">{} in all</text>",
        LEFT + 10.0 * CELL,
        base - 22.0,
        base - 6.0,
        short(all)
    );
}

fn bar(out: &mut String, left: f64, base: f64, calls: u64, most: u64) {
    if calls == 0 {
        return;
    }
    let height = (BAR * (calls as f64 / most as f64).sqrt()).max(2.5);
    // What is asked once for each product and process, or less.
    let class = if calls * 100 <= most { "few" } else { "bar" };
    let (x, middle) = (left + 14.0, left + CELL / 2.0);
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{:.1}\" width=\"{}\" height=\"{height:.1}\" rx=\"1.5\"/>\n\
         <text class=\"text\" x=\"{middle}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"middle\">{}</text>",
        base - height,
        CELL - 28.0,
        base - height - 5.0,
        short(calls)
    );
}

/// `300000` as `300 k`, `1800000` as `1.8 M`.
fn short(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{} k", number / 1_000),
        _ => format!("{} M", (number / 10_000) as f64 / 100.0),
    }
}
