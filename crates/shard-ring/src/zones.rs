//! Owners that stand in different zones.

use core::iter::FusedIterator;

use crate::{Node, Owners};

const REMEMBERED: usize = 16;

/// What to do when every zone has an owner, and more are asked for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Spread {
    /// End: no two owners in one zone.
    Strict,
    /// Go on with the nodes that were passed over, in their order.
    BestEffort,
}

/// The owners of a key in different zones. Made by [`Owners::across_zones`].
///
/// A node in no zone is a zone of its own. A zone all of whose nodes are marked down is passed over.
/// It allocates nothing.
#[derive(Debug)]
pub struct Zones<'r, N> {
    owners: Owners<'r, N>,
    spread: Spread,
    /// Whether the zones are through, and the second walk is on its way.
    again: bool,
    /// The first owners that were answered, with their zones.
    seen: [(u32, u32); REMEMBERED],
    zones: usize,
}

impl<'r, N> Zones<'r, N> {
    pub(crate) fn new(owners: Owners<'r, N>, spread: Spread) -> Self {
        Self { owners, spread, again: false, seen: [(0, 0); REMEMBERED], zones: 0 }
    }

    fn next_number(&mut self) -> Option<u32> {
        while !self.again {
            let Some(number) = self.owners.next_number() else {
                if self.spread == Spread::Strict {
                    return None;
                }
                self.owners = self.owners.restart();
                self.again = true;
                break;
            };
            if self.is_first_of_zone(number) {
                if let Some(place) = self.seen.get_mut(self.zones) {
                    *place = (number, zone(&self.owners, number));
                }
                self.zones += 1;
                return Some(number);
            }
        }
        loop {
            let number = self.owners.next_number()?;
            let remembered = &self.seen[..self.zones.min(REMEMBERED)];
            let answered = remembered.iter().any(|(seen, _)| *seen == number)
                || self.zones > REMEMBERED && self.is_first_of_zone(number);
            if !answered {
                return Some(number);
            }
        }
    }

    /// Whether the walk, which has just come to this node, has passed none of its zone before.
    fn is_first_of_zone(&self, number: u32) -> bool {
        let own = zone(&self.owners, number);
        let remembered = &self.seen[..self.zones.min(REMEMBERED)];
        if remembered.iter().any(|(_, zone)| *zone == own) {
            return false;
        }
        self.zones <= REMEMBERED
            || !self
                .owners
                .points_passed(1)
                .any(|passed| zone(&self.owners, passed) == own && !self.owners.is_down(passed))
    }
}

fn zone<N>(owners: &Owners<'_, N>, number: u32) -> u32 {
    owners.ring().member(number as usize).map_or(u32::MAX, |member| member.zone)
}

impl<'r, N> Iterator for Zones<'r, N> {
    type Item = &'r Node<N>;

    fn next(&mut self) -> Option<&'r Node<N>> {
        let number = self.next_number()?;
        self.owners.ring().member(number as usize).map(|member| &member.node)
    }
}

impl<N> FusedIterator for Zones<'_, N> {}
