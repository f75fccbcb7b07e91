//! The whole places of points, of which the index keeps the upper 32 bits.

use alloc::vec::Vec;

use super::Ring;
use crate::Position;
use crate::point::Entry;

impl<N> Ring<N> {
    /// The whole place of a point.
    pub(crate) fn exact(&self, at: usize) -> Position {
        let entry = self.points.at(at);
        if self.profile.bits() == 32 {
            return Position::from_u32(entry.high());
        }
        // Points of one node that agree in the upper bits stand in order, with no others' order
        // between them.
        let before = self.points.as_slice()[..at]
            .iter()
            .rev()
            .take_while(|other| other.high() == entry.high())
            .filter(|other| **other == entry)
            .count();
        self.points_at(entry).get(before).copied().unwrap_or(Position::from_u32(entry.high()))
    }

    /// The first point, from this one on, that a key at this place belongs to.
    #[cold]
    pub(super) fn among_ties(&self, position: Position, first: usize) -> usize {
        let below = (!0_u128).checked_shr(self.profile.bits()).unwrap_or(0);
        let position = Position::new(position.bits() & !below);
        let mut at = first;
        while at < self.points.len() && self.points.at(at).high() == position.high() {
            let point = self.exact(at);
            if point > position || point == position && !self.profile.is_strict() {
                break;
            }
            at += 1;
        }
        at
    }

    /// Brings points that agree in their upper bits into the order of their whole places, and those
    /// of one place into the order of their names.
    pub(super) fn order_ties(&mut self) {
        if self.profile.first_inserted_wins() {
            return;
        }
        let mut at = 1;
        while at < self.points.len() {
            let high = self.points.at(at).high();
            if self.points.at(at - 1).high() != high {
                at += 1;
                continue;
            }
            let first = at - 1;
            let rest = &self.points.as_slice()[first..];
            let tied = rest.iter().take_while(|entry| entry.high() == high).count();
            let mut run: Vec<(Position, Entry)> =
                (first..first + tied).map(|at| (self.exact(at), self.points.at(at))).collect();
            run.sort_by(|(one, a), (other, b)| {
                one.cmp(other).then_with(|| self.name(a.node()).cmp(self.name(b.node())))
            });
            for (to, (_, entry)) in self.points.as_mut_slice()[first..].iter_mut().zip(run) {
                *to = entry;
            }
            at = first + tied + 1;
        }
    }

    /// All points of a node that agree with this one in the upper bits, in order.
    fn points_at(&self, entry: Entry) -> Vec<Position> {
        let mut points = Vec::new();
        if let Some(member) = self.member(entry.node() as usize) {
            let node = &member.node;
            self.profile.points_of(node.name(), node.weight(), &self.crowd, |point| {
                if point.high() == entry.high() {
                    points.push(point);
                }
            });
        }
        points.sort_unstable();
        points
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use crate::{Ketama, Position, Profile, Ring};

    fn ring(profile: Profile, count: u32) -> Ring<()> {
        let nodes = (0..count).map(|at| (format!("node{}:11211", at * 7 % count), ()));
        Ring::with_nodes(profile, nodes).unwrap()
    }

    /// All points of all nodes in the order of the circle, with names and numbers.
    fn points(ring: &Ring<()>) -> Vec<(Position, &str, u32)> {
        let mut points = Vec::new();
        for (number, node) in (0..).zip(ring.iter()) {
            ring.profile().points_of(node.name(), node.weight(), ring.crowd(), |point| {
                points.push((point, node.name(), number));
            });
        }
        points.sort_unstable();
        points
    }

    #[test]
    fn points_that_agree_in_their_upper_bits_are_told_apart() {
        for profile in [Profile::native(), Profile::md5()] {
            let mut ring = ring(profile, 3_001);
            for name in ["node1:11211", "node2:11211"] {
                let node = ring.remove(name).unwrap();
                ring.insert_node(node).unwrap();
            }
            let points = points(&ring);
            let close = points.windows(2).filter(|pair| pair[0].0.high() == pair[1].0.high());
            let mut checked = 0;
            for pair in close {
                for (point, name, _) in pair {
                    // The last place before a point, or the point itself, is of the point's node.
                    let place = point.bits() - u128::from(profile.is_strict());
                    let owner = ring.node_at(Position::new(place));
                    assert_eq!(owner.map(|node| node.name()), Some(*name));
                }
                checked += 1;
            }
            assert!(checked > 1, "{checked} pairs are too few to show anything");
        }
    }

    #[test]
    fn of_two_points_on_one_place_the_smaller_name_wins_or_the_first_inserted() {
        for (dialect, by_name) in [
            (Ketama::TwemproxyMd5, true),
            (Ketama::Libketama, true),
            (Ketama::LibmemcachedWeighted, false),
        ] {
            let ring = ring(Profile::ketama(dialect), 3_001);
            let points = points(&ring);
            let mut checked = 0;
            for same in points.chunk_by(|one, other| one.0 == other.0).filter(|c| c.len() > 1) {
                let smallest = same.iter().map(|(_, name, _)| *name).min();
                let first = same.iter().min_by_key(|point| point.2).map(|(_, name, _)| *name);
                let owner = ring.node_at(same[0].0).map(|node| node.name());
                assert_eq!(owner, if by_name { smallest } else { first });
                checked += usize::from(smallest != first);
            }
            assert!(checked > 1, "{checked} places are too few to show anything");
        }
    }
}
