//! Durations as people write them.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A span of time; `None` is written `never`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Time(pub(super) Option<Duration>);

/// The longest span that can be written: a thousand years. Beyond it people mean `never`, and sums
/// overflow.
const LONGEST: Duration = Duration::from_secs(31_556_952_000);

const EXPECTED: &str = "a duration such as \"90s\", \"5m\", \"1h 30m\", \"250ms\" or \"2d\"";

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                parse(text).ok_or_else(|| E::custom(format!("{text:?} is not {EXPECTED}")))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

fn parse(text: &str) -> Option<Time> {
    if text == "never" {
        return Some(Time(None));
    }
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    // At least one number with its unit.
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let millis = number.parse::<u64>().ok()?.checked_mul(millis)?;
        sum = sum.checked_add(Duration::from_millis(millis)).filter(|sum| *sum <= LONGEST)?;
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(Time(Some(sum)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        for (text, millis) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            (" 2d ", 172_800_000),
            ("0s", 0),
            ("1s 1s", 2_000),
        ] {
            assert_eq!(parse(text), Some(Time(Some(Duration::from_millis(millis)))), "{text}");
        }
        assert_eq!(parse("never"), Some(Time(None)));
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "",
            " ",
            "90",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1s,2s",
            "90 seconds",
            "Never",
            "1S",
            "∞",
            "１s",
            "18446744073709551615d",
            "99999999999999999999s",
            "400000d",
            "1s never",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
