//! How evenly a ring is cut, exactly: by the length of its arcs and not by trying keys.

use alloc::vec::Vec;
use core::fmt;

use crate::arcs::share;
use crate::{Error, Ring};

/// What each node owns. Made by [`Ring::stats`].
///
/// Its [`Display`](fmt::Display) is a table with a bar for each node.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats<'r> {
    shares: Vec<Share<'r>>,
}

/// The part of one node.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Share<'r> {
    /// The name of the node.
    pub name: &'r str,
    /// What it owns of the circle, from 0 to 1.
    pub share: f64,
    /// What it would own if weights were all that counted.
    pub fair: f64,
    /// How many points it has.
    pub points: usize,
}

impl Share<'_> {
    /// What it owns in terms of what is fair: 1.1 is a tenth more.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.share / self.fair
    }
}

impl<N> Ring<N> {
    /// How evenly the ring is cut. Marks have no part in it.
    ///
    /// ```
    /// use shard_ring::{Profile, Ring};
    ///
    /// let ring = Ring::with_nodes(Profile::md5(), (1..=10).map(|n| (format!("node{n}"), n)))?;
    /// let stats = ring.stats();
    /// assert!(stats.deviation() < 0.15 && stats.peak() < 1.3);
    /// println!("{stats}");
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "weights become a fraction")]
    pub fn stats(&self) -> Stats<'_> {
        let mut places = alloc::vec![0_u128; self.len()];
        let mut first = 0;
        for arc in self.arcs() {
            places[arc.node as usize] += arc.last - first;
            // The arc's last place itself; of the whole circle, the sum is one too small to overflow.
            places[arc.node as usize] = places[arc.node as usize].saturating_add(1);
            first = arc.last.wrapping_add(1);
        }
        let mut points = alloc::vec![0; self.len()];
        self.points().as_slice().iter().for_each(|entry| points[entry.node() as usize] += 1);
        let weight = self.crowd().weight as f64;
        let shares = self.iter().zip(places).zip(points).map(|((node, places), points)| Share {
            name: node.name(),
            share: share(places),
            fair: f64::from(node.weight()) / weight,
            points,
        });
        Stats { shares: shares.collect() }
    }

    /// How many points a node of weight 1 needs, so that no node owns more than `peak` times what is
    /// fair: 1.1 is a tenth more. For these names, by cutting rings of them and measuring; it is
    /// exact to a tenth of the answer. `None` if [`MAX_POINTS`](Ring::MAX_POINTS) do not suffice,
    /// or `peak` is not above 1.
    ///
    /// # Errors
    /// [`Error::FixedPoints`] for ketama, and [`Error::Empty`] if there is no node.
    ///
    /// ```
    /// use shard_ring::{Profile, Ring};
    ///
    /// let ring = Ring::with_nodes(Profile::native(), (1..=10).map(|n| (format!("node{n}"), n)))?;
    /// let points = ring.points_for_peak(1.1)?.unwrap();
    /// assert!((100..2_000).contains(&points), "{points}");
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    pub fn points_for_peak(&self, peak: f64) -> Result<Option<u32>, Error> {
        if self.is_empty() {
            return Err(Error::Empty);
        }
        let mut points: u32 = 1;
        loop {
            let profile = self.profile().with_points(points)?;
            let bare = self
                .iter()
                .map(|node| crate::Node::new(node.name(), ()).with_weight(node.weight()));
            match Ring::with_nodes(profile, bare) {
                Ok(ring) if ring.stats().peak() <= peak => return Ok(Some(points)),
                Err(Error::TooLarge) => return Ok(None),
                Ok(_) if peak > 1.0 => points += points.div_ceil(10),
                Ok(_) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

impl<'r> Stats<'r> {
    /// The parts of the nodes, in the order of the ring.
    #[must_use]
    pub fn shares(&self) -> &[Share<'r>] {
        &self.shares
    }

    /// The standard deviation of the nodes' [loads](Share::load): 0.1 is a tenth of what is fair. 0
    /// without nodes.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count becomes a mean")]
    pub fn deviation(&self) -> f64 {
        if self.shares.is_empty() {
            return 0.0;
        }
        let squares = self.shares.iter().map(|share| (share.load() - 1.0) * (share.load() - 1.0));
        square_root(squares.sum::<f64>() / self.shares.len() as f64)
    }

    /// The highest load of a node: 1.2 is a fifth more than is fair. 0 without nodes.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.shares.iter().map(Share::load).fold(0.0, f64::max)
    }

    /// The lowest load of a node. 0 without nodes.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.shares.iter().map(Share::load).reduce(f64::min).unwrap_or(0.0)
    }
}

impl fmt::Display for Stats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.shares.iter().map(|share| share.name.chars().count());
        let width = names.max().unwrap_or_default().max(4);
        writeln!(f, "{:width$}  {:>7}  {:>9}  {:>6}", "node", "points", "share", "load")?;
        for share in &self.shares {
            write!(
                f,
                "{:width$}  {:>7}  {:>7.3} %  {:>6.3}  ",
                share.name,
                share.points,
                share.share * 100.0,
                share.load()
            )?;
            bar(f, share.load())?;
        }
        writeln!(
            f,
            "{} nodes, deviation {:.1} %, peak {:.3}, low {:.3}",
            self.shares.len(),
            self.deviation() * 100.0,
            self.peak(),
            self.low()
        )
    }
}

/// A bar of eighths, 24 wide for twice what is fair, with the fair length marked.
#[expect(clippy::cast_possible_truncation, reason = "a bar is short")]
#[expect(clippy::cast_sign_loss, reason = "a load is not negative")]
fn bar(f: &mut fmt::Formatter<'_>, load: f64) -> fmt::Result {
    const FAIR: usize = 12;
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (load.min(2.0) * (FAIR * 8) as f64) as usize;
    for _ in 0..eighths / 8 {
        f.write_str("█")?;
    }
    f.write_str(PARTS[eighths % 8])?;
    let length = eighths.div_ceil(8);
    if length < FAIR {
        write!(f, "{:>1$}", "|", FAIR - length + 1)?;
    }
    writeln!(f)
}

/// Newton's method: `core` has no square root.
fn square_root(of: f64) -> f64 {
    if of <= 0.0 {
        return 0.0;
    }
    let mut root = if of > 1.0 { of } else { 1.0 };
    loop {
        let next = (root + of / root) / 2.0;
        if next >= root {
            return root;
        }
        root = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_roots_are_those_of_std() {
        assert_eq!((square_root(0.0), square_root(4.0), square_root(0.25)), (0.0, 2.0, 0.5));
        for of in [1e-9, 0.009_025, 0.3, 2.0, 1e9] {
            assert!((square_root(of) - f64::sqrt(of)).abs() <= 1e-15 * f64::sqrt(of).max(1e-3));
        }
    }
}
