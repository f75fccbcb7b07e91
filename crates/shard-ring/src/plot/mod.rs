//! Pictures: a ring, and what moves when one ring follows another, as SVG.
//!
//! The circle begins at the top and goes clockwise, as the ring does. Arcs are drawn where they are;
//! of a ring of more than a few thousand arcs, ten to the degree are drawn.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::arcs::share;
use crate::{Error, Position, Range, Ring};

mod svg;

use self::svg::{GREY, INK, Svg, color};

/// Nodes and moves that are listed beside the circle; the rest is counted.
const LISTED: usize = 20;
const ROW: f64 = 26.0;
/// Beyond this many arcs, a circle is drawn in slices.
const MOST_ARCS: usize = 4_000;
const SLICES: u32 = 3_600;

/// A ring: who owns what, and how even that is.
///
/// ```
/// use shard_ring::{Profile, Ring, plot};
///
/// let ring = Ring::with_nodes(Profile::native(), [("a", 1), ("b", 2)])?;
/// let picture = plot::ring(&ring);
/// assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
/// # Ok::<(), shard_ring::Error>(())
/// ```
#[must_use]
pub fn ring<N>(ring: &Ring<N>) -> String {
    let stats = ring.stats();
    let mut svg = Svg::new(stats.shares().len().clamp(13, LISTED + 1));
    svg.title(&format!("{} nodes on a ring", ring.len()), &format!("{}", ring.profile()));
    let slices = slices(ring, Some);
    if slices.is_empty() {
        svg.band(150.0, 205.0, 0.0, 1.0, GREY);
    }
    for (range, number) in &slices {
        svg.band(150.0, 205.0, turn(range.first), range.share(), &color(*number));
    }
    svg.middle(&[
        (&format!("{:.3}", stats.peak()), "peak to mean"),
        (&format!("{:.1} %", stats.deviation() * 100.0), "standard deviation"),
        (&thousands(ring.point_count()), "points"),
    ]);

    let scale = stats.peak().max(1.25);
    svg.heading(&["node", "", "share", "load"]);
    for (number, share) in (0..).zip(stats.shares()).take(LISTED) {
        let y = svg.row(number as usize);
        svg.swatch(y, &color(number));
        svg.name(y, share.name);
        svg.bar(y, share.load() / scale, 1.0 / scale, &color(number));
        svg.number(y, 0, &format!("{:.2} %", share.share * 100.0));
        svg.number(y, 1, &format!("{:.2}", share.load()));
    }
    if stats.shares().len() > LISTED {
        let y = svg.row(LISTED);
        svg.name(y, &format!("and {} more", stats.shares().len() - LISTED));
    }
    svg.finish()
}

/// What moves from one ring to another: the old owners inside, the new ones outside, and between
/// them what moves, in the color of the new owner.
///
/// # Errors
/// As [`Ring::diff`].
pub fn plan<N, M>(old: &Ring<N>, new: &Ring<M>) -> Result<String, Error> {
    let plan = old.diff(new)?;
    let totals = plan.totals();
    let mut by_share = totals.clone();
    by_share.sort_by(|(.., one), (.., other)| other.total_cmp(one));
    // A node has one color in both, and the new nodes follow the old.
    let mut names: Vec<&str> = old.iter().map(|node| node.name()).collect();
    names.extend(new.iter().map(|node| node.name()).filter(|name| !old.contains(name)));
    let number = |name: &str| (0..).zip(&names).find(|(_, other)| **other == name);
    let colored = |name: &str| number(name).map(|(number, _)| number);

    let mut svg = Svg::new(by_share.len().clamp(13, LISTED + 1));
    svg.title(
        &format!("{:.1} % of all keys move", plan.share() * 100.0),
        &format!("from {} to {} nodes, in {} ranges", old.len(), new.len(), plan.moves().len()),
    );
    for (range, number) in slices(old, |number| colored(old.name(number))) {
        svg.band(118.0, 148.0, turn(range.first), range.share(), &color(number));
    }
    svg.band(151.0, 172.0, 0.0, 1.0, "#eceef1");
    for (range, number) in slices(new, |number| colored(new.name(number))) {
        svg.band(175.0, 205.0, turn(range.first), range.share(), &color(number));
    }
    for step in plan.moves() {
        let color = colored(step.to).map_or_else(|| INK.into(), color);
        svg.band(151.0, 172.0, turn(step.range.first), step.range.share(), &color);
    }
    svg.middle(&[
        (&format!("{} \u{2192} {}", old.len(), new.len()), "nodes"),
        (&format!("{:.1} %", plan.share() * 100.0), "of all keys move"),
        (&thousands(plan.moves().len()), "ranges"),
    ]);

    let most = by_share.first().map_or(1.0, |(.., share)| *share);
    svg.heading(&["from", "to", "", "of all keys"]);
    for (at, (from, to, share)) in by_share.iter().enumerate().take(LISTED) {
        let y = svg.row(at);
        svg.swatch(y, &colored(from).map_or_else(|| INK.into(), color));
        svg.pair(y, from, to, &colored(to).map_or_else(|| INK.into(), color));
        svg.bar(y, share / most, 0.0, &colored(to).map_or_else(|| INK.into(), color));
        svg.number(y, 1, &format!("{:.2} %", share * 100.0));
    }
    if by_share.len() > LISTED {
        let y = svg.row(LISTED);
        svg.name(y, &format!("and {} more", by_share.len() - LISTED));
    }
    Ok(svg.finish())
}

/// The arcs of a ring, or what is in the middle of each slice, with a number for each owner.
fn slices<N>(ring: &Ring<N>, number: impl Fn(u32) -> Option<u32>) -> Vec<(Range, u32)> {
    let arcs = ring.arcs();
    let mut ends: Vec<(u128, u32)> = Vec::new();
    if arcs.len() <= MOST_ARCS {
        ends.extend(arcs.iter().map(|arc| (arc.last, arc.node)));
    } else {
        let width = u128::MAX / u128::from(SLICES);
        for slice in 1..=u128::from(SLICES) {
            let middle = slice * width - width / 2;
            let owner = arcs.get(arcs.partition_point(|arc| arc.last < middle));
            ends.extend(owner.map(|arc| (slice * width, arc.node)));
        }
    }
    let mut first = 0;
    let range = |(last, node): (u128, u32)| {
        let range = Range { first: Position::new(first), last: Position::new(last) };
        first = last.wrapping_add(1);
        number(node).map(|number| (range, number))
    };
    ends.into_iter().filter_map(range).collect()
}

fn turn(position: Position) -> f64 {
    share(position.bits())
}

fn thousands(number: usize) -> String {
    let digits = format!("{number}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        let _ = text.write_char(digit);
    }
    text
}
