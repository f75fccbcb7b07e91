//! Both runs above each other, on one axis of time.

use std::fmt::Write;
use std::time::Duration;

use crate::run::{self, Request};

const WIDTH: f64 = 880.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 840.0;
/// The height of the lines of one run.
const LINES: f64 = 190.0;
/// The tops of the two runs' lines.
const TOPS: [f64; 2] = [124.0, 390.0];
const BOTTOM: f64 = TOPS[1] + LINES;
const HEIGHT: f64 = BOTTOM + 84.0;

/// A card that is light or dark by itself, so that it can be read on any page.
const STYLE: &str = "
    .card { fill: #ffffff; stroke: #d8dee6 }
    .title, .figure { fill: #17202b }
    .text { fill: #5a6675 }
    .grid { stroke: #e9edf2 }
    .waits { stroke: #f4bfa6; fill: #f4bfa6 }
    .query { stroke: #cf3f1d; fill: #cf3f1d }
    .stale { stroke: #17876b; fill: #17876b }
    @media (prefers-color-scheme: dark) {
      .card { fill: #12171e; stroke: #2b333d }
      .title, .figure { fill: #f0f3f6 }
      .text { fill: #9aa7b5 }
      .grid { stroke: #222a33 }
      .waits { stroke: #6b3524; fill: #6b3524 }
      .query { stroke: #ff7d55; fill: #ff7d55 }
      .stale { stroke: #3ecfa4; fill: #3ecfa4 }
    }
";

pub(crate) fn draw(without: &[Request], with: &[Request]) -> String {
    let last = run::last(without).max(run::last(with)).as_secs_f64();
    // A little air behind the last answer.
    let scale = (RIGHT - LEFT) / (last * 1.02);
    let requests = in_thousands(without.len());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n\
         <title>{requests} requests meet one expired key</title>\n\
         <desc>{}; {}.</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"46\" font-size=\"23\" font-weight=\"650\">\
         {requests} requests meet one expired key</text>\n\
         <text class=\"text\" x=\"{LEFT}\" y=\"70\" font-size=\"13.5\">Each line is one request, from its \
         arrival to its answer. The database has 20 connections, and a query takes 100 ms.</text>\n",
        told("without the lock", without),
        told("with the lock", with),
        WIDTH - 1.0,
        HEIGHT - 1.0,
    );
    axis(&mut out, last, scale);
    for ((name, requests), top) in
        [("without the lock", without), ("with the lock", with)].into_iter().zip(TOPS)
    {
        heading(&mut out, name, requests, top);
        lines(&mut out, requests, top, scale);
    }
    aside(&mut out, without, with, scale);
    legend(&mut out);
    out.push_str("</svg>\n");
    out
}

/// A line for each second, through both runs.
fn axis(out: &mut String, last: f64, scale: f64) {
    let mut second = 0.0;
    while second <= last {
        let x = LEFT + second * scale;
        for top in TOPS {
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{}\"/>",
                top + LINES
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"text\" x=\"{x:.1}\" y=\"{}\" font-size=\"12\" text-anchor=\"middle\">{second} s</text>",
            BOTTOM + 20.0
        );
        second += 1.0;
    }
}

fn heading(out: &mut String, name: &str, requests: &[Request], top: f64) {
    let y = top - 14.0;
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"{LEFT}\" y=\"{y}\" font-size=\"15\" font-weight=\"600\">{name}</text>\n\
         <text class=\"figure\" x=\"{RIGHT}\" y=\"{y}\" font-size=\"15\" text-anchor=\"end\">\
         <tspan font-weight=\"650\">{}</tspan><tspan class=\"text\">, last answer after </tspan>\
         <tspan font-weight=\"650\">{}</tspan></text>",
        queries(requests),
        seconds(run::last(requests)),
    );
}

/// One path for each kind of line: waiting for the database, its query, and no query at all.
fn lines(out: &mut String, requests: &[Request], top: f64, scale: f64) {
    let row = LINES / requests.len().max(1) as f64;
    let x = |at: Duration| LEFT + at.as_secs_f64() * scale;
    let mut paths = [String::new(), String::new(), String::new()];
    for (at, request) in requests.iter().enumerate() {
        let y = top + (at as f64 + 0.5) * row;
        let mut line = |kind: usize, from: f64, to: f64| {
            let _ = write!(paths[kind], "M{from:.1} {y:.2}h{:.1}", (to - from).max(0.4));
        };
        match request.query {
            Some((began, ended)) => {
                line(0, x(request.arrived), x(began));
                line(1, x(began), x(ended));
            }
            // Too short to be seen: as a dot.
            None => line(2, x(request.arrived) - 1.5, x(request.answered) + 1.5),
        }
    }
    let own = requests.iter().filter(|request| request.query.is_some()).count();
    for (kind, (class, path)) in ["waits", "stale", "query"].into_iter().zip([0, 2, 1]).enumerate()
    {
        // A single query among so many would be thinner than a hair.
        let width = match kind {
            2 if own == 1 => 2.5,
            2 => row * 2.2,
            _ => row * 1.15,
        };
        if !paths[path].is_empty() {
            let _ = writeln!(
                out,
                "<path class=\"{class}\" fill=\"none\" stroke-width=\"{width:.2}\" d=\"{}\"/>",
                paths[path]
            );
        }
    }
}

/// What happens, in words: in the wedge of those who wait, and beside those who do not.
fn aside(out: &mut String, without: &[Request], with: &[Request], scale: f64) {
    let mut text = |x: f64, y: f64, text: String| {
        let _ = writeln!(
            out,
            "<text class=\"title\" x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"16\" font-weight=\"600\">{text}</text>"
        );
    };
    let (x, y) = (LEFT + 28.0, TOPS[0] + LINES * 0.72);
    text(x, y, format!("All {} ask the database for the same thing,", in_thousands(without.len())));
    text(x, y + 23.0, "20 at a time.".to_owned());

    let mut took: Vec<Duration> = with
        .iter()
        .filter(|request| request.query.is_none())
        .map(|request| request.answered - request.arrived)
        .collect();
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default().as_micros().max(1);
    let (x, y) = (LEFT + run::last(with).as_secs_f64() * scale + 12.0, TOPS[1] + LINES * 0.45);
    let served = in_thousands(took.len());
    text(x, y, format!("One asks. The other {served} are served the previous value,"));
    text(x, y + 23.0, format!("half of them within {median} µs."));
}

fn legend(out: &mut String) {
    let mut x = LEFT;
    for (class, text, width) in [
        ("waits", "waits for a connection", 190.0),
        ("query", "its query runs", 140.0),
        ("stale", "served the previous value", 0.0),
    ] {
        let y = BOTTOM + 52.0;
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"14\" height=\"10\" rx=\"2\"/>\n\
             <text class=\"text\" x=\"{}\" y=\"{y}\" font-size=\"13\">{text}</text>",
            y - 10.0,
            x + 21.0
        );
        x += width;
    }
}

fn told(name: &str, requests: &[Request]) -> String {
    format!("{name}: {}, the last answer after {}", queries(requests), seconds(run::last(requests)))
}

fn queries(requests: &[Request]) -> String {
    match run::queries(requests) {
        1 => "1 query".to_owned(),
        queries => format!("{} queries", in_thousands(queries)),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// `1000` as `1,000`.
fn in_thousands(number: usize) -> String {
    let digits = number.to_string();
    match digits.len() {
        length @ 4..=6 => format!("{},{}", &digits[..length - 3], &digits[length - 3..]),
        _ => digits,
    }
}
