//! Pictures of what was measured, as SVG that is light or dark by itself.

mod lines;
mod scale;
mod spans;

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use self::lines::{Lines, Series};
pub(crate) use self::spans::{Span, Spans};

/// A picture, and the file it goes to.
pub(crate) struct Plot {
    file: &'static str,
    svg: String,
}

/// What is drawn below a title.
pub(crate) trait Chart {
    /// Draws it, and answers how high the picture is.
    fn draw(&self, out: &mut String) -> f64;
}

const WIDTH: f64 = 880.0;
const LEFT: f64 = 40.0;
/// Where a chart begins, below the title.
const TOP: f64 = 96.0;

/// `k0` is ours wherever something is.
const STYLE: &str = "
    .card { fill: #ffffff; stroke: #d8dee6 }
    .title { fill: #17202b }
    .text { fill: #5a6675 }
    .grid { stroke: #e9edf2 }
    .k0 { --k: #17876b } .k1 { --k: #3b76c4 } .k2 { --k: #c2701c } .k3 { --k: #8a5cb8 }
    .k4 { --k: #b8496b } .k5 { --k: #7a8794 } .k6 { --k: #5b8f2f } .k7 { --k: #2f8f9d }
    .line { fill: none; stroke: var(--k) }
    .mark { fill: var(--k) }
    .label { fill: var(--k) }
    @media (prefers-color-scheme: dark) {
      .card { fill: #12171e; stroke: #2b333d }
      .title { fill: #f0f3f6 }
      .text { fill: #9aa7b5 }
      .grid { stroke: #222a33 }
      .k0 { --k: #3ecfa4 } .k1 { --k: #74a9f0 } .k2 { --k: #f0a35a } .k3 { --k: #bd97e6 }
      .k4 { --k: #ee87a6 } .k5 { --k: #9aa7b5 } .k6 { --k: #9ccc6a } .k7 { --k: #6ecbd8 }
    }
";

impl Plot {
    pub(crate) fn new(file: &'static str, title: &str, subtitle: &str, chart: &dyn Chart) -> Self {
        let mut inside = String::new();
        let height = chart.draw(&mut inside);
        let (title, subtitle) = (escaped(title), escaped(subtitle));
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             font-family=\"ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n\
             <title>{title}</title>\n<desc>{subtitle}</desc>\n<style>{STYLE}</style>\n\
             <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"44\" font-size=\"21\" font-weight=\"650\">{title}</text>\n\
             <text class=\"text\" x=\"{LEFT}\" y=\"67\" font-size=\"13\">{subtitle}</text>\n{inside}</svg>\n",
            WIDTH - 1.0,
            height - 1.0,
        );
        Self { file, svg }
    }

    /// One that somebody else drew.
    pub(crate) const fn drawn(file: &'static str, svg: String) -> Self {
        Self { file, svg }
    }

    /// Writes it into this folder, and says where.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let file = folder.join(self.file);
        fs::write(&file, &self.svg)?;
        Ok(file)
    }
}

/// Where on the page something is written, and how.
struct Text<'a> {
    class: &'a str,
    x: f64,
    y: f64,
    size: f64,
    anchor: &'a str,
}

impl Text<'_> {
    fn write(&self, out: &mut String, text: &str) {
        let Self { class, x, y, size, anchor } = self;
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }
}

fn grid_line(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
