//! What a scenario measured.

use std::fmt::Write;
use std::time::Duration;

use super::SCENARIOS;

/// What came out of one scenario.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The cache, as its [`Contender`](super::Contender) names it; empty where a scenario was called
    /// directly.
    pub cache: String,
    /// The scenario.
    pub scenario: &'static str,
    /// Calls of the cache.
    pub calls: usize,
    /// How often a creator ran.
    pub creations: usize,
    /// Calls that were answered with a value.
    pub served: usize,
    /// Of these, calls that were answered with an older value than the newest there was to be.
    pub stale: usize,
    /// Calls that were answered with an error.
    pub errors: usize,
    /// Calls that panicked.
    pub panics: usize,
    /// Calls that their caller gave up, as the scenario wants it.
    pub gave_up: usize,
    /// Calls that had no answer when the scenario ended.
    pub hung: usize,
    /// Reads slower than [`Settings::slow`](super::Settings::slow), after the first creation.
    pub slow: usize,
    /// Of the calls in a storm that began after the first creation had ended, how many.
    pub late_calls: usize,
    /// Of these, how many were answered with a value.
    pub late_served: usize,
    /// From the first call to the last answer.
    pub last: Duration,
    /// The median call.
    pub p50: Duration,
    /// The call that 99 of 100 are not slower than.
    pub p99: Duration,
    /// The slowest call.
    pub max: Duration,
}

impl Outcome {
    /// Of the calls in a storm that began after the first creation had ended, the share that was
    /// served: 0 to 1, and 0 where no creation ever ended.
    #[must_use]
    pub fn late_share(&self) -> f64 {
        match self.late_calls {
            0 => 0.0,
            calls => self.late_served as f64 / calls as f64,
        }
    }

    pub(super) fn of(mut self, cache: String) -> Self {
        self.cache = cache;
        self
    }

    /// A scenario that did not come back at all.
    pub(super) fn all_hung(scenario: &'static str) -> Self {
        Self { scenario, calls: 1, hung: 1, ..Self::default() }
    }
}

/// A table for people: a block for each scenario, a line for each cache in it.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for scenario in SCENARIOS {
        let of_scenario = outcomes.iter().filter(|outcome| outcome.scenario == *scenario);
        let mut lines = of_scenario.map(line).peekable();
        if lines.peek().is_some() {
            let _ = writeln!(text, "{}", head(scenario));
            lines.for_each(|line| text.push_str(&line));
        }
    }
    text
}

fn head(scenario: &str) -> String {
    format!(
        "{scenario:<26} {:>9} {:>7} {:>6} {:>6} {:>6} {:>5} {:>9} {:>9} {:>9} {:>9}",
        "creations",
        "served",
        "stale",
        "errors",
        "panics",
        "hung",
        "last ms",
        "p50 us",
        "p99 us",
        "max us"
    )
}

fn line(outcome: &Outcome) -> String {
    let ms = |d: Duration| format!("{:.1}", d.as_secs_f64() * 1e3);
    let us = |d: Duration| format!("{:.1}", d.as_secs_f64() * 1e6);
    let mut line = format!(
        "  {:<24} {:>9} {:>7} {:>6} {:>6} {:>6} {:>5} {:>9} {:>9} {:>9} {:>9}",
        outcome.cache,
        outcome.creations,
        outcome.served,
        outcome.stale,
        outcome.errors,
        outcome.panics,
        outcome.hung,
        ms(outcome.last),
        us(outcome.p50),
        us(outcome.p99),
        us(outcome.max),
    );
    if outcome.scenario == "storm" {
        let share = outcome.late_share() * 100.0;
        let _ = write!(line, "  {share:.1} % of {} late calls served", outcome.late_calls);
    }
    if outcome.scenario == "expiry_stalls" {
        let _ = write!(line, "  {} of {} reads slow", outcome.slow, outcome.calls);
    }
    line.push('\n');
    line
}
