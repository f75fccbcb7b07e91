//! Measuring in rounds that take turns, so that whatever else the machine does hits everybody alike.

use std::time::{Duration, Instant};

use crate::keys::shuffled;

/// One thing to measure: each call is one round, and answers how many operations it made.
pub(crate) struct Contestant<'a> {
    name: &'static str,
    round: Box<dyn FnMut() -> u64 + 'a>,
}

impl<'a> Contestant<'a> {
    pub(crate) fn new(name: &'static str, round: impl FnMut() -> u64 + 'a) -> Self {
        Self { name, round: Box::new(round) }
    }
}

/// What each contestant took for one operation, in nanoseconds, round by round.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) nanos: Vec<f64>,
}

impl Measured {
    pub(crate) fn median(&self) -> f64 {
        quantile(&self.nanos, 0.5)
    }

    /// The median of the rounds' ratios: both sides of a ratio were measured within milliseconds.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        let ratios: Vec<f64> = self.nanos.iter().zip(&other.nanos).map(|(a, b)| a / b).collect();
        quantile(&ratios, 0.5)
    }

    /// The middle half of the rounds.
    pub(crate) fn spread(&self) -> (f64, f64) {
        (quantile(&self.nanos, 0.25), quantile(&self.nanos, 0.75))
    }
}

/// Lets the contestants take turns, `rounds` times, after one round each that does not count. Each
/// time in another order, so that nobody comes after the same one, or after himself, more often than
/// the others: what he left in the caches of the processor and of a server is his advantage.
pub(crate) fn take_turns(rounds: usize, contestants: Vec<Contestant<'_>>) -> Vec<Measured> {
    let mut contestants = contestants;
    let mut measured: Vec<Measured> = contestants
        .iter()
        .map(|contestant| Measured { name: contestant.name, nanos: Vec::with_capacity(rounds) })
        .collect();
    for contestant in &mut contestants {
        (contestant.round)();
    }
    for round in 0..rounds {
        for at in shuffled(contestants.len(), round as u64) {
            let began = Instant::now();
            let operations = (contestants[at].round)();
            measured[at].nanos.push(began.elapsed().as_nanos() as f64 / operations as f64);
        }
    }
    measured
}

/// Adds more rounds of the same contestants.
pub(crate) fn join(all: &mut Vec<Measured>, more: Vec<Measured>) {
    if all.is_empty() {
        *all = more;
    } else {
        for (present, more) in all.iter_mut().zip(more) {
            present.nanos.extend(more.nanos);
        }
    }
}

/// The value that this part of the values lies below.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len => {
            let at = part * (len - 1) as f64;
            let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
            low + (high - low) * at.fract()
        }
    }
}

pub(crate) fn median_duration(durations: impl IntoIterator<Item = Duration>) -> Duration {
    let seconds: Vec<f64> = durations.into_iter().map(|d| d.as_secs_f64()).collect();
    Duration::try_from_secs_f64(quantile(&seconds, 0.5)).unwrap_or_default()
}
