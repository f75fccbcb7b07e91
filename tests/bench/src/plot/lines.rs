//! How something grows: both axes logarithmic, a name at the end of each line.

use std::fmt::Write;

use super::scale::{Log, number};
use super::{Chart, LEFT, TOP, Text, WIDTH, grid_line};

pub(crate) struct Lines {
    /// What is along the bottom, and up the side.
    pub(crate) across: &'static str,
    pub(crate) up: &'static str,
    pub(crate) series: Vec<Series>,
}

pub(crate) struct Series {
    pub(crate) name: String,
    /// The number of its colour.
    pub(crate) colour: usize,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Room for the unit of the upright axis.
const HIGHEST: f64 = TOP + 16.0;
const BOTTOM: f64 = 430.0;
const HEIGHT: f64 = 490.0;
const FIRST: f64 = LEFT + 56.0;
const LAST: f64 = WIDTH - 230.0;
/// Names are at least this far apart.
const APART: f64 = 17.0;

impl Chart for Lines {
    fn draw(&self, out: &mut String) -> f64 {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let base = if points().any(|(x, _)| *x > 1_000.0) { 10.0 } else { 2.0 };
        let across = Log::new(base, points().map(|(x, _)| *x), FIRST, LAST);
        let up = Log::new(2.0, points().map(|(_, y)| *y), BOTTOM, HIGHEST);
        let axis = |x, y, anchor| Text { class: "text", x, y, size: 12.0, anchor };
        for tick in up.ticks() {
            let y = up.place(tick);
            grid_line(out, (FIRST, y), (LAST, y));
            axis(FIRST - 10.0, y + 4.0, "end").write(out, &number(tick));
        }
        for (x, _) in
            self.series.iter().max_by_key(|s| s.points.len()).map_or(&[][..], |s| &s.points)
        {
            grid_line(out, (across.place(*x), HIGHEST), (across.place(*x), BOTTOM));
            axis(across.place(*x), BOTTOM + 20.0, "middle").write(out, &number(*x));
        }
        axis((FIRST + LAST) / 2.0, BOTTOM + 42.0, "middle").write(out, self.across);
        axis(LEFT, HIGHEST - 16.0, "start").write(out, self.up);

        let mut names: Vec<(f64, &Series)> = Vec::new();
        for series in &self.series {
            let path: Vec<String> = series
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", across.place(*x), up.place(*y)))
                .collect();
            let (colour, wide) = (series.colour, if series.colour == 0 { 3.0 } else { 2.0 });
            let _ = writeln!(
                out,
                "<polyline class=\"line k{colour}\" points=\"{}\" stroke-width=\"{wide}\" stroke-linejoin=\"round\"/>",
                path.join(" ")
            );
            for (x, y) in &series.points {
                let (x, y) = (across.place(*x), up.place(*y));
                let _ = writeln!(
                    out,
                    "<circle class=\"mark k{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{}\"/>",
                    wide + 1.0
                );
            }
            if let Some((_, y)) = series.points.last() {
                names.push((up.place(*y), series));
            }
        }
        names.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        for (y, series) in spread(names) {
            let class = format!("label k{}", series.colour);
            let last = series.points.last().map_or(0.0, |(_, y)| *y);
            let x = series.points.last().map_or(LAST, |(x, _)| across.place(*x)) + 14.0;
            let text = Text { class: &class, x, y: y + 4.0, size: 13.0, anchor: "start" };
            text.write(out, &format!("{}  {}", series.name, number(last)));
        }
        HEIGHT
    }
}

/// Moves names apart that would be written over each other: downwards, and all of them up again where
/// the last would leave the picture.
fn spread(mut names: Vec<(f64, &Series)>) -> Vec<(f64, &Series)> {
    for at in 1..names.len() {
        names[at].0 = names[at].0.max(names[at - 1].0 + APART);
    }
    let mut limit = BOTTOM + 8.0;
    for (y, _) in names.iter_mut().rev() {
        *y = y.min(limit);
        limit = *y - APART;
    }
    names
}
