//! Logarithmic axes.

/// From the largest power of the base below all values to the smallest above.
pub(super) struct Log {
    base: f64,
    first: f64,
    last: f64,
    /// Where the first and the last lie on the page.
    from: f64,
    to: f64,
}

impl Log {
    /// Values that are not above zero have no place on it.
    pub(super) fn new(base: f64, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for power in values.filter(|value| *value > 0.0).map(|value| value.log(base)) {
            (low, high) = (low.min(power), high.max(power));
        }
        let (first, last) = match low <= high {
            // A hair of tolerance, because log(1000) is not quite three.
            true => ((low + 1e-9).floor(), (high - 1e-9).ceil()),
            false => (0.0, 1.0),
        };
        Self { base, first, last: last.max(first + 1.0), from, to }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let part = (value.log(self.base) - self.first) / (self.last - self.first);
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> {
        let (base, first) = (self.base, self.first);
        (0..=(self.last - first) as i32).map(move |nth| base.powf(first + f64::from(nth)))
    }
}

/// `12000` as `12,000`, and below ten with a decimal if there is something behind it.
pub(super) fn number(value: f64) -> String {
    if value < 10.0 && value.fract() > 0.05 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Nanoseconds in the unit that suits them.
pub(super) fn time(nanos: f64) -> String {
    match nanos {
        _ if nanos < 1e3 => format!("{} ns", number(nanos)),
        _ if nanos < 1e6 => format!("{} µs", number(nanos / 1e3)),
        _ if nanos < 1e9 => format!("{} ms", number(nanos / 1e6)),
        _ => format!("{} s", number(nanos / 1e9)),
    }
}
