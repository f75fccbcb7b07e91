//! The owners of a key, one after the other.

use core::iter::FusedIterator;

use crate::{Node, Ring, Spread, Zones};

/// How many nodes are remembered. Whether a later one has been seen is read from the ring.
const REMEMBERED: usize = 16;

/// The distinct owners of a key in their order: clockwise from its place. Made by
/// [`Ring::owners`].
///
/// It walks the ring as far as it is asked to, and allocates nothing. Nodes marked down are passed
/// over; the others keep their order. It ends when there are no more nodes.
///
/// The first few owners take a few nanoseconds each. To ask for all of a thousand nodes takes
/// milliseconds, because it has to find those that nearly all points are not of.
///
/// ```
/// use shard_ring::{Profile, Ring};
///
/// let ring = Ring::with_nodes(Profile::native(), [("a", 1), ("b", 2), ("c", 3)])?;
/// let two: Vec<_> = ring.owners("key").take(2).map(|node| node.name()).collect();
/// assert_eq!(two.len(), 2);
/// assert_eq!(ring.owners("key").count(), 3);
/// # Ok::<(), shard_ring::Error>(())
/// ```
#[derive(Debug)]
pub struct Owners<'r, N> {
    ring: &'r Ring<N>,
    /// The point where the walk began, and how many it has passed.
    start: usize,
    passed: usize,
    distinct: usize,
    seen: [u32; REMEMBERED],
}

impl<'r, N> Owners<'r, N> {
    #[inline]
    pub(crate) fn new(ring: &'r Ring<N>, start: usize) -> Self {
        Self { ring, start, passed: 0, distinct: 0, seen: [0; REMEMBERED] }
    }

    /// Spreads the owners over zones: the first of each zone before the second of any.
    ///
    /// ```
    /// use shard_ring::{Node, Profile, Ring, Spread};
    ///
    /// let node = |name: &str, zone: &str| Node::new(name, ()).with_zone(zone);
    /// let nodes = [node("a", "north"), node("b", "north"), node("c", "south")];
    /// let ring = Ring::with_nodes(Profile::native(), nodes)?;
    /// assert_eq!(ring.owners("key").across_zones(Spread::Strict).count(), 2);
    /// assert_eq!(ring.owners("key").across_zones(Spread::BestEffort).count(), 3);
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    #[must_use]
    pub fn across_zones(self, spread: Spread) -> Zones<'r, N> {
        Zones::new(Self::new(self.ring, self.start), spread)
    }

    pub(crate) fn ring(&self) -> &'r Ring<N> {
        self.ring
    }

    /// From the beginning again.
    pub(crate) fn restart(&self) -> Self {
        Self::new(self.ring, self.start)
    }

    /// The number of the next node, up or down.
    #[inline]
    pub(crate) fn next_of_all(&mut self) -> Option<u32> {
        let points = self.ring.points().as_slice();
        while self.distinct < self.ring.placed() && self.passed < points.len() {
            let ahead = self.start + self.passed;
            let at = if ahead < points.len() { ahead } else { ahead - points.len() };
            let number = points[at].node();
            self.passed += 1;
            let remembered = self.distinct.min(REMEMBERED);
            if self.seen[..remembered].contains(&number) {
                continue;
            }
            if remembered == REMEMBERED && self.points_passed(1).any(|point| point == number) {
                continue;
            }
            if remembered < REMEMBERED {
                self.seen[remembered] = number;
            }
            self.distinct += 1;
            return Some(number);
        }
        None
    }

    /// The number of the next node that is not marked down.
    #[inline]
    pub(crate) fn next_number(&mut self) -> Option<u32> {
        loop {
            let number = self.next_of_all()?;
            if !self.ring.tally().any_down() || !self.is_down(number) {
                return Some(number);
            }
        }
    }

    /// The nodes of the points passed, but for the last few.
    pub(crate) fn points_passed(&self, but: usize) -> impl Iterator<Item = u32> + use<'r, N> {
        let (behind, before) = self.ring.points().as_slice().split_at(self.start);
        before.iter().chain(behind).take(self.passed - but).map(|point| point.node())
    }

    pub(crate) fn is_down(&self, number: u32) -> bool {
        self.ring.member(number as usize).is_none_or(|member| member.state.is_down())
    }
}

impl<'r, N> Iterator for Owners<'r, N> {
    type Item = &'r Node<N>;

    #[inline]
    fn next(&mut self) -> Option<&'r Node<N>> {
        let number = self.next_number()?;
        self.ring.member(number as usize).map(|member| &member.node)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.ring.placed() - self.distinct))
    }
}

impl<N> FusedIterator for Owners<'_, N> {}

impl<N> Clone for Owners<'_, N> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}
