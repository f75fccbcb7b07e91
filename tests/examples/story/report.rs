//! What is shown.

use crate::stage::Stage;

/// What came of one stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    /// How often the database was asked, minute by minute.
    pub(crate) minutes: Vec<u64>,
    /// Callers that waited for the database, after the first minute, while it was not slow.
    pub(crate) waited: u64,
    /// Callers that waited for the database while it was slow.
    pub(crate) waited_long: u64,
    /// Callers that were told an error.
    pub(crate) failed: u64,
}

impl Counts {
    /// How often the database was asked.
    pub(crate) fn queries(&self) -> u64 {
        self.minutes.iter().sum()
    }
}

pub(crate) fn table(told: &[(Stage, Counts)]) -> String {
    let requests = told.first().map_or(0, |(_, counts)| counts.requests);
    let mut out = format!(
        "{} requests\n\n{:<28}{:>16}{:>12}{:>14}{:>12}\n{}\n",
        in_thousands(requests),
        "",
        "database calls",
        "waited",
        "waited long",
        "errors",
        "─".repeat(82)
    );
    for (stage, counts) in told {
        out += &format!(
            "{:<28}{:>16}{:>12}{:>14}{:>12}\n",
            stage.name(),
            in_thousands(counts.queries()),
            in_thousands(counts.waited),
            in_thousands(counts.waited_long),
            in_thousands(counts.failed)
        );
    }
    out
}

pub(crate) fn json(told: &[(Stage, Counts)]) -> String {
    let stages: Vec<_> = told
        .iter()
        .map(|(stage, counts)| {
            serde_json::json!({
                "stage": stage.name(),
                "requests": counts.requests,
                "queries": counts.queries(),
                "minutes": counts.minutes,
                "waited": counts.waited,
                "waited_long": counts.waited_long,
                "failed": counts.failed,
            })
        })
        .collect();
    format!("{}\n", serde_json::Value::from(stages))
}

/// `1100000` as `1,100,000`.
fn in_thousands(number: u64) -> String {
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
