//! The torture table: the scenarios of dogpile-conformance, on us and on our peers.

use std::error::Error;
use std::time::Duration;

use dogpile_conformance::torture::{self, Outcome, SCENARIOS, run_some};
use serde_json::json;

use super::Measured;
use crate::arguments::Settings;
use crate::peers::{OURS, OURS_BORROWING, PEERS, Peer};
use crate::plot::{Plot, Span, Spans};
use crate::report::{Bar, Mark, Row, columns, number};
use crate::timing::median_duration;

/// Who takes longer than this is measured once.
const SLOW: Duration = Duration::from_secs(2);

pub(super) fn run(scenario: &'static str, settings: Settings) -> Result<Measured, Box<dyn Error>> {
    let rounds = measure(scenario, settings);
    let outcomes: Vec<Outcome> = rounds.iter().filter_map(|(_, rounds)| sum_up(rounds)).collect();
    let rows = promises(scenario).into_iter().map(|promise| promise.row(&rounds)).collect();
    let plots = plot(scenario, &outcomes).into_iter().collect();
    Ok(Measured { rows, outcomes, plots })
}

/// What a stampede does to those who are in it.
fn plot(scenario: &str, outcomes: &[Outcome]) -> Option<Plot> {
    if scenario != "one_expired_key" {
        return None;
    }
    let nanos = |time: Duration| time.as_nanos() as f64;
    let span = |outcome: &Outcome| Span {
        name: outcome.cache.clone(),
        is_ours: [OURS, OURS_BORROWING].contains(&&*outcome.cache),
        p50: nanos(outcome.p50),
        p99: nanos(outcome.p99),
        max: nanos(outcome.max),
    };
    Some(Plot::new(
        "stampede-latency.svg",
        "How long 1,000 callers wait when a value expires",
        "all ask at once for one expired key, and creating the next value takes 50 ms; logarithmic, left is better",
        &Spans { spans: outcomes.iter().map(span).collect() },
    ))
}

/// The outcomes of each contender, round by round; the contenders take turns.
fn measure(scenario: &'static str, settings: Settings) -> Vec<(Peer, Vec<Outcome>)> {
    let mut table = torture::Settings::default();
    if settings.quick {
        table.read_for = Duration::from_secs(1);
        table.hung_after = Duration::from_secs(6);
    }
    let one = |peer: Peer| run_some(&peer, &table, &[scenario]);
    if scenario == "recursion" {
        // It measures no time, and most peers take all there is.
        return std::thread::scope(|scope| {
            let running: Vec<_> =
                PEERS.iter().map(|&peer| (peer, scope.spawn(move || one(peer)))).collect();
            running.into_iter().map(|(peer, run)| (peer, run.join().unwrap_or_default())).collect()
        });
    }
    let mut measured: Vec<(Peer, Vec<Outcome>)> =
        PEERS.iter().map(|&peer| (peer, Vec::new())).collect();
    for round in 0..settings.long_rounds() {
        for turn in 0..measured.len() {
            // Each round begins with another one.
            let at = (turn + round) % measured.len();
            let (peer, outcomes) = &mut measured[at];
            let slow = |outcome: &Outcome| outcome.hung > 0 || outcome.last > SLOW;
            let is_ours = [OURS, OURS_BORROWING].contains(&peer.name);
            if round > 0 && !is_ours && outcomes.last().is_none_or(slow) {
                continue;
            }
            outcomes.extend(one(*peer));
        }
    }
    measured
}

/// The worst counts of all rounds, and the medians of their times.
fn sum_up(rounds: &[Outcome]) -> Option<Outcome> {
    let mut sum = rounds.first()?.clone();
    let most = |count: fn(&Outcome) -> usize| rounds.iter().map(count).max().unwrap_or(0);
    let least = |count: fn(&Outcome) -> usize| rounds.iter().map(count).min().unwrap_or(0);
    let median = |time: fn(&Outcome) -> Duration| median_duration(rounds.iter().map(time));
    sum.creations = most(|o| o.creations);
    sum.served = least(|o| o.served);
    sum.stale = least(|o| o.stale);
    sum.errors = most(|o| o.errors);
    sum.panics = most(|o| o.panics);
    sum.hung = most(|o| o.hung);
    sum.slow = most(|o| o.slow);
    sum.last = median(|o| o.last);
    sum.p50 = median(|o| o.p50);
    sum.p99 = median(|o| o.p99);
    sum.max = median(|o| o.max);
    if let Some(worst) = rounds.iter().min_by(|a, b| a.late_share().total_cmp(&b.late_share())) {
        (sum.late_calls, sum.late_served) = (worst.late_calls, worst.late_served);
    }
    Some(sum)
}

/// One figure of a scenario that has to be held.
struct Promise {
    name: &'static str,
    /// Which of ours it is about.
    of: &'static str,
    figure: fn(&Outcome) -> f64,
    unit: &'static str,
    bar: Bar,
}

fn promises(scenario: &str) -> Vec<Promise> {
    let creations: fn(&Outcome) -> f64 = |o| o.creations as f64;
    let last: fn(&Outcome) -> f64 = |o| o.last.as_secs_f64() * 1e3;
    let promise = |name, figure, unit, bar| Promise { name, of: OURS, figure, unit, bar };
    let most = |name, figure, unit, most| promise(name, figure, unit, Bar::AtMost(most));
    let least = |name, figure, unit, least| promise(name, figure, unit, Bar::AtLeast(least));
    let borrowing = |promise: Promise| Promise { of: OURS_BORROWING, ..promise };
    match scenario {
        "one_missing_key" => vec![
            most("1,000 tasks on a missing key, creations", creations, "", 1.0),
            most("1,000 tasks on a missing key, last waiter", last, " ms", 55.0),
        ],
        "leader_cancelled" => vec![
            most("leader cancelled, detached, creations", creations, "", 1.0),
            borrowing(most("leader cancelled, borrowing, creations", creations, "", 2.0)),
            most("leader cancelled, hung", |o| o.hung as f64, "", 0.0),
        ],
        "leader_panics" => vec![
            most("leader panics, failures", |o| (o.errors + o.panics) as f64, "", 1.0),
            most("leader panics, hung", |o| o.hung as f64, "", 0.0),
        ],
        "creator_fails" => vec![
            most("creator fails for 100, creations", creations, "", 1.0),
            most("creator fails for 100, last told", last, " ms", 55.0),
        ],
        "distinct_keys" => vec![most("200 keys at once, last served", last, " ms", 55.0)],
        "hot_key_while_others_load" => {
            vec![most("hot key while others load, p99", |o| o.p99.as_secs_f64() * 1e6, " us", 50.0)]
        }
        "recursion" => vec![
            most("recursion, hung", |o| o.hung as f64, "", 0.0),
            least("recursion, told as an error", |o| o.errors as f64, "", 1.0),
        ],
        "different_error_types" => {
            vec![most("three error types, creations", creations, "", 1.0)]
        }
        "storm" => vec![
            most("storm, creations", creations, "", 2.0),
            least("storm, late calls served", |o| o.late_share() * 100.0, " %", 95.0),
        ],
        "expiry_stalls" => {
            vec![most("64 readers of an expiring key, slow reads", |o| o.slow as f64, "", 0.0)]
        }
        "one_expired_key" => vec![
            borrowing(most("1,000 tasks on an expired key, creations", creations, "", 1.0)),
            borrowing(least(
                "1,000 tasks on an expired key, stale answers",
                |o| o.stale as f64,
                "",
                999.0,
            )),
            borrowing(most(
                "1,000 tasks on an expired key, p99",
                |o| o.p99.as_secs_f64() * 1e3,
                " ms",
                1.0,
            )),
        ],
        _ => Vec::new(),
    }
}

impl Promise {
    fn row(&self, measured: &[(Peer, Vec<Outcome>)]) -> Row {
        let figure = |rounds: &[Outcome]| sum_up(rounds).map(|sum| (self.figure)(&sum));
        let ours = measured.iter().find(|(peer, _)| peer.name == self.of);
        let ours = ours.and_then(|(_, rounds)| figure(rounds)).unwrap_or(f64::NAN);
        let others: Vec<f64> = measured
            .iter()
            .filter(|(peer, _)| ![OURS, OURS_BORROWING].contains(&peer.name))
            .filter_map(|(_, rounds)| figure(rounds))
            .collect();
        let details = measured.iter().map(|(peer, rounds)| {
            json!({ "name": peer.name, "rounds": rounds.iter().map(in_full).collect::<Vec<_>>() })
        });
        Row {
            name: self.name.to_owned(),
            ours: format!("{}{}", number(ours), self.unit),
            peer: range(&others, self.unit),
            figure: ours,
            unit: self.unit,
            bar: self.bar,
            details: details.collect(),
        }
    }
}

/// From the least to the most of the peers.
fn range(figures: &[f64], unit: &str) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match figures {
        [] => String::new(),
        _ if least == most => format!("{}{unit}", number(least)),
        _ => format!("{}..{}{unit}", number(least), number(most)),
    }
}

fn in_full(outcome: &Outcome) -> serde_json::Value {
    json!({
        "calls": outcome.calls,
        "creations": outcome.creations,
        "served": outcome.served,
        "stale": outcome.stale,
        "errors": outcome.errors,
        "panics": outcome.panics,
        "gave_up": outcome.gave_up,
        "hung": outcome.hung,
        "slow": outcome.slow,
        "late_calls": outcome.late_calls,
        "late_served": outcome.late_served,
        "last_us": outcome.last.as_micros(),
        "p50_us": outcome.p50.as_micros(),
        "p99_us": outcome.p99.as_secs_f64() * 1e6,
        "max_us": outcome.max.as_micros(),
    })
}

/// All caches in all scenarios that ran, a line for each cache.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let ran: Vec<&str> = SCENARIOS
        .iter()
        .copied()
        .filter(|scenario| outcomes.iter().any(|outcome| outcome.scenario == *scenario))
        .collect();
    let mut text = String::new();
    for scenarios in ran.chunks(6) {
        let head = |scenario: &str| column(scenario).0.to_owned();
        let what = |scenario: &str| column(scenario).1.to_owned();
        let line = |name: &str, cells: &dyn Fn(&str) -> String| {
            let mut line = vec![name.to_owned()];
            line.extend(scenarios.iter().copied().map(cells));
            line.push(String::new());
            line
        };
        let mut cells = vec![line("", &head), line("", &what)];
        let mut marks = vec![Mark::Head, Mark::Plain];
        for peer in PEERS {
            cells.push(line(peer.name, &|scenario| {
                let of = |o: &&Outcome| o.cache == peer.name && o.scenario == scenario;
                outcomes.iter().find(of).map_or_else(|| "-".to_owned(), cell)
            }));
            marks.push(Mark::Good);
        }
        text.push_str(&columns(&cells, &marks));
        text.push('\n');
    }
    text
}

/// The head of a column, and what it shows.
fn column(scenario: &str) -> (&'static str, &'static str) {
    match scenario {
        "one_missing_key" => ("missing key", "made, last ms"),
        "leader_cancelled" => ("cancelled", "made, last ms"),
        "leader_panics" => ("panics", "made, failed"),
        "creator_fails" => ("fails", "made, last ms"),
        "distinct_keys" => ("200 keys", "last ms"),
        "hot_key_while_others_load" => ("hot key", "p99 us"),
        "recursion" => ("recursion", ""),
        "different_error_types" => ("error types", "made"),
        "storm" => ("storm", "made, served %"),
        "expiry_stalls" => ("stalls", "slow of reads"),
        _ => ("expired key", "made, stale"),
    }
}

fn cell(o: &Outcome) -> String {
    let ms = |d: Duration| number(d.as_secs_f64() * 1e3);
    match o.scenario {
        _ if o.hung > 0 => "hangs".to_owned(),
        "one_missing_key" | "leader_cancelled" | "creator_fails" => {
            format!("{}, {}", o.creations, ms(o.last))
        }
        "leader_panics" => format!("{}, {}", o.creations, o.errors + o.panics),
        "distinct_keys" => ms(o.last),
        "hot_key_while_others_load" => number(o.p99.as_secs_f64() * 1e6),
        "recursion" if o.errors > 0 => "an error".to_owned(),
        "recursion" => "no error".to_owned(),
        "different_error_types" => o.creations.to_string(),
        "storm" => format!("{}, {}", o.creations, number(o.late_share() * 100.0)),
        "expiry_stalls" => format!("{} of {}", o.slow, o.calls),
        _ => format!("{}, {}", o.creations, o.stale),
    }
}
