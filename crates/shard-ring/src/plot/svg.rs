//! The marks that the pictures are made of.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::f64::consts::TAU;
use core::fmt::Write;

use super::ROW;

pub(super) const INK: &str = "#1f2933";
const PALE: &str = "#7b8794";
pub(super) const GREY: &str = "#d5dae1";
const WIDTH: f64 = 960.0;
const TOP: f64 = 132.0;
const CENTER: f64 = 250.0;
const RADIUS: f64 = 205.0;
const LIST: f64 = 510.0;
const BAR: f64 = 690.0;
const BAR_WIDTH: f64 = 96.0;
const NUMBERS: [f64; 2] = [852.0, 924.0];

/// A picture that is being drawn: a circle at the left, and a list at the right.
pub(super) struct Svg {
    text: String,
    height: f64,
}

impl Svg {
    /// With room for so many rows in the list.
    #[expect(clippy::cast_precision_loss, reason = "a list is short")]
    pub(super) fn new(rows: usize) -> Self {
        let height = (TOP + rows as f64 * ROW + 30.0).max(TOP + 2.0 * RADIUS + 8.0);
        let mut text = String::new();
        let _ = writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"14\" fill=\"#ffffff\"/>"
        );
        Self { text, height }
    }

    pub(super) fn title(&mut self, title: &str, below: &str) {
        self.write(40.0, 48.0, "font-size=\"22\" font-weight=\"600\"", INK, title);
        self.write(40.0, 72.0, "font-size=\"14\"", PALE, below);
    }

    /// A part of a band around the center, from a part of the turn on.
    pub(super) fn band(&mut self, inner: f64, outer: f64, start: f64, share: f64, fill: &str) {
        let y = self.center();
        // A path from a point to itself is nothing; two half circles are a whole.
        if share > 0.999_999 {
            let (middle, width) = ((inner + outer) / 2.0, outer - inner);
            let _ = writeln!(
                self.text,
                "<circle cx=\"{CENTER}\" cy=\"{y}\" r=\"{middle}\" fill=\"none\" stroke=\"{fill}\" \
                 stroke-width=\"{width}\"/>"
            );
            return;
        }
        let at = |turn: f64, radius: f64| {
            let (sin, cos) = f64::sin_cos(turn * TAU);
            format!("{:.2} {:.2}", CENTER + radius * sin, y - radius * cos)
        };
        let end = start + share;
        let large = u8::from(share > 0.5);
        let _ = writeln!(
            self.text,
            "<path d=\"M{} A{outer} {outer} 0 {large} 1 {} L{} A{inner} {inner} 0 {large} 0 {} Z\" \
             fill=\"{fill}\"/>",
            at(start, outer),
            at(end, outer),
            at(end, inner),
            at(start, inner)
        );
    }

    /// Up to three figures in the middle of the circle, each with a line below.
    pub(super) fn middle(&mut self, figures: &[(&str, &str)]) {
        let mut y = self.center() - 52.0;
        for (at, (figure, below)) in figures.iter().enumerate() {
            let size = if at == 0 { 30 } else { 18 };
            let style = format!("font-size=\"{size}\" font-weight=\"600\" text-anchor=\"middle\"");
            self.write(CENTER, y, &style, INK, figure);
            self.write(CENTER, y + 17.0, "font-size=\"12\" text-anchor=\"middle\"", PALE, below);
            y += 54.0;
        }
    }

    /// The height of a row of the list.
    #[expect(clippy::cast_precision_loss, reason = "a list is short")]
    #[expect(clippy::unused_self, reason = "rows belong to a picture")]
    pub(super) fn row(&self, at: usize) -> f64 {
        TOP + (at as f64 + 0.5) * ROW
    }

    pub(super) fn heading(&mut self, columns: &[&str; 4]) {
        let y = TOP - 12.0;
        let style = "font-size=\"12\"";
        self.write(LIST + 22.0, y, style, PALE, columns[0]);
        self.write(LIST + 102.0, y, style, PALE, columns[1]);
        let right = "font-size=\"12\" text-anchor=\"end\"";
        self.write(NUMBERS[0], y, right, PALE, columns[2]);
        self.write(NUMBERS[1], y, right, PALE, columns[3]);
        let (y, right) = (y + 7.0, NUMBERS[1]);
        let _ = writeln!(
            self.text,
            "<line x1=\"{LIST}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\" stroke=\"{GREY}\"/>"
        );
    }

    pub(super) fn swatch(&mut self, y: f64, fill: &str) {
        self.square(LIST, y, fill);
    }

    pub(super) fn name(&mut self, y: f64, name: &str) {
        self.write(LIST + 22.0, y + 5.0, "font-size=\"14\"", INK, &short(name, 18));
    }

    /// Two names with an arrow between them, the second with its color.
    pub(super) fn pair(&mut self, y: f64, from: &str, to: &str, fill: &str) {
        self.write(LIST + 22.0, y + 5.0, "font-size=\"14\"", INK, &short(from, 8));
        self.write(LIST + 82.0, y + 5.0, "font-size=\"13\"", PALE, "\u{2192}");
        self.square(LIST + 102.0, y, fill);
        self.write(LIST + 122.0, y + 5.0, "font-size=\"14\"", INK, &short(to, 8));
    }

    /// A bar of a part of the width, with a mark at another.
    pub(super) fn bar(&mut self, y: f64, part: f64, mark: f64, fill: &str) {
        let (top, width) = (y - 6.0, (part * BAR_WIDTH).max(0.5));
        let _ = writeln!(
            self.text,
            "<rect x=\"{BAR}\" y=\"{top}\" width=\"{BAR_WIDTH}\" height=\"12\" rx=\"3\" fill=\"#f1f3f5\"/>\
             <rect x=\"{BAR}\" y=\"{top}\" width=\"{width:.2}\" height=\"12\" rx=\"3\" fill=\"{fill}\"/>"
        );
        if mark > 0.0 {
            let (x, from, to) = (BAR + mark * BAR_WIDTH, y - 9.0, y + 9.0);
            let _ = writeln!(
                self.text,
                "<line x1=\"{x:.2}\" y1=\"{from}\" x2=\"{x:.2}\" y2=\"{to}\" stroke=\"{INK}\" \
                 stroke-width=\"1.5\"/>"
            );
        }
    }

    pub(super) fn number(&mut self, y: f64, column: usize, text: &str) {
        let style = "font-size=\"13\" text-anchor=\"end\" font-variant-numeric=\"tabular-nums\"";
        self.write(NUMBERS[column], y + 5.0, style, INK, text);
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn center(&self) -> f64 {
        (self.height + 88.0) / 2.0
    }

    fn square(&mut self, x: f64, y: f64, fill: &str) {
        let y = y - 6.0;
        let _ = writeln!(
            self.text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" rx=\"3\" fill=\"{fill}\"/>"
        );
    }

    fn write(&mut self, x: f64, y: f64, style: &str, fill: &str, text: &str) {
        let text = escape(text);
        let _ =
            writeln!(self.text, "<text x=\"{x}\" y=\"{y}\" {style} fill=\"{fill}\">{text}</text>");
    }
}

/// The color of a node: from a list, and then around the wheel so that neighbours differ.
pub(super) fn color(number: u32) -> String {
    const FIRST: [&str; 12] = [
        "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#ff9da7",
        "#9c755f", "#3b8ea5", "#d37295", "#8cd17d",
    ];
    if let Some(color) = FIRST.get(number as usize) {
        return (*color).to_owned();
    }
    let hue = (f64::from(number) * 137.508) % 360.0;
    let light = 48 + number % 3 * 9;
    format!("hsl({hue:.0}, 52%, {light}%)")
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(most - 1).collect();
    text.push('\u{2026}');
    text
}

/// What XML has no other use for; control characters, which it does not know, become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_text_in_xml() {
        assert_eq!(escape("<a & \"b\"\n\0>"), "&lt;a &amp; &quot;b&quot;  &gt;");
        assert_eq!(short("日本語日本語", 4), "日本語…");
    }
}
