//! The ring as the ranges that its nodes own.

use alloc::vec::Vec;
use core::fmt;

use crate::{Position, Ring};

/// Places on the circle from the first to the last, both included. It does not wrap.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Range {
    /// The lowest place.
    pub first: Position,
    /// The highest place, not below the first.
    pub last: Position,
}

impl Range {
    /// Whether this place is in it.
    #[must_use]
    pub fn contains(&self, position: Position) -> bool {
        (self.first..=self.last).contains(&position)
    }

    /// Its part of the circle, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        share(self.last.bits() - self.first.bits()) + ONE
    }
}

/// The digits that matter, as `9f3a000000000000..=9f3affffffffffff`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |position: Position| (position.bits() >> 64) as u64;
        write!(f, "{:016x}..={:016x}", short(self.first), short(self.last))
    }
}

/// What one place is of the circle.
const ONE: f64 = 1.0 / CIRCLE;
const CIRCLE: f64 = 340_282_366_920_938_463_463_374_607_431_768_211_456.0;

#[expect(clippy::cast_precision_loss, reason = "a share is a fraction")]
pub(crate) fn share(places: u128) -> f64 {
    places as f64 / CIRCLE
}

/// The end of a range, and the number of its owner. The range begins behind the one before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Arc {
    pub(crate) last: u128,
    pub(crate) node: u32,
}

impl<N> Ring<N> {
    /// What each node owns: ranges in order that cover the circle, with the names of their owners.
    /// Of neighbouring ranges, none have the same owner. Marks have no part in it.
    ///
    /// ```
    /// use shard_ring::{Profile, Ring};
    ///
    /// let ring = Ring::with_nodes(Profile::native(), [("a", 1), ("b", 2)])?;
    /// let position = ring.profile().position(b"key");
    /// let owner = ring.ranges().find(|(range, _)| range.contains(position)).map(|(_, node)| node);
    /// assert_eq!(owner, ring.node("key"));
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    pub fn ranges(&self) -> impl Iterator<Item = (Range, &crate::Node<N>)> {
        let mut first = 0;
        self.arcs().into_iter().filter_map(move |arc| {
            let range = Range { first: Position::new(first), last: Position::new(arc.last) };
            first = arc.last.wrapping_add(1);
            self.member(arc.node as usize).map(|member| (range, &member.node))
        })
    }

    /// The arcs of the circle from its lowest place to its highest.
    pub(crate) fn arcs(&self) -> Vec<Arc> {
        let mut arcs: Vec<Arc> = Vec::with_capacity(self.points().len() + 1);
        let Some(first) = self.points().as_slice().first() else { return arcs };
        let below = (!0_u128).checked_shr(self.profile().bits()).unwrap_or(0);
        let strict = self.profile().is_strict();
        let mut push = |last: u128, node: u32| match arcs.last_mut() {
            // Of points on one place the first owns, and the others own nothing.
            Some(before) if before.last >= last => {}
            Some(before) if before.node == node => before.last = last,
            _ => arcs.push(Arc { last, node }),
        };
        for (point, node) in self.exact_points() {
            let last = if strict { point.checked_sub(1) } else { Some(point | below) };
            if let Some(last) = last {
                push(last, node);
            }
        }
        push(u128::MAX, first.node());
        arcs
    }

    /// The whole places of all points, in the order of the index, with their nodes.
    fn exact_points(&self) -> Vec<(u128, u32)> {
        let mut points = Vec::with_capacity(self.points().len());
        for (number, member) in (0..).zip(self.members()) {
            let node = &member.node;
            self.profile().points_of(node.name(), node.weight(), self.crowd(), |point| {
                points.push((point.bits(), number));
            });
        }
        points.sort_unstable();
        // Those of one place as the index has them.
        for at in 1..points.len() {
            if points[at].0 == points[at - 1].0 {
                points[at].1 = self.points().at(at).node();
                points[at - 1].1 = self.points().at(at - 1).node();
            }
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;
    use crate::{Ketama, Profile};

    fn profiles() -> [Profile; 3] {
        [Profile::md5(), Profile::native(), Profile::ketama(Ketama::TwemproxyNamed)]
    }

    fn named(count: usize) -> impl Iterator<Item = (String, ())> {
        (0..count).map(|at| (format!("node{at}"), ()))
    }

    #[test]
    fn both_ends_of_every_range_and_what_is_beside_them_have_its_owner() {
        for profile in profiles() {
            let ring = Ring::with_nodes(profile, named(7)).unwrap();
            let mut next = 0;
            for (range, node) in ring.ranges() {
                assert_eq!(range.first.bits(), next);
                for place in [range.first, range.last] {
                    assert_eq!(ring.node_at(place).map(|node| node.name()), Some(node.name()));
                }
                let behind = Position::new(range.last.bits().wrapping_add(1));
                let goes_on = ring.node_at(behind) == Some(node) && behind.bits() != 0;
                assert!(!goes_on, "a range ends too early in {profile}");
                next = behind.bits();
            }
            assert_eq!(next, 0, "the ranges of {profile} do not end where the circle does");
        }
    }

    #[test]
    fn one_node_owns_all_and_none_owns_nothing() {
        for profile in profiles() {
            let ring = Ring::with_nodes(profile, named(1)).unwrap();
            let ranges: Vec<_> = ring.ranges().map(|(range, _)| range).collect();
            assert_eq!(ranges.len(), 1);
            assert!((ranges[0].share() - 1.0).abs() < 1e-12);
            assert_eq!(Ring::<()>::new(profile).ranges().count(), 0);
        }
    }
}
