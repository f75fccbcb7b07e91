//! Times from the usual to the worst: a line for each, on one logarithmic axis.

use std::fmt::Write;

use super::scale::{Log, time};
use super::{Chart, LEFT, TOP, Text, WIDTH, grid_line};

pub(crate) struct Spans {
    pub(crate) spans: Vec<Span>,
}

/// The times of one contestant, in nanoseconds.
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) is_ours: bool,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

const FIRST: f64 = LEFT + 130.0;
const LAST: f64 = WIDTH - 70.0;
const LINE: f64 = 38.0;

impl Chart for Spans {
    fn draw(&self, out: &mut String) -> f64 {
        let bottom = TOP + self.spans.len() as f64 * LINE;
        let times = self.spans.iter().flat_map(|span| [span.p50, span.p99, span.max]);
        let axis = Log::new(10.0, times, FIRST, LAST);
        for tick in axis.ticks() {
            let x = axis.place(tick);
            grid_line(out, (x, TOP - 6.0), (x, bottom));
            let text = Text { class: "text", x, y: bottom + 20.0, size: 12.0, anchor: "middle" };
            text.write(out, &time(tick));
        }
        for (at, span) in self.spans.iter().enumerate() {
            span.draw(out, &axis, TOP + (at as f64 + 0.5) * LINE);
        }
        legend(out, bottom + 52.0);
        bottom + 76.0
    }
}

impl Span {
    fn draw(&self, out: &mut String, axis: &Log, y: f64) {
        let colour = if self.is_ours { 0 } else { 5 };
        let class = if self.is_ours { "title" } else { "text" };
        Text { class, x: FIRST - 16.0, y: y + 4.0, size: 13.5, anchor: "end" }
            .write(out, &self.name);
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(|time| axis.place(time));
        let _ = writeln!(
            out,
            "<g class=\"k{colour}\"><path class=\"line\" d=\"M{p50:.1} {y:.1}H{max:.1}\" stroke-width=\"2.5\"/>\
             <circle class=\"mark\" cx=\"{p50:.1}\" cy=\"{y:.1}\" r=\"4\"/>\
             <circle class=\"mark\" cx=\"{p99:.1}\" cy=\"{y:.1}\" r=\"6.5\"/>\
             <path class=\"line\" d=\"M{max:.1} {:.1}v14\" stroke-width=\"2.5\"/></g>",
            y - 7.0
        );
        let text = Text { class, x: p99, y: y - 11.0, size: 11.5, anchor: "middle" };
        text.write(out, &time(self.p99));
    }
}

fn legend(out: &mut String, y: f64) {
    let _ = writeln!(
        out,
        "<g class=\"k5\"><circle class=\"mark\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>\
         <circle class=\"mark\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"6.5\"/>\
         <path class=\"line\" d=\"M{:.1} {:.1}v14\" stroke-width=\"2.5\"/></g>",
        FIRST,
        y - 4.0,
        FIRST + 130.0,
        y - 4.0,
        FIRST + 300.0,
        y - 11.0,
    );
    for (x, text) in
        [(14.0, "half of the calls"), (144.0, "99 of 100, with its time"), (310.0, "all")]
    {
        Text { class: "text", x: FIRST + x, y, size: 12.0, anchor: "start" }.write(out, text);
    }
}
